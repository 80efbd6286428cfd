"""What is recorded before a status is written, and what is done while it cannot be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.builders import (
    EFFECTIVE,
    exited,
    failed_attempt,
    make_attempt,
    make_container,
    make_job,
    make_pod,
    make_revision,
    make_status,
    make_task,
    make_world,
    pin,
    running,
)
from tests.support.clock import at
from tests.support.crd import problems

from celeriac.api.v1alpha1 import Cancel, Deadlines, Failure, Result, TaskStatus
from celeriac.wire.records import AttemptRecord, Author
from celeriac_operator.core.decide import decide
from celeriac_operator.core.facts import World
from celeriac_operator.core.plan import DeletePod, Plan, RecordAttempt, RecordTask
from celeriac_operator.core.records import Records

RUNNER = make_container(command=["python", "-m", "celeriac.run", "media:app", "resize"])
PLAIN = make_container()
RUNS = make_status(make_attempt(pod_uid="pod-1", pod_name="p", start_time=at(2)), start_time=at(2))

TWICE = EFFECTIVE.model_copy(update={"retry": EFFECTIVE.retry.model_copy(update={"max_attempts": 2})})
AGAIN = RUNS.model_copy(update={"effective": TWICE})


def under_way(
    pod: Any, bus: Any = "Up", *, container: Any = RUNNER, by_message: bool = True, record: Any = None, **fields: Any
) -> World:
    status = fields.pop("status", RUNS)
    task = make_task(status=status, container=container, submission="sha256:mine" if by_message else None, **fields)
    records = Records(bus, looked_up=True, attempt=record)
    return make_world(task, job=make_job(), pod=pod, records=records)


def by_runner(failure: Failure | None = None, pod: str = "pod-1", **fields: Any) -> AttemptRecord:
    return AttemptRecord(
        author=Author.RUNNER,
        task_uid=make_task().uid,
        attempt=1,
        pod_uid=pod,
        failure=failure,
        finish_time=at(8),
        **fields,
    )


def outline(plan: Plan) -> tuple[list[str], str | None]:
    """What is recorded, and what the status says then."""
    kinds = [type(each).__name__ for each in plan.record]
    return kinds, None if plan.status is None else f"{plan.status.phase}/{plan.status.reason}"


OK, BAD = make_pod(exited(0, "7")), make_pod(exited(1))
BOTH = ["RecordAttempt", "RecordTask"]


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        pytest.param(
            under_way(make_pod(running()), record=by_runner(result=Result(value=7))),
            (["RecordTask"], "Succeeded/Succeeded"),
            id="a recorded success ends the task while its process goes on",
        ),
        pytest.param(
            under_way(OK), (BOTH, "Succeeded/Succeeded"), id="a success that no runner recorded is recorded for it"
        ),
        pytest.param(under_way(BAD), (BOTH, "Failed/AppError"), id="a failure is recorded before it is believed"),
        pytest.param(
            under_way(BAD, status=AGAIN),
            (["RecordAttempt"], "Retrying/AppError"),
            id="so is one that is followed by another attempt",
        ),
        pytest.param(
            under_way(OK, record=by_runner(pod="pod-2", result=Result(value=13))),
            (["RecordTask"], "Succeeded/Succeeded"),
            id="where another pod has taken the key, the status decides",
        ),
        pytest.param(
            under_way(OK, container=PLAIN),
            (["RecordTask"], "Succeeded/Succeeded"),
            id="a plain container has no attempts",
        ),
        pytest.param(
            under_way(OK, by_message=False),
            (["RecordAttempt"], "Succeeded/Succeeded"),
            id="a Task that came by no message has no record of its own",
        ),
        pytest.param(
            under_way(OK, container=PLAIN, by_message=False),
            ([], "Succeeded/Succeeded"),
            id="a plain Task has none at all",
        ),
        pytest.param(under_way(OK, "Off"), ([], "Succeeded/Succeeded"), id="without NATS there are none"),
        pytest.param(
            under_way(OK, "Down", by_message=False),
            ([], "Succeeded/Succeeded"),
            id="a Task that came by no message does not wait for NATS",
        ),
        pytest.param(
            under_way(BAD, "Down"),
            ([], "Running/BusUnavailable"),
            id="while NATS is away the outcome of a runner's attempt is open",
        ),
        pytest.param(
            under_way(BAD, "Down", container=PLAIN),
            ([], "Running/BusUnavailable"),
            id="while NATS is away the end of a plain one is held back",
        ),
        pytest.param(
            under_way(make_pod(running()), "Down", record=by_runner()),
            ([], "Running/BusUnavailable"),
            id="so is the end of one that its runner had recorded",
        ),
    ],
)
def test_what_is_recorded_first(world: World, expected: tuple[list[str], str]) -> None:
    plan = decide(world, at(12))
    assert expected == outline(plan)
    assert plan.status is not None
    assert problems(plan.status.to_wire()) == []


def test_what_is_recorded_is_what_the_status_says() -> None:
    plan = decide(under_way(OK), at(12))
    attempt, task = plan.record
    assert isinstance(attempt, RecordAttempt)
    assert isinstance(task, RecordTask)
    assert plan.status is not None
    closed = plan.status.attempts[-1]
    assert (attempt.record.author, attempt.record.result) == (Author.OPERATOR, Result(value=7))
    assert (closed.failure, closed.exit_code) == (attempt.record.failure, attempt.record.exit_code)
    assert (task.record.outcome, task.record.result) == ("Succeeded", Result(value=7))
    assert task.record.attempts == plan.status.attempts


def settled(world: World, now: datetime) -> TaskStatus:
    status = decide(world, now).status
    assert status is not None
    return status


def test_an_end_that_is_held_back_is_settled_and_loses_nothing() -> None:
    """Its pod may go, a person may cancel it, time may pass: it ends as it did."""
    held = settled(under_way(OK, "Down", container=PLAIN), at(12))
    truths = {condition.type: condition.status for condition in held.conditions}
    assert (truths["Succeeded"], truths["Finished"], held.finish_time) == ("True", "False", None)
    task = make_task(status=held, container=PLAIN, submission="sha256:mine", cancel=Cancel(reason="late"))
    still = decide(make_world(task, records=Records("Down", looked_up=True)), at(500))
    assert (still.status, still.record, still.create) == (None, (), ())
    plan = decide(make_world(task, records=Records("Up", looked_up=True)), at(900))
    assert outline(plan) == (["RecordTask"], "Succeeded/Succeeded")
    assert plan.status is not None
    assert (plan.status.result, plan.status.message, plan.status.attempts) == (
        Result(value=7),
        "Succeeded",
        held.attempts,
    )


def test_a_failure_that_is_held_back_ends_with_its_own_words() -> None:
    world = under_way(BAD, container=PLAIN)
    now, later = settled(world, at(12)), settled(replace(world, records=Records("Down", looked_up=True)), at(12))
    task = make_task(status=later, container=PLAIN, submission="sha256:mine")
    plan = decide(make_world(task, records=Records("Up", looked_up=True)), at(900))
    assert plan.status is not None
    assert (now.phase, now.reason, now.message) == (plan.status.phase, plan.status.reason, plan.status.message)


def test_a_task_that_ends_without_an_attempt_waits_for_nats_and_says_so() -> None:
    task = make_task(submission="sha256:mine", cancel=Cancel(reason="enough"))
    plan = decide(make_world(task, records=Records("Down")), at(5))
    assert outline(plan) == ([], "Queued/BusUnavailable")
    assert plan.look_again is not None


# --- a process that goes on ---

FAILS = by_runner(Failure.APP_ERROR, exit_code=1, message="ValueError: no")


def test_no_attempt_follows_while_the_process_of_the_last_goes_on() -> None:
    plan = decide(under_way(make_pod(running()), record=FAILS, status=AGAIN), at(10))
    assert (plan.status, plan.create, plan.delete) == (None, (), ())
    assert plan.look_again == at(38)


def test_a_process_that_does_not_end_by_itself_is_stopped() -> None:
    plan = decide(under_way(make_pod(running()), record=FAILS, status=AGAIN), at(38))
    assert plan.delete == (DeletePod(make_pod().name, "pod-1"),)


def test_another_attempt_follows_once_it_has_ended() -> None:
    plan = decide(under_way(BAD, record=FAILS, status=AGAIN), at(12))
    assert outline(plan) == ([], "Retrying/AppError")


def test_another_attempt_follows_in_the_end_where_its_node_never_answers() -> None:
    gone = make_pod(running(), deleted_at=at(40))
    assert outline(decide(under_way(gone, record=FAILS, status=AGAIN), at(60))) == ([], None)
    assert outline(decide(under_way(gone, record=FAILS, status=AGAIN), at(200))) == ([], "Retrying/AppError")


def test_a_failure_that_none_follows_is_told_at_once() -> None:
    plan = decide(under_way(make_pod(running()), record=FAILS), at(10))
    assert outline(plan) == (["RecordTask"], "Failed/AppError")


def finished_by_record() -> TaskStatus:
    return settled(under_way(make_pod(running()), record=by_runner()), at(10))


@pytest.mark.parametrize(
    ("now", "deleted"),
    [
        pytest.param(20, 0, id="the process of a task that has finished may take a while to exit"),
        pytest.param(40, 1, id="and is stopped then"),
    ],
)
def test_a_process_after_its_task(now: float, deleted: int) -> None:
    task = make_task(status=finished_by_record(), container=RUNNER, submission="sha256:mine")
    world = make_world(task, strays=(make_pod(running()),), records=Records("Up"))
    plan = decide(world, at(now))
    assert deleted == len(plan.delete)
    assert plan.look_again is not None


def test_a_result_that_the_schema_refuses_is_refused_in_a_record_too() -> None:
    revision = make_revision(
        container={"image": "m", "command": ["python", "-m", "celeriac.run"]}, resultSchema={"type": "integer"}
    )
    status = RUNS.model_copy(update={"definition": pin(revision)})
    task = make_task(status=status, definition_name="resize", submission="sha256:mine")
    records = Records("Up", looked_up=True, attempt=by_runner(result=Result(value="text")))
    world = make_world(task, job=make_job(), pod=make_pod(running()), pinned=revision, records=records)
    assert outline(decide(world, at(10))) == (["RecordTask"], "Failed/ResultInvalid")


def test_an_attempt_that_was_closed_is_not_opened_by_a_record_that_comes_late() -> None:
    status = make_status(failed_attempt(), effective=TWICE, next_attempt_time=at(20))
    task = make_task(status=status, container=RUNNER, submission="sha256:mine")
    late = Records("Up", looked_up=True, attempt=by_runner(result=Result(value=13)))
    plan = decide(make_world(task, records=late), at(30))
    assert (plan.status, len(plan.create)) == (None, 1)


NEVER = datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize("said", [at(3600), NEVER], ids=["in an hour", "at the end of time"])
@pytest.mark.parametrize(
    ("pod", "now", "expected"),
    [
        pytest.param(make_pod(running()), 20, "DeletePod", id="a process that goes on is stopped at once"),
        pytest.param(make_pod(running(), deleted_at=at(50)), 60, "waits", id="one that is being stopped is waited for"),
        pytest.param(make_pod(running(), deleted_at=at(50)), 171, "Retrying", id="but not for ever"),
        pytest.param(None, 20, "Retrying", id="without its pod there is nothing to wait for"),
    ],
)
def test_a_function_that_says_it_will_end_later_has_ended(said: datetime, pod: Any, now: int, expected: str) -> None:
    """Its process could hold its slot beyond runSeconds with it, or make the operator raise."""
    record = by_runner(Failure.APP_ERROR).model_copy(update={"finish_time": said})
    plan = decide(under_way(pod, record=record, status=AGAIN), at(now))
    found = str(plan.status.phase) if plan.status is not None else "waits"
    assert expected == (type(plan.delete[0]).__name__ if plan.delete else found)


def test_a_runner_whose_clock_is_a_little_ahead_may_linger() -> None:
    record = by_runner(Failure.APP_ERROR).model_copy(update={"finish_time": at(15)})
    plan = decide(under_way(make_pod(running()), record=record, status=AGAIN), at(9))
    assert (Plan(look_again=at(45)), ()) == (replace(plan, standing=None), plan.delete)


STOPPED = RUNS.model_copy(
    update={"attempts": (RUNS.attempts[0].model_copy(update={"failure": Failure.CANCELLED, "message": "Cancelled"}),)}
)
LATE = RUNS.model_copy(update={"effective": EFFECTIVE.model_copy(update={"deadlines": Deadlines(run_seconds=5)})})
CANCEL = {"cancel": Cancel(reason="no longer needed")}


@pytest.mark.parametrize(
    ("world", "told"),
    [
        pytest.param(
            under_way(make_pod(running()), **CANCEL), ("Cancelled", "no longer needed"), id="the reason of a cancel"
        ),
        pytest.param(
            under_way(make_pod(running()), cancel=Cancel()), ("Cancelled", "Cancelled"), id="a cancel without a reason"
        ),
        pytest.param(
            under_way(make_pod(running()), status=LATE),
            ("RunDeadlineExceeded", "It ran longer than runSeconds (5 s)"),
            id="a deadline",
        ),
        pytest.param(
            under_way(make_pod(running()), status=STOPPED, **CANCEL),
            ("Cancelled", "no longer needed"),
            id="the operator was restarted between the verdict and the stop",
        ),
        pytest.param(
            under_way(make_pod(running()), by_message=False, **CANCEL),
            ("Cancelled", "no longer needed"),
            id="a task that came by no message",
        ),
        pytest.param(under_way(make_pod(running()), container=PLAIN, **CANCEL), None, id="no runner that would ask"),
        pytest.param(under_way(make_pod(running()), "Down", **CANCEL), None, id="NATS does not answer"),
        pytest.param(under_way(make_pod(running()), "Off", **CANCEL), None, id="without NATS"),
        pytest.param(
            under_way(make_pod(running()), status=AGAIN, record=by_runner(Failure.APP_ERROR)),
            None,
            id="a process that lingers is stopped for nothing that its function could know",
        ),
    ],
)
def test_what_a_runner_is_told_before_it_is_stopped(world: World, told: tuple[str, str] | None) -> None:
    stops = [each for each in decide(world, at(60)).delete if isinstance(each, DeletePod)]
    assert 1 == len(stops)
    first = stops[0].first
    assert told == (None if first is None else (first.notice.failure, first.notice.message))
