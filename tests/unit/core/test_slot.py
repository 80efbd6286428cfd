"""Where a Task stands with its queue once its plan is carried out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import (
    EFFECTIVE,
    exited,
    failed_attempt,
    finished_status,
    make_attempt,
    make_job,
    make_pod,
    make_status,
    make_task,
    make_world,
    quota,
    retries,
    running,
)
from tests.support.clock import at

from celeriac_operator.core.admission.standing import Asks, Granted, Holds, NotAsked, QueueKey, Waits
from celeriac_operator.core.decide import decide
from celeriac_operator.core.facts import Refusal, World
from celeriac_operator.core.retry import EffectiveRetry

QUEUE = QueueKey("media", "default")
RUNS = make_status(make_attempt(pod_uid="pod-1", pod_name="p", start_time=at(2)), start_time=at(2))
ONCE_MORE = RUNS.model_copy(
    update={"effective": EFFECTIVE.model_copy(update={"retry": EffectiveRetry(max_attempts=2)})}
)
NEVER = Refusal(
    "QuotaExceeded", "exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0", retry_at=at(300)
)
FULL = Waits("QueueFull", "Waiting")
HOLDS, ASKS, NOTHING = "holds", "asks", "nothing"

STANDINGS: dict[str, tuple[World, float, str]] = {
    "a task that starts holds its slot before its Job is there": (make_world(slot=Granted()), 0, HOLDS),
    "a task of a queue without limits holds a slot, too": (make_world(), 0, HOLDS),
    "a task that has not asked asks": (make_world(slot=NotAsked()), 0, ASKS),
    "a task that waits goes on asking": (make_world(slot=FULL), 0.5, ASKS),
    "a task that says why it waits goes on asking": (make_world(slot=FULL), 5, ASKS),
    "a Job that nobody recorded holds a slot": (make_world(job=make_job()), 1, HOLDS),
    "an attempt that runs holds a slot": (
        make_world(make_task(status=RUNS), job=make_job(), pod=make_pod(running())),
        5,
        HOLDS,
    ),
    "an attempt that is being stopped holds its slot until it has ended": (
        make_world(make_task(status=RUNS, cancel={}), job=make_job(), pod=make_pod(running())),
        5,
        HOLDS,
    ),
    "an attempt that succeeded gives it back": (
        make_world(make_task(status=RUNS), job=make_job(), pod=make_pod(exited(0))),
        10,
        NOTHING,
    ),
    "an attempt that failed gives it back while the next is not due": (
        make_world(make_task(status=ONCE_MORE), job=make_job(), pod=make_pod(exited(1))),
        10,
        NOTHING,
    ),
    "a task between two attempts has none": (
        make_world(make_task(status=make_status(failed_attempt(), next_attempt_time=at(20)))),
        15,
        NOTHING,
    ),
    "a suspended task has none, though it was granted one": (
        make_world(make_task(suspend=True), slot=Granted()),
        5,
        NOTHING,
    ),
    "a task before its startTime has none": (make_world(make_task(start_time=at(60)), slot=NotAsked()), 5, NOTHING),
    "a task without its definition has none": (make_world(make_task(definition_name="x")), 5, NOTHING),
    "a task that is cancelled while it waits has none": (make_world(make_task(cancel={}), slot=FULL), 5, NOTHING),
    "a finished task has none": (make_world(make_task(status=finished_status())), 25, NOTHING),
    "a task that is being deleted has none": (make_world(make_task(status=RUNS, deleting=True)), 5, NOTHING),
    "a task that a finalizer keeps has its slot until its pod has ended": (
        make_world(make_task(status=RUNS, deleting=True), job=make_job(), pod=make_pod()),
        5,
        HOLDS,
    ),
    "a Job that a full quota refused keeps the slot until it is tried again": (
        make_world(refusal=quota(5), slot=Granted()),
        2,
        HOLDS,
    ),
    "a Job that may be tried again waits for its queue, where that was held meanwhile": (
        make_world(refusal=quota(5), slot=FULL),
        6,
        ASKS,
    ),
    "a pod that a full quota keeps out keeps the slot": (make_world(job=make_job(), refusal=quota(5)), 2, HOLDS),
    "a Job that can never fit gives the slot back": (make_world(refusal=NEVER, slot=Granted()), 2, NOTHING),
    "a pod that can never fit gives the slot back": (make_world(job=make_job(), refusal=NEVER), 2, NOTHING),
    "a Job that Kueue has not admitted keeps the slot": (make_world(job=make_job(suspended=True)), 2, HOLDS),
}


@pytest.mark.parametrize(("world", "now", "expected"), STANDINGS.values(), ids=list(STANDINGS))
def test_where_a_task_stands_after_its_plan(world: World, now: float, expected: str) -> None:
    found = decide(world, at(now)).standing

    assert expected == {Holds: HOLDS, Asks: ASKS, type(None): NOTHING}[type(found)]


ASKED: dict[str, tuple[World, Asks]] = {
    "by default with the priority that it was accepted with": (
        make_world(
            make_task(status=make_status(effective=EFFECTIVE.model_copy(update={"priority": 3}))), slot=NotAsked()
        ),
        Asks(QUEUE, 3, at(0)),
    ),
    "with its own priority, which may be new": (
        make_world(make_task(priority=7, concurrency_key="user-17"), slot=NotAsked()),
        Asks(QUEUE, 7, at(0), "user-17"),
    ),
    "with its new priority after it was accepted": (
        make_world(make_task(status=make_status(), priority=7), slot=NotAsked()),
        Asks(QUEUE, 7, at(0)),
    ),
    "since its startTime, where that is later": (
        make_world(make_task(start_time=at(20)), slot=NotAsked()),
        Asks(QUEUE, 0, at(20)),
    ),
    "as a retry with the age of the task": (
        make_world(make_task(status=make_status(failed_attempt()), retry=retries(2)), slot=NotAsked()),
        Asks(QUEUE, 0, at(0)),
    ),
    "with its labels": (
        make_world(replace(make_task(), labels={"tenant": "a"}), slot=NotAsked()),
        Asks(QUEUE, 0, at(0), None, {"tenant": "a"}),
    ),
    "in the queue that it stands in": (
        make_world(queue_name="slow", slot=NotAsked()),
        Asks(QueueKey("media", "slow"), 0, at(0)),
    ),
}


@pytest.mark.parametrize(("world", "expected"), ASKED.values(), ids=list(ASKED))
def test_a_task_asks(world: World, expected: Asks) -> None:
    assert expected == decide(world, at(30)).standing
