"""Who works on messages at once: few, of all queues together; what takes long waits for its like, and for nobody else.

The API server can be slow for one namespace alone, by its webhooks or its quota. A queue whose messages take long
leaves the lane that all share, and goes on with one message at a time, until one of them was quick.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_ONCE = 8
"""Messages, of all queues together, that something is made of at once; as many again of the queues that are slow."""
SLOW_SECONDS = 2.0


class Lanes:
    """The two lanes, for all queues.

    Args:
        seconds: what takes longer is slow.
    """

    def __init__(self, seconds: float = SLOW_SECONDS) -> None:
        self.quick, self.slow, self.seconds = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE), seconds


class Lane:
    """The lane of one queue."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes, self._alone, self.slow = lanes, asyncio.Lock(), False

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it."""
        while True:
            if self.slow:
                async with self._alone, self._lanes.slow, self._timed(None):
                    yield
                return
            await self._lanes.quick.acquire()
            if not self.slow:
                break
            self._lanes.quick.release()  # it has become slow while this one waited
        async with self._timed(self._lanes.quick):
            yield

    @asynccontextmanager
    async def _timed(self, held: asyncio.Semaphore | None) -> AsyncIterator[None]:
        """A turn that takes long is taken out of the lane that others wait for, while it goes on."""
        late = False

        def is_late() -> None:
            nonlocal late
            late = self.slow = True
            if held is not None:
                held.release()

        timer = asyncio.get_running_loop().call_later(self._lanes.seconds, is_late)
        try:
            yield
        finally:
            timer.cancel()
            if not late:
                self.slow = False
                if held is not None:
                    held.release()
