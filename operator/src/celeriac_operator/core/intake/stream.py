"""What a TaskQueue's status says of its stream. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from celeriac.api.v1alpha1 import Condition
from celeriac_operator.core.conditions import Truth, condition_since
from celeriac_operator.core.names import STREAM_READY


@dataclass(frozen=True, slots=True)
class StreamState:
    """What is known of a queue's stream."""

    backlog: int | None
    """Messages in it; None: not known."""
    reason: str = STREAM_READY
    """Why messages are not taken in, one CamelCase word."""
    message: str = ""
    """Why, a sentence."""


UNKNOWN = StreamState(None, "Unknown")
"""Nobody has looked yet: an operator has just begun, or the queue is new. It is known a moment later, and then told."""


def stream_condition(known: Iterable[Condition], state: StreamState, *, generation: int, now: datetime) -> Condition:
    """Whether messages for the queue are taken."""
    truth: Truth = "True" if state.reason == STREAM_READY else "False"
    return condition_since(known, STREAM_READY, truth, state.reason, state.message, generation=generation, now=now)
