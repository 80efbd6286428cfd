"""What goes on beside the work queue: supervised, since work that has died silently is worse than a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, NoReturn

import structlog

from celeriac_operator.fence import NotLeading
from celeriac_operator.metrics import RECONCILE_ERRORS
from celeriac_operator.reconcile import TROUBLE

log = structlog.get_logger()

RETRY_SECONDS = 2.0
CANCEL_SECONDS = 5.0
"""What does not end within so long after it was cancelled is cancelled again; cleaning up must not take longer."""


class Background:
    """Tasks of the event loop.

    Args:
        die: ends the process at once; what it is told is a bug of ours.
    """

    def __init__(self, die: Callable[[str], NoReturn]) -> None:
        self._die = die
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it beside the rest."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background work raised", exc_info=error)
            self._die(f"background work raised {type(error).__name__}: {error}")

    async def every(self, seconds: float, name: str, do: Callable[[], Awaitable[None]]) -> None:
        """Do it again and again, for ever. A bug in it must not stop what else the operator does."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.until_done(name, do)
            except Exception as error:
                RECONCILE_ERRORS.labels("bug").inc()
                log.error("background work raised, trying again later", doing=name, exc_info=error)

    async def until_done(self, name: str, do: Callable[[], Awaitable[None]]) -> None:
        """Try again while the API server does not answer: starting before it does is no reason to crash."""
        while True:
            try:
                await do()
                return
            except NotLeading as error:
                log.info("left to the replica that leads", doing=name, error=str(error))
                return
            except TROUBLE as error:
                log.warning("the API server does not answer as it should", doing=name, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def stop(self) -> None:
        """Cancel what still runs, and wait for it."""
        await end(self._tasks)


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended.

    Once is not enough: ``asyncio.wait_for`` of Python 3.11, which clients use, swallows a cancellation that comes
    together with what it waited for.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_SECONDS)
