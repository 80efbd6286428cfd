"""Notice that the clock has jumped: timers run on time that has passed, slots of CronTasks are times of the clock.

A clock that is put forward, or a machine that was asleep, would otherwise leave a due slot to a timer that is not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

LOOK_SECONDS = 10.0
"""How often to look: well within the minute in which a slot is on time."""
TOLERANCE_SECONDS = 2.0
"""A clock that is merely corrected drifts by less between two looks."""


class ClockJumps:
    """Compares the clock with the time that has passed.

    Args:
        clock: now, as an aware datetime.
        passed: seconds that have passed since any moment, as time.monotonic.
    """

    def __init__(self, clock: Callable[[], datetime], passed: Callable[[], float]) -> None:
        self._clock, self._passed = clock, passed
        self._difference = self._measure()

    def _measure(self) -> float:
        return self._clock().timestamp() - self._passed()

    def look(self) -> float:
        """By how many seconds the clock has jumped since the last look; 0 where it has not."""
        before, self._difference = self._difference, self._measure()
        jump = self._difference - before
        return jump if abs(jump) > TOLERANCE_SECONDS else 0.0
