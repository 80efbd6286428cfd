"""What a call does where a queue is full: give up at once, or try again until there is room."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from celeriac import errors
from celeriac._api import pauses
from celeriac._arguments import seconds

T = TypeVar("T")

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0


@dataclass(frozen=True)
class Room:
    """Whether the call waits for room, and until when."""

    block: bool = False
    deadline: float | None = None
    """Of the event loop's clock; None: for ever."""

    @classmethod
    def of(cls, block: bool, timeout: float | None) -> Room:
        """Wait if ``block``, at most so many seconds from now."""
        given = seconds("timeout", timeout)
        return cls(block, None if given is None else asyncio.get_running_loop().time() + given)

    async def taken(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What the attempt gives, which is made again while it raises QueueFull and there is time left."""
        for pause in pauses(FIRST_PAUSE, LONGEST_PAUSE):
            try:
                return await attempt()
            except errors.QueueFull:
                left = self._left()
                if left <= 0:
                    raise
            await asyncio.sleep(min(pause, left))
        raise AssertionError("pauses end")  # pragma: no cover -- they do not

    def _left(self) -> float:
        if not self.block:
            return 0.0
        return float("inf") if self.deadline is None else self.deadline - asyncio.get_running_loop().time()
