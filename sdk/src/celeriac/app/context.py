"""What a function can know and say of the attempt that it runs in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime


def _now() -> datetime:
    return datetime.now(UTC)


def _nowhere(fraction: float, text: str) -> None:
    """Where nobody listens, progress goes nowhere."""


@dataclass(frozen=True)
class Context:
    """The attempt that a function runs in. A task gets it by annotation: ``def resize(ctx: Context, path: str)``.

    It is the first parameter, and callers leave it out. Where the function is called directly, it is of no attempt.
    """

    task: str = "local"
    """Name of the Task."""
    namespace: str = "local"
    """Its namespace."""
    attempt: int = 1
    """1 for the first; with ``uid`` it is a key for what must not be done twice."""
    uid: str | None = None
    """Uid of the Task; None where the operator gave none."""
    deadline: datetime | None = None
    """When the attempt is stopped at the latest; None: it is not."""
    clock: Callable[[], datetime] = field(default=_now, repr=False, compare=False)
    """What time it is."""
    report: Callable[[float, str], None] = field(default=_nowhere, repr=False, compare=False)
    """Where progress goes."""

    def remaining(self) -> float | None:
        """Seconds until the deadline, at least 0.0; None where there is no deadline."""
        if self.deadline is None:
            return None
        return max(0.0, (self.deadline - self.clock()).total_seconds())

    def progress(self, fraction: float, text: str = "") -> None:
        """Say how far the task is: 0.0 to 1.0, and a word for people. It costs next to nothing and never fails.

        It becomes a Progress event where the operator has NATS; at most two a second are sent, the others are dropped.
        Raises ValueError: fraction is not from 0 to 1.
        """
        if not 0 <= fraction <= 1:
            raise ValueError(f"fraction is {fraction}, and progress goes from 0.0 to 1.0")
        self.report(fraction, text)
