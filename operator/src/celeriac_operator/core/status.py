"""The Task's status, composed from facts in one direction: pod, attempt, conditions, phase. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from celeriac.api.v1alpha1 import (
    DISRUPTIONS,
    MAX_ATTEMPTS_KEPT,
    Attempt,
    Condition,
    Phase,
    Result,
    TaskStatus,
)
from celeriac_operator.core import names
from celeriac_operator.core.conditions import Truth, condition_since, whole_second
from celeriac_operator.core.facts import Accepted
from celeriac_operator.core.text import clipped, cut
from celeriac_operator.core.view import View

_LONGEST_MESSAGE = 4096
_LONGEST_ATTEMPT_MESSAGE = 3072
_LONGEST_CONDITION_MESSAGE = 1024
_LONGEST_OLD_MESSAGE = 256
"""Bounds of what is written, below those of the CRD: a status that the API server refuses would never be recorded."""
_SUCCEEDED: dict[Phase, Truth] = {
    Phase.SUCCEEDED: "True",
    Phase.FAILED: "False",
    Phase.CANCELLED: "False",
    Phase.EXPIRED: "False",
}
_STALLED = frozenset({Phase.FAILED, Phase.EXPIRED})


@dataclass(frozen=True, slots=True)
class Saying:
    """What the status tells a person: phase, one CamelCase word, one sentence."""

    phase: Phase
    reason: str
    message: str
    stuck: bool = False
    """It cannot go on without a person."""


def compose(
    view: View,
    saying: Saying,
    *,
    attempt: Attempt | None = None,
    next_attempt_time: datetime | None = None,
    result: Result | None = None,
) -> TaskStatus:
    """The whole status, with the given attempt as the last."""
    old, accepted = view.task.status, view.accepted
    finished = saying.phase in _SUCCEEDED
    attempts = _attempts(view.attempts, attempt)
    return TaskStatus(
        observed_generation=view.task.generation,
        phase=saying.phase,
        reason=saying.reason,
        message=clipped(saying.message, _LONGEST_MESSAGE),
        conditions=_conditions(view, saying, attempts),
        effective=accepted.effective if accepted else None,
        definition=accepted.definition if accepted else None,
        attempts=attempts,
        attempt_count=attempts[-1].number if attempts else 0,
        disruption_count=_disruptions(view, attempt),
        next_attempt_time=next_attempt_time,
        result=result,
        create_time=view.task.created,
        admit_time=old.admit_time or (attempts[0].create_time if attempts else None),
        start_time=old.start_time or (attempt.start_time if attempt else None),
        finish_time=whole_second(view.now) if finished else None,
    )


def _attempts(old: tuple[Attempt, ...], attempt: Attempt | None) -> tuple[Attempt, ...]:
    """The last 10, so that the object stays small whatever happens to the task."""
    if attempt is None:
        return old
    earlier = (_bounded(kept, _LONGEST_OLD_MESSAGE) for kept in old if kept.number != attempt.number)
    return (*earlier, _bounded(attempt, _LONGEST_ATTEMPT_MESSAGE))[-MAX_ATTEMPTS_KEPT:]


def _bounded(attempt: Attempt, longest: int) -> Attempt:
    message = clipped(attempt.message, longest) if attempt.message else None
    return attempt.model_copy(update={"message": message})


def _disruptions(view: View, attempt: Attempt | None) -> int:
    """Counted when an attempt's end is recorded; an end is recorded once."""
    ended = attempt is not None and attempt.finish_time is not None and attempt.failure in DISRUPTIONS
    return (view.task.status.disruption_count or 0) + int(ended)


def _conditions(view: View, saying: Saying, attempts: tuple[Attempt, ...]) -> tuple[Condition, ...]:
    finished = saying.phase in _SUCCEEDED
    runs = saying.phase is Phase.RUNNING or (
        not finished and bool(attempts) and attempts[-1].finish_time is None and attempts[-1].start_time is not None
    )
    accepted: Truth = "True" if isinstance(view.acceptance, Accepted) else "False"
    wanted: tuple[tuple[str, Truth], ...] = (
        (names.ACCEPTED, accepted),
        (names.RUNNING, "True" if runs else "False"),
        (names.SUCCEEDED, _SUCCEEDED.get(saying.phase, "Unknown")),
        (names.FINISHED, "True" if finished else "False"),
        (names.STALLED, "True" if saying.stuck or saying.phase in _STALLED else "False"),
    )
    return tuple(_condition(view, saying, type_, truth) for type_, truth in wanted)


def _condition(view: View, saying: Saying, type_: str, truth: Truth) -> Condition:
    """A condition changes with its truth or its reason, not with mere words: equal facts give an equal status."""
    old = view.task.status.condition(type_)
    plain = type_ == names.ACCEPTED and truth == "True"
    reason = names.ACCEPTED if plain else saying.reason
    known, generation = view.task.status.conditions, view.task.generation
    if old is not None and (old.status, old.reason) == (truth, reason):
        if old.observed_generation == generation:
            return old
        return old.model_copy(update={"observed_generation": generation})  # `kubectl wait` passes over an older one
    message = "" if plain else cut(saying.message, _LONGEST_CONDITION_MESSAGE)
    return condition_since(known, type_, truth, reason, message, generation=generation, now=view.now)
