"""The status as a whole: conditions, bounds, and that equal facts give an equal status."""

from __future__ import annotations

from typing import Any

from tests.support.builders import failed_attempt, make_attempt, make_status, make_task, make_world
from tests.support.clock import at
from tests.support.crd import problems

from celeriac.api.v1alpha1 import Failure, Phase, Result, TaskStatus
from celeriac_operator.core.status import Saying, compose
from celeriac_operator.core.view import View

RUNS = Saying(Phase.RUNNING, "Running", "Attempt 1 is running")
DONE = Saying(Phase.FAILED, "AppError", "Attempt 1 failed")


def composed(saying: Saying, status: TaskStatus | None = None, now: float = 5, **fields: Any) -> TaskStatus:
    """The status that follows."""
    return compose(View(make_world(make_task(status=status)), at(now)), saying, **fields)


def conditions(status: TaskStatus) -> dict[str, str]:
    return {condition.type: condition.status for condition in status.conditions}


def test_conditions_of_a_running_task() -> None:
    assert conditions(composed(RUNS, attempt=make_attempt(start_time=at(2)))) == {
        "Accepted": "True",
        "Running": "True",
        "Succeeded": "Unknown",
        "Finished": "False",
        "Stalled": "False",
    }


def test_conditions_of_each_end() -> None:
    wanted = {Phase.SUCCEEDED: ("True", "False"), Phase.FAILED: ("False", "True"), Phase.CANCELLED: ("False", "False")}
    for phase, (succeeded, stalled) in wanted.items():
        found = conditions(composed(Saying(phase, "R", "m")))

        assert (found["Finished"], found["Succeeded"], found["Stalled"]) == ("True", succeeded, stalled)


def test_equal_facts_give_an_equal_status_later() -> None:
    first = composed(RUNS, attempt=make_attempt(start_time=at(2)), now=5.7)

    assert composed(RUNS, first, now=900.3, attempt=make_attempt(start_time=at(2))) == first


def test_a_status_is_read_back_as_it_was_written() -> None:
    first = composed(DONE, attempt=failed_attempt(), result=Result(value=None), now=5.7)

    assert TaskStatus.model_validate(first.to_wire()) == first


def test_only_the_last_ten_attempts_are_kept_and_counted_on() -> None:
    status = None
    for number in range(1, 31):
        status = composed(DONE, status, attempt=failed_attempt(number, Failure.EVICTED))
    assert status is not None

    assert [attempt.number for attempt in status.attempts] == list(range(21, 31))
    assert (status.attempt_count, status.disruption_count) == (30, 30)


def test_the_largest_status_stays_below_its_bound_and_is_taken() -> None:
    """Whatever a task and its pods say: every rule there can be, ten attempts with endless messages, a full result."""
    rules = [{"onExitCodes": {"operator": "In", "values": list(range(192, 256))}, "action": "Retry"}] * 32
    effective = {"queueName": "q" * 63, "retry": {"rules": rules}}
    for character in ("x", "😀", "\n", '"', "\x1b"):
        text = character * 9000
        names = {"job_name": "j" * 63, "pod_name": "p" * 253, "pod_uid": "u" * 36, "node_name": "n" * 253}
        status: TaskStatus | None = make_status(effective=effective)  # type: ignore[arg-type]
        for number in range(1, 12):
            attempt = failed_attempt(number, Failure.START_DEADLINE_EXCEEDED, **names).model_copy(
                update={"message": text}
            )
            status = composed(Saying(Phase.FAILED, "AppError", text), status, attempt=attempt)
            assert problems(status.to_wire()) == []
        done = composed(Saying(Phase.SUCCEEDED, "Succeeded", "ok"), status, result=Result(value=character * 1000))
        assert problems(done.to_wire()) == []
