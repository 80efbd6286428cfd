"""Tasks, their Jobs, records, results and events, against each other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.evidence import (
    KEY,
    NOW,
    UID,
    a_bus,
    a_job,
    a_record,
    a_ref,
    a_task,
    ago,
    an_event,
    evidence,
    said,
    waiting,
)

from celeriac.api.v1alpha1 import ObjectRef, Result
from celeriac.audit.evidence import Evidence
from celeriac.audit.of_tasks import (
    attempts_that_ran,
    attempts_without_job,
    jobs_without_task,
    params_that_are_missing,
    records_and_tasks,
    records_beyond_their_time,
    results_that_are_missing,
    tasks_that_are_gone,
    tasks_without_record,
)
from celeriac.wire.records import RecordKind

RAN = {KEY: an_event("Running")}
WISH = {KEY: a_record(RecordKind.CANCEL_REQUESTED, "Cancelled", task_uid=None)}
OPEN = [{"number": 1, "jobName": "resize-a1"}]
CLOSED = [{"number": 1, "jobName": "resize-a1", "finishTime": ago(9).isoformat()}]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(evidence(a_task(), bus=a_bus(events=RAN)), [], id="it is there"),
        pytest.param(evidence(bus=a_bus(events=RAN)), ["Lost resize"], id="it ran, and there is nothing else"),
        pytest.param(evidence(bus=a_bus(events=RAN, records={KEY: a_record()})), [], id="its record says how it ended"),
        pytest.param(
            evidence(bus=a_bus(events=RAN, records=WISH)), ["Lost resize"], id="its record is only a wish to cancel it"
        ),
        pytest.param(evidence(bus=a_bus(events=RAN, waiting=(waiting(),))), [], id="its message is there again"),
        pytest.param(evidence(bus=a_bus(events={KEY: an_event("Succeeded")})), [], id="it had ended"),
        pytest.param(
            evidence(bus=a_bus(events={KEY: an_event("Cancelled", "Deleted")})), ["Note resize"], id="it was deleted"
        ),
        pytest.param(evidence(a_task(uid="another"), bus=a_bus(events=RAN)), [], id="another Task has its name by now"),
        pytest.param(evidence(), [], id="NATS was not asked"),
    ],
)
def test_a_task_is_gone_where(given: Evidence, wanted: list[str]) -> None:
    assert said(tasks_that_are_gone(given)) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(
            evidence(a_task(outcome="Succeeded"), bus=a_bus(records={KEY: a_record()})), [], id="both say the same"
        ),
        pytest.param(evidence(a_task(), bus=a_bus(records={KEY: a_record()})), ["Note resize"], id="only it has ended"),
        pytest.param(
            evidence(a_task(outcome="Cancelled"), bus=a_bus(records={KEY: a_record()})),
            ["Lost resize"],
            id="they say different things",
        ),
        pytest.param(
            evidence(a_task(uid="another"), bus=a_bus(records={KEY: a_record()})), [], id="it is another Task's"
        ),
    ],
)
def test_of_the_record_of_a_task(given: Evidence, wanted: list[str]) -> None:
    assert said(records_and_tasks(given)) == wanted


@pytest.mark.parametrize(
    ("expires", "wanted"),
    [
        pytest.param(NOW + timedelta(days=1), [], id="kept for another day"),
        pytest.param(ago(5), [], id="just expired"),
        pytest.param(ago(61), ["Note resize"], id="expired an hour ago"),
    ],
)
def test_a_record_beyond_its_time(expires: object, wanted: list[str]) -> None:
    given = evidence(bus=a_bus(records={KEY: a_record(expire_time=expires)}))

    assert said(records_beyond_their_time(given)) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(evidence(a_task(outcome="Failed"), bus=a_bus()), ["Note resize"], id="by message, without one"),
        pytest.param(
            evidence(a_task(outcome="Failed"), bus=a_bus(records=WISH)),
            ["Note resize"],
            id="with a wish to cancel only",
        ),
        pytest.param(evidence(a_task(), bus=a_bus()), [], id="not finished yet"),
        pytest.param(evidence(a_task(outcome="Failed", by_message=False), bus=a_bus()), [], id="by kubectl"),
        pytest.param(evidence(a_task(outcome="Failed")), [], id="NATS was not asked"),
    ],
)
def test_a_finished_task_has_a_record(given: Evidence, wanted: list[str]) -> None:
    assert said(tasks_without_record(given)) == wanted


RESULT = Result(ref=ObjectRef.model_validate(a_ref("media.result.uid-1.1")))
LARGE = a_task(outcome="Succeeded", result={"ref": a_ref("media.result.uid-1.1")})
THERE = frozenset({"media.result.uid-1.1"})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(evidence(LARGE, bus=a_bus(objects=THERE)), [], id="it is there"),
        pytest.param(evidence(LARGE, bus=a_bus()), ["Lost resize"], id="the Task's is gone"),
        pytest.param(
            evidence(bus=a_bus(records={KEY: a_record(result=RESULT)})), ["Lost resize"], id="the record's is gone"
        ),
        pytest.param(
            evidence(LARGE, bus=a_bus(records={KEY: a_record(result=RESULT)})), ["Lost resize"], id="it is told once"
        ),
        pytest.param(
            evidence(a_task(outcome="Succeeded", result={"value": None}), bus=a_bus()),
            [],
            id="a small one is in the Task",
        ),
    ],
)
def test_of_a_large_result(given: Evidence, wanted: list[str]) -> None:
    assert said(results_that_are_missing(given)) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(evidence(a_task(params_ref=a_ref("p")), bus=a_bus(objects=frozenset({"p"}))), [], id="there"),
        pytest.param(evidence(a_task(params_ref=a_ref("p")), bus=a_bus()), ["Lost resize"], id="gone"),
        pytest.param(
            evidence(a_task(params_ref=a_ref("p"), outcome="Succeeded"), bus=a_bus()), [], id="not needed any more"
        ),
    ],
)
def test_of_large_params(given: Evidence, wanted: list[str]) -> None:
    assert said(params_that_are_missing(given)) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(evidence(a_task(count=1), bus=a_bus(attempts={("media", UID): 1})), [], id="the Task knows it"),
        pytest.param(
            evidence(a_task(count=1), bus=a_bus(attempts={("media", UID): 2})), ["Again resize"], id="it does not"
        ),
        pytest.param(
            evidence(a_task(count=1, outcome="Failed"), bus=a_bus(attempts={("media", UID): 2})), [], id="it has ended"
        ),
    ],
)
def test_of_an_attempt_that_its_runner_recorded(given: Evidence, wanted: list[str]) -> None:
    assert said(attempts_that_ran(given)) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(evidence(a_task(attempts=OPEN), jobs=(a_job(),)), [], id="its Job is there"),
        pytest.param(evidence(a_task(attempts=OPEN)), ["Again resize"], id="its Job is gone"),
        pytest.param(evidence(a_task(attempts=CLOSED)), [], id="it has ended"),
        pytest.param(evidence(a_task(attempts=OPEN, outcome="Failed")), [], id="its Task has ended"),
    ],
)
def test_of_an_attempt_under_way(given: Evidence, wanted: list[str]) -> None:
    assert said(attempts_without_job(given)) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(evidence(a_task(), jobs=(a_job(),)), [], id="its Task is there"),
        pytest.param(evidence(jobs=(a_job(),)), ["Note resize-a1"], id="its Task is gone"),
        pytest.param(
            evidence(a_task(uid="another"), jobs=(a_job(),)), ["Note resize-a1"], id="a Task of that name, made again"
        ),
    ],
)
def test_of_a_job(given: Evidence, wanted: list[str]) -> None:
    assert said(jobs_without_task(given)) == wanted
