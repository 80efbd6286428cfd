"""The election in a thread of its own: renewals do not wait for what the operator is busy with.

As one of the event loop's tasks they did: with 10,000 Tasks to look at, on a machine that had 20 other things to do,
every call of the election came too late, though the API server had answered within 0.3 s, and the process ended itself.
client-go renews in a goroutine of its own, too.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import NoReturn, Protocol

import structlog
import uvloop

from celeriac_operator.election import Elector, Work
from celeriac_operator.fence import Fence

log = structlog.get_logger()


class Duties(Protocol):
    """What is done for a shard, on the event loop that does the work."""

    def take_up(self, shard: int) -> None: ...

    async def lay_down(self, shard: int) -> None: ...


class WorkElsewhere:
    """The work of another thread's event loop, as the elector sees it."""

    def __init__(self, duties: Duties, fence: Fence, loop: asyncio.AbstractEventLoop) -> None:
        self._duties, self._fence, self._loop = duties, fence, loop

    def take_up(self, shard: int) -> None:
        """Begin, as soon as that loop comes to it."""
        self._loop.call_soon_threadsafe(self._duties.take_up, shard)

    async def lay_down(self, shard: int, patience: float) -> bool:
        """Begin nothing more; whether all writes are over. A loop that is too busy to say so counts as writing."""
        over = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._stop(shard, patience), self._loop))
        try:
            return await asyncio.wait_for(over, patience)
        except TimeoutError:
            return False

    async def _stop(self, shard: int, patience: float) -> bool:
        try:
            await self._duties.lay_down(shard)
        finally:
            self._fence.close(shard)
        return await self._fence.drained(shard, patience)


class ElectionThread:
    """Runs an elector beside the event loop that does the work.

    Args:
        elector: makes it, for some work, on the thread's own event loop, and cleans up after it.
        die: ends the process at once; what it is told is a bug of ours.
    """

    def __init__(
        self,
        elector: Callable[[Work], AbstractAsyncContextManager[Elector]],
        duties: Duties,
        fence: Fence,
        die: Callable[[str], NoReturn],
    ) -> None:
        self._elector, self._duties, self._fence, self._die = elector, duties, fence, die
        self._asked: Future[None] = Future()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take part from now on. To be called on the event loop that does the work."""
        work = WorkElsewhere(self._duties, self._fence, asyncio.get_running_loop())
        # A daemon: where the rest has failed, nothing may go on renewing.
        self._thread = threading.Thread(target=self._run, args=(work,), name="election", daemon=True)
        self._thread.start()

    async def resign(self) -> None:
        """Give everything back, and take part no more."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._asked.set_result(None)
            await asyncio.to_thread(thread.join)

    def _run(self, work: Work) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._take_part(work))
        except Exception as error:
            log.error("the election raised", exc_info=error)
            self._die(f"the election raised {type(error).__name__}: {error}")

    async def _take_part(self, work: Work) -> None:
        async with self._elector(work) as elector:
            running, asked = asyncio.create_task(elector.run()), asyncio.wrap_future(self._asked)
            await asyncio.wait([running, asked], return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            running.cancel()
            await asyncio.wait([running])
            await elector.resign()
