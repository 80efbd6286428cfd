"""The report as a whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.evidence import KEY, a_bus, a_job, a_record, a_task, an_event, evidence, said, waiting

from celeriac.audit.compare import compare, confirmed, something_is_lost
from celeriac.audit.evidence import Evidence

RUNNING = {"attempts": [{"number": 1, "jobName": "resize-a1"}], "count": 1}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(evidence(bus=a_bus()), id="nothing at all"),
        pytest.param(evidence(bus=a_bus(waiting=(waiting(),))), id="a message that waits"),
        pytest.param(
            evidence(a_task(**RUNNING), jobs=(a_job(),), bus=a_bus(events={KEY: an_event("Running")})), id="a Task runs"
        ),
        pytest.param(
            evidence(
                a_task(outcome="Succeeded"),
                jobs=(a_job(),),
                bus=a_bus(events={KEY: an_event("Succeeded")}, records={KEY: a_record()}),
            ),
            id="a Task has ended",
        ),
        pytest.param(
            evidence(bus=a_bus(events={KEY: an_event("Succeeded")}, records={KEY: a_record()})),
            id="a Task ended and is gone",
        ),
    ],
)
def test_nothing_differs(given: Evidence) -> None:
    assert compare(given) == ()


def test_the_worst_comes_first() -> None:
    given = evidence(
        jobs=(a_job(),),
        bus=a_bus(events={KEY: an_event("Running")}, waiting=(waiting(),)),
        unread=("what nobody could read",),
    )
    lost = replace(given, bus=a_bus(events={KEY: an_event("Running")}))

    assert said(compare(given)) == ["Again resize", "Note resize-a1", "Unread "]
    assert said(compare(lost)) == ["Lost resize", "Note resize-a1", "Unread "]
    assert [something_is_lost(compare(each)) for each in (given, lost)] == [False, True]


def test_without_nats_that_is_said() -> None:
    [finding] = compare(evidence(a_task(by_message=False)))

    assert finding.weight == "Note"
    assert "CELERIAC_NATS_URL" in finding.advice


def test_every_line_says_what_to_do() -> None:
    given = evidence(jobs=(a_job(),), bus=a_bus(events={KEY: an_event("Running")}), unread=("something",))

    assert all(each.found and each.advice for each in compare(given))


def test_a_second_look_confirms_what_is_still_so() -> None:
    gone = compare(evidence(bus=a_bus(events={KEY: an_event("Running")})))

    assert confirmed(gone, compare(evidence(bus=a_bus()))) == ()
    assert confirmed(gone, gone) == gone
    assert confirmed((), gone) == ()
