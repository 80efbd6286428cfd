"""Time in tests: moments by their distance from one fixed moment, and a clock that only moves when told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

T0 = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
"""Tasks are created at this moment unless a test says otherwise."""


def at(seconds: float) -> datetime:
    """The moment so many seconds after T0."""
    return T0 + timedelta(seconds=seconds)


def wire(moment: datetime) -> str:
    """A time as the API server writes it: whole seconds, Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock:
    """A clock to pass where ``clock: Callable[[], datetime]`` is asked for."""

    def __init__(self, now: datetime = T0) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
