"""A record that stands ends the Task of its name; one that does not is answered or replaced."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.builders import (
    failed_attempt,
    finished_status,
    make_attempt,
    make_status,
    make_task,
    make_world,
)
from tests.support.clock import T0, at
from tests.support.crd import problems

from celeriac.api.v1alpha1 import Cancel, Failure, ObjectRef, Result, TaskStatus
from celeriac.wire.names import PAYLOADS_BUCKET
from celeriac.wire.records import RecordKind, TaskRecord
from celeriac_operator.core.decide import decide
from celeriac_operator.core.facts import TaskFacts, World
from celeriac_operator.core.plan import CreateJob, Plan, RecordTask
from celeriac_operator.core.records import Records
from celeriac_operator.core.task_record import record_of, record_of_deleted, stands

MINE, OTHERS = "sha256:mine", "sha256:others"
TASK = make_task(submission=MINE)
WEEK = timedelta(days=7)


def record(kind: RecordKind = RecordKind.FINISHED, **fields: Any) -> TaskRecord:
    given = {"outcome": "Succeeded", "submission": MINE, "finish_time": at(5), "expire_time": at(5) + WEEK}
    return TaskRecord(kind=kind, **{**given, **fields})


def world(found: TaskRecord | None, task: TaskFacts = TASK, **fields: Any) -> World:
    known: dict[str, Any] = {"bus": "Up", "looked_up": True, "task": found, **fields}
    return make_world(task, records=Records(**known))


def said(plan: Plan) -> tuple[str, str] | None:
    return None if plan.status is None else (str(plan.status.phase), str(plan.status.reason))


DEAD, WISH = RecordKind.DEAD, RecordKind.CANCEL_REQUESTED


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(record(task_uid="earlier"), ("Succeeded", "Succeeded"), id="an earlier task of the name"),
        pytest.param(
            record(task_uid="earlier", submission=OTHERS, outcome="Expired"),
            ("Expired", "Expired"),
            id="an earlier task of the name that another message was for",
        ),
        pytest.param(record(outcome="OOMKilled", task_uid=TASK.uid), ("Failed", "OOMKilled"), id="the Task itself"),
        pytest.param(record(DEAD, outcome="DefinitionGone"), ("Failed", "DefinitionGone"), id="its own dead letter"),
        pytest.param(record(DEAD, submission=None), ("Succeeded", "Succeeded"), id="a dead letter of the name"),
        pytest.param(record(outcome="Cancelled"), ("Cancelled", "Cancelled"), id="a cancelled one"),
    ],
)
def test_a_record_that_stands_ends_the_task_without_a_job(found: TaskRecord, expected: tuple[str, str]) -> None:
    plan = decide(world(found), T0)
    assert expected == said(plan)
    assert (plan.create, plan.record) == ((), ())
    assert plan.status is not None
    assert problems(plan.status.to_wire()) == []


@pytest.mark.parametrize(
    ("found", "task"),
    [
        pytest.param(None, TASK, id="there is none"),
        pytest.param(record(DEAD, submission=OTHERS), TASK, id="it is another message's dead letter"),
        pytest.param(record(task_uid="earlier"), make_task(), id="the Task came by no message"),
    ],
)
def test_otherwise_the_task_starts(found: TaskRecord | None, task: TaskFacts) -> None:
    assert any(isinstance(each, CreateJob) for each in decide(world(found, task), T0).create)


def test_a_request_to_cancel_becomes_spec_cancel_before_anything_starts() -> None:
    plan = decide(world(record(WISH, outcome="Cancelled", message="enough")), T0)
    assert (plan.cancel, plan.create, plan.status) == ("enough", (), None)


@pytest.mark.parametrize(
    ("submission", "cancelled"),
    [
        pytest.param(OTHERS, "enough", id="another message has died under the name"),
        pytest.param(MINE, None, id="the Task's own message has died"),
    ],
)
def test_a_request_to_cancel_outlives_a_dead_letter_of_another_message(submission: str, cancelled: str | None) -> None:
    plan = decide(world(record(DEAD, submission=submission, cancel="enough")), T0)
    assert (plan.cancel, plan.create) == (cancelled, ())


@pytest.mark.parametrize("kept", [record_of, record_of_deleted])
def test_a_record_tells_what_the_client_was_asked_for(kept: Any) -> None:
    task = replace(make_task(status=finished_status(), submission=MINE), request_digest="sha256:asked")
    found = record_of(task, task.status, WEEK) if kept is record_of else record_of_deleted(task, T0, WEEK)
    assert "sha256:asked" == (found and found.request_digest)


def test_a_request_to_cancel_that_was_answered_is_not_answered_again() -> None:
    task = make_task(submission=MINE, cancel=Cancel(reason="enough"))
    plan = decide(world(record(WISH), task), T0)
    assert (plan.cancel, said(plan)) == (None, ("Cancelled", "Cancelled"))


def test_the_record_of_a_crash_ends_the_task_as_it_was_recorded_whatever_has_changed() -> None:
    closed = make_attempt(finish_time=at(4), exit_code=0)
    task = make_task(status=make_status(make_attempt()), submission=MINE, cancel=Cancel(reason="late"))
    found = record(task_uid=task.uid, attempts=(closed,), attempt_count=1, result=Result(value=None))
    plan = decide(world(found, task), at(900))
    assert plan.status is not None
    assert said(plan) == ("Succeeded", "Succeeded")
    assert (plan.status.attempts, plan.status.result) == ((closed,), Result(value=None))
    assert plan.status.finish_time == at(5)


def test_a_lost_attempt_of_a_record_is_counted_once() -> None:
    lost = failed_attempt(failure=Failure.NODE_LOST)
    for status in (make_status(make_attempt()), make_status(lost, disruption_count=1)):
        task = make_task(status=status, submission=MINE)
        plan = decide(world(record(task_uid=task.uid, outcome="NodeLost", attempts=(lost,)), task), at(20))
        assert plan.status is not None
        assert plan.status.disruption_count == 1


REF = ObjectRef(bucket=PAYLOADS_BUCKET, key="media.result.earlier.1", size=9, digest="sha256:0")


@pytest.mark.parametrize(
    ("result", "kept"),
    [
        pytest.param(Result(value={"a": 1}), True, id="a value"),
        pytest.param(Result(ref=REF), True, id="a reference into the namespace"),
        pytest.param(Result(value="x" * 5000), False, id="a value that no status can have is left out"),
        pytest.param(Result(value="\x1b" * 4095), True, id="text of control characters is kept, as it was read"),
        pytest.param(Result(value="\n" * 4000 + '"'), True, id="text of many lines is kept"),
        pytest.param(Result(value=[1e15] * 800), True, id="numbers that were written shorter are kept"),
        pytest.param(Result(value=["x" * 24_570]), False, id="what no process can have written is left out"),
        pytest.param(
            Result(ref=REF.model_copy(update={"key": "other.result.u.1"})), False, id="another namespace's is left out"
        ),
    ],
)
def test_what_others_wrote_into_a_record_is_looked_at(result: Result, kept: bool) -> None:
    plan = decide(world(record(task_uid="earlier", result=result)), T0)
    assert plan.status is not None
    assert plan.status.result == (result if kept else None)


def test_while_nats_is_away_a_task_that_came_by_message_does_not_start_and_says_why() -> None:
    down = world(None, bus="Down", looked_up=False)
    assert decide(down, T0).create == ()
    plan = decide(down, at(2))
    assert said(plan) == ("Queued", "BusUnavailable")
    assert (plan.create, plan.standing) == ((), None)


def test_while_nats_is_away_a_task_that_was_looked_up_starts() -> None:
    assert decide(world(None, bus="Down", looked_up=True), T0).create != ()


def test_a_retry_needs_no_look_up() -> None:
    status = make_status(failed_attempt(), next_attempt_time=at(20))
    task = make_task(status=status, submission=MINE)
    assert decide(world(None, task, bus="Down", looked_up=False), at(30)).create != ()


def test_without_nats_nothing_is_looked_up_and_nothing_recorded() -> None:
    off = make_world(TASK)
    assert decide(off, T0).create != ()
    assert decide(make_world(make_task(submission=MINE, cancel=Cancel())), T0).record == ()


def test_a_record_says_what_the_status_says() -> None:
    task = make_task(status=finished_status(message="Succeeded", result=Result(value=7)), submission=MINE)
    found = record_of(task, task.status, WEEK)
    assert found is not None
    assert (found.kind, found.task_uid, found.outcome, found.result) == (
        RecordKind.FINISHED,
        task.uid,
        "Succeeded",
        Result(value=7),
    )
    assert found.expire_time - found.finish_time == WEEK
    assert stands(found, task)


def test_a_status_that_is_not_terminal_has_no_record() -> None:
    assert record_of(TASK, TaskStatus(), WEEK) is None


@pytest.mark.parametrize(
    ("bus", "submission", "now", "recorded", "deleted"),
    [
        pytest.param("Up", MINE, 4000, 1, 1, id="its record is written first, should it be missing"),
        pytest.param("Down", MINE, 4000, 0, 0, id="it is kept while NATS is away"),
        pytest.param("Off", MINE, 4000, 0, 1, id="it goes where there is no NATS"),
        pytest.param("Down", None, 4000, 0, 1, id="a Task that came by no message needs no record"),
        pytest.param("Up", MINE, 8 * 86400, 0, 1, id="a record that would have expired is not written"),
    ],
)
def test_a_finished_task_goes_after_its_record(
    bus: Any, submission: str | None, now: float, recorded: int, deleted: int
) -> None:
    task = make_task(status=finished_status(), submission=submission)
    plan = decide(make_world(task, records=Records(bus)), at(now))
    assert (recorded, deleted) == (sum(isinstance(each, RecordTask) for each in plan.record), len(plan.delete))
    assert plan.delete or plan.look_again is not None
