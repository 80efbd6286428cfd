"""Delayed messages: what the operator has written down of each beside what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from celeriac.wire.names import CLIENT_ID, DEAD_ORIGIN, DELAYED_STREAM, SUBMIT_TIME_HEADER, origin_of


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a delayed message comes from."""

    origin: str
    """Its one place in the world; see ``names.origin_of``."""
    submitted: datetime
    """When its queue's stream took it."""
    message_id: str
    """The Nats-Msg-Id that the client gave it."""


def kept(headers: Mapping[str, str], stored: datetime, sequence: int) -> Kept:
    """What the headers say. Some that an administrator's copy has lost, or that are nonsense, hold up nothing.

    Args:
        stored: when the stream of delayed messages took it.
        sequence: its place there.
    """
    origin = headers.get(DEAD_ORIGIN) or origin_of(DELAYED_STREAM, stored, sequence)
    try:
        submitted = datetime.fromisoformat(headers.get(SUBMIT_TIME_HEADER, "")).astimezone(UTC)
    except (ValueError, OverflowError):
        submitted = stored
    return Kept(origin, submitted, headers.get(CLIENT_ID, ""))
