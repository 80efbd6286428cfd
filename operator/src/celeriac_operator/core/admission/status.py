"""A TaskQueue, and what its status says. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from celeriac.api.v1alpha1 import Condition, RateLimitStatus, TaskQueueSpec, TaskQueueStatus
from celeriac_operator.core import names
from celeriac_operator.core.admission.standing import Counts, QueueKey
from celeriac_operator.core.admission.why import stopped
from celeriac_operator.core.conditions import Truth, condition_since
from celeriac_operator.core.intake.stream import UNKNOWN, StreamState, stream_condition

PAUSE_SECONDS = 5
"""A queue's status is written at most so often."""
GROWTH = 1.5
"""By so much the age of the oldest Task has grown when it is written anew: a wait of a day costs some 25 writes."""


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """A TaskQueue."""

    key: QueueKey
    version: str
    generation: int
    spec: TaskQueueSpec
    status: TaskQueueStatus


def queue_status(
    facts: QueueFacts, counts: Counts, arrival: datetime | None, now: datetime, stream: StreamState | None = None
) -> TaskQueueStatus:
    """The status that the queue should have.

    Args:
        arrival: the rate limit's theoretical arrival time, where it has one.
        stream: what is known of the queue's stream of messages; None: there is no NATS.
    """
    return TaskQueueStatus(
        observed_generation=facts.generation,
        queued=counts.queued,
        running=counts.running,
        backlog=_backlog(facts, stream),
        oldest_queued_seconds=_oldest(facts.status.oldest_queued_seconds, counts.oldest, now),
        rate_limit=_rate_limit(facts, arrival, now),
        conditions=(
            _condition(facts, names.ACCEPTED, "True", names.ACCEPTED, "", now),
            _active(facts, counts, now),
            *_stream(facts, stream, now),
        ),
    )


def _backlog(facts: QueueFacts, stream: StreamState | None) -> int | None:
    if stream is UNKNOWN:
        return facts.status.backlog
    return stream.backlog if stream is not None else None


def _stream(facts: QueueFacts, stream: StreamState | None, now: datetime) -> tuple[Condition, ...]:
    if stream is None:
        return ()
    if stream is UNKNOWN:
        return tuple(each for each in facts.status.conditions if each.type == names.STREAM_READY)
    return (stream_condition(facts.status.conditions, stream, generation=facts.generation, now=now),)


def next_growth(oldest_seconds: int) -> float:
    """In how many seconds the age of the oldest Task is worth a write again."""
    return max(PAUSE_SECONDS, oldest_seconds * (GROWTH - 1))


def _oldest(written: int | None, oldest: datetime | None, now: datetime) -> int | None:
    if oldest is None:
        return None
    age = max(int((now - oldest).total_seconds()), 0)
    if written is not None and written <= age < written + next_growth(written):
        return written
    return age


def _rate_limit(facts: QueueFacts, arrival: datetime | None, now: datetime) -> RateLimitStatus | None:
    """Once all tokens are back there is nothing to remember, and what is written does no harm."""
    written = facts.status.rate_limit
    if facts.spec.rate_limit is None:
        return None
    if arrival is None or arrival <= now or (written is not None and written.theoretical_arrival_time == arrival):
        return written
    return RateLimitStatus(theoretical_arrival_time=arrival, observed_time=now)


def _active(facts: QueueFacts, counts: Counts, now: datetime) -> Condition:
    policy = facts.spec.stop_policy
    if policy in (None, "None"):
        return _condition(facts, names.ACTIVE, "True", names.ACTIVE, "", now)
    reason = names.QUEUE_HELD
    if policy == "HoldAndDrain":
        reason = names.DRAINING if counts.running else names.DRAINED
    message = stopped(facts.key.queue, policy, facts.spec.stop_reason)
    return _condition(facts, names.ACTIVE, "False", reason, f"{message[0].upper()}{message[1:]}", now)


def _condition(facts: QueueFacts, type_: str, status: Truth, reason: str, message: str, now: datetime) -> Condition:
    known, generation = facts.status.conditions, facts.generation
    return condition_since(known, type_, status, reason, message, generation=generation, now=now)
