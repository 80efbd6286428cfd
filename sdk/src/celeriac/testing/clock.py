"""Time that passes only when the queue has nothing to do now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
"""When the clock starts, unless a test says otherwise."""


class VirtualClock:
    """A clock that is moved by hand."""

    def __init__(self, now: datetime = EPOCH) -> None:
        self._now = now

    def now(self) -> datetime:
        """The time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.move_to(self._now + timedelta(seconds=seconds))

    def move_to(self, moment: datetime) -> None:
        """Let time pass until then; it never goes back."""
        self._now = max(self._now, moment)
