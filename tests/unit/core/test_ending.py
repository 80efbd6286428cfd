"""The words for a task's end."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.builders import (
    EFFECTIVE,
    exited,
    failed_attempt,
    make_attempt,
    make_job,
    make_pod,
    make_status,
    make_task,
    make_world,
)
from tests.support.clock import at

from celeriac.api.v1alpha1 import Deadlines, Failure, Phase
from celeriac_operator.core.decide import decide
from celeriac_operator.core.facts import Waiting, World

LIMIT = EFFECTIVE.model_copy(update={"deadlines": Deadlines(total_seconds=30, start_seconds=300, grace_seconds=5)})
LATE = "It was not done within totalSeconds (30 s), retries and waiting included"
BOUND = make_attempt(pod_uid="pod-1", pod_name="p", start_time=at(2))
STOPPED = BOUND.model_copy(update={"failure": Failure.TOTAL_DEADLINE_EXCEEDED, "message": f"{LATE}; before that: full"})
PULLING = make_pod(Waiting("ImagePullBackOff", 'Back-off pulling image "x"'))


def waits(message: str, *attempts: Any, phase: Phase = Phase.QUEUED, reason: str = "QueueFull", **fields: Any) -> Any:
    """The status of a task that waits for that."""
    return make_status(*attempts, phase=phase, reason=reason, message=message, effective=LIMIT, **fields)


def world_of(status: Any, job: Any = None, pod: Any = None) -> World:
    return make_world(make_task(status=status), job=job, pod=pod)


TABLE: dict[str, tuple[World, str]] = {
    "a full queue": (
        world_of(waits("Waiting: queue default is full")),
        f"{LATE}; before that: Waiting: queue default is full",
    ),
    "a person's words are cut and escaped": (
        world_of(waits("Held: \x1b[31m")),
        f"{LATE}; before that: Held: \\x1b[31m",
    ),
    "nothing that was ever said": (world_of(make_status(effective=LIMIT)), LATE),
    "between two attempts": (
        world_of(waits("Attempt 1 failed: boom", failed_attempt(), phase=Phase.RETRYING, next_attempt_time=at(90))),
        f"{LATE}; before that: Attempt 1 failed: boom",
    ),
    "an attempt that ran tells no wait": (
        world_of(waits("Attempt 1 is running", BOUND, phase=Phase.RUNNING), make_job(), make_pod(exited(1))),
        LATE,
    ),
    "an attempt that was stopped for it has the words": (
        world_of(waits(f"Stopping attempt 1: {STOPPED.message}", STOPPED), make_job(), make_pod(exited(143))),
        f"{LATE}; before that: full",
    ),
}


@pytest.mark.parametrize(("world", "said"), TABLE.values(), ids=TABLE)
def test_a_task_whose_total_seconds_passed_says_what_it_waited_for(world: World, said: str) -> None:
    status = decide(world, at(31)).status

    assert status is not None
    assert ("Failed", "TotalDeadlineExceeded", said) == (status.phase, status.reason, status.message)


def test_an_attempt_that_is_stopped_for_it_says_what_its_container_waited_for() -> None:
    world = world_of(waits("Attempt 1 is starting", make_attempt()), make_job(), PULLING)
    status = decide(world, at(31)).status

    assert status is not None
    assert (status.message or "").startswith(f"Stopping attempt 1: {LATE}; before that: The image cannot be pulled: ")
