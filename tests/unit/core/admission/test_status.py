"""What a TaskQueue's status says, and how rarely it changes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.clock import T0, at
from tests.support.crd import problems

from celeriac.api.v1alpha1 import RateLimitStatus, TaskQueueSpec, TaskQueueStatus
from celeriac_operator.core.admission.standing import Counts, QueueKey
from celeriac_operator.core.admission.status import QueueFacts, next_growth, queue_status
from celeriac_operator.core.intake.stream import UNKNOWN, StreamState

IDLE = Counts(0, 0, None)
LIMITED = {"rateLimit": {"tasks": 2, "periodSeconds": 60}}


def facts(status: TaskQueueStatus | None = None, **spec: Any) -> QueueFacts:
    key = QueueKey("media", "default")
    return QueueFacts(key, "1", 1, TaskQueueSpec.model_validate(spec), status or TaskQueueStatus())


ACTIVE: dict[str, tuple[dict[str, Any], int, tuple[str, str, str]]] = {
    "a queue that goes on is active": ({}, 0, ("True", "Active", "")),
    "a held queue says why": (
        {"stopPolicy": "Hold", "stopReason": "upgrade"},
        3,
        ("False", "QueueHeld", "Queue default is held: upgrade"),
    ),
    "a queue that is drained says so while something runs": (
        {"stopPolicy": "HoldAndDrain"},
        1,
        ("False", "Draining", "Queue default is being drained, stopPolicy HoldAndDrain"),
    ),
    "a queue that was drained says so": (
        {"stopPolicy": "HoldAndDrain"},
        0,
        ("False", "Drained", "Queue default is being drained, stopPolicy HoldAndDrain"),
    ),
}


@pytest.mark.parametrize(("spec", "running", "expected"), ACTIVE.values(), ids=list(ACTIVE))
def test_whether_it_is_active(spec: dict[str, Any], running: int, expected: tuple[str, str, str]) -> None:
    status = queue_status(facts(**spec), Counts(0, running, None), None, T0)
    (active,) = [condition for condition in status.conditions if condition.type == "Active"]

    assert expected == (active.status, active.reason, active.message)
    assert problems(status.to_wire(), "TaskQueue") == []


def test_counts_and_the_oldest() -> None:
    status = queue_status(facts(), Counts(7, 3, T0), None, at(90))

    assert (7, 3, 90) == (status.queued, status.running, status.oldest_queued_seconds)


STREAMS: dict[str, tuple[StreamState | None, tuple[int | None, dict[str, str]]]] = {
    "a stream that takes messages": (StreamState(9), (9, {"StreamReady": "True"})),
    "a stream that NATS refuses": (StreamState(None, "StreamRefused", "no room"), (None, {"StreamReady": "False"})),
    "as long as nobody has looked, what was known stays": (UNKNOWN, (4, {"StreamReady": "True"})),
    "without NATS nothing is said of it": (None, (None, {})),
}


@pytest.mark.parametrize(("stream", "expected"), STREAMS.values(), ids=list(STREAMS))
def test_what_it_says_of_its_stream(stream: StreamState | None, expected: tuple[int | None, dict[str, str]]) -> None:
    before = queue_status(facts(), IDLE, None, T0, StreamState(4))
    status = queue_status(facts(before), IDLE, None, at(9), stream)

    said = {each.type: each.status for each in status.conditions if each.type not in ("Accepted", "Active")}
    assert expected == (status.backlog, said)


AGES: dict[str, tuple[int | None, float | None, int | None]] = {
    "nothing waits": (100, None, None),
    "an age is written at first": (None, 7, 7),
    "an age that has hardly grown stays": (100, 140, 100),
    "an age that has grown by half is written": (100, 150, 150),
    "a small age stays for five seconds": (1, 5, 1),
    "and is written then": (1, 6, 6),
    "a younger Task is the oldest now": (100, 30, 30),
    "a clock that jumped back gives no negative age": (None, -5, 0),
}


@pytest.mark.parametrize(("written", "age", "expected"), AGES.values(), ids=list(AGES))
def test_the_age_of_the_oldest_is_written_ever_more_rarely(
    written: int | None, age: float | None, expected: int | None
) -> None:
    old = TaskQueueStatus(oldest_queued_seconds=written)
    counts = Counts(1, 0, at(-age)) if age is not None else IDLE

    assert expected == queue_status(facts(old), counts, None, T0).oldest_queued_seconds


def test_the_growth_that_counts_comes_at_its_time() -> None:
    old = TaskQueueStatus(oldest_queued_seconds=100)
    counts = Counts(1, 0, at(-100))

    assert queue_status(facts(old), counts, None, at(next_growth(100))).oldest_queued_seconds == 150


WRITTEN = RateLimitStatus(theoretical_arrival_time=at(30), observed_time=T0)
RATES: dict[str, tuple[dict[str, Any], RateLimitStatus | None, float | None, RateLimitStatus | None]] = {
    "a bucket in use is written": (LIMITED, None, 30, WRITTEN),
    "what is written already is not written again": (LIMITED, WRITTEN, 30, WRITTEN),
    "a bucket that is full again is not worth a write": (LIMITED, WRITTEN, -5, WRITTEN),
    "a bucket that was never used is none": (LIMITED, None, None, None),
    "a queue without a rate has none": ({}, WRITTEN, 30, None),
}


@pytest.mark.parametrize(("spec", "written", "arrival", "expected"), RATES.values(), ids=list(RATES))
def test_the_rate_limit_is_kept(
    spec: dict[str, Any],
    written: RateLimitStatus | None,
    arrival: float | None,
    expected: RateLimitStatus | None,
) -> None:
    old = TaskQueueStatus(rate_limit=written)

    assert (
        expected == queue_status(facts(old, **spec), IDLE, at(arrival) if arrival is not None else None, T0).rate_limit
    )


def test_equal_facts_give_an_equal_status() -> None:
    first = queue_status(facts(**LIMITED), Counts(2, 1, T0), at(30), at(10))
    written = TaskQueueStatus.model_validate(first.to_wire())

    assert written == queue_status(facts(written, **LIMITED), Counts(2, 1, T0), at(30), at(14))
