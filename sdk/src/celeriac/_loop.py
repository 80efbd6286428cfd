"""An event loop in a thread of its own, on which the synchronous client runs the asynchronous one."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from celeriac._closed import closed

T = TypeVar("T")

_FORKED = "The client was made before a fork: make another in this process."
_END: Any = object()


class LoopThread:
    """Runs coroutines for threads that have no event loop, or whose loop must not wait."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="celeriac", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """True once the thread has ended, and in a process that was forked, which has none."""
        return self._loop.is_closed() or self._process != os.getpid()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin with the coroutine and return at once."""
        if self.closed:
            coroutine.close()
            raise closed() if self._process == os.getpid() else RuntimeError(_FORKED)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine to its end; what interrupts this thread (Ctrl-C) also ends the coroutine."""
        future = self.start(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, generator: AsyncGenerator[T, None]) -> Iterator[T]:
        """The generator's items, each fetched when it is asked for."""
        try:
            while (item := self.run(anext(generator, _END))) is not _END:
                yield item
        finally:
            if not self.closed:
                self.run(generator.aclose())

    def close(self) -> None:
        """End the thread. What still runs is cancelled."""
        if self.closed:
            return
        self.run(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cancel_all(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
