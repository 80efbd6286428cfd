"""A level-triggered work queue: each key at most once in it, one worker a key, backoff after errors, keys for later.

The rules are those of client-go's workqueue: a key that is added while it is worked on is worked on again after, so no
change is missed, and however many events come for a key, they are one reconcile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 60.0
LATE = timedelta(seconds=1)
"""A busy loop's timers are late by less."""


class WorkQueue(Generic[K]):
    """Keys to work on.

    Args:
        clock: now, as an aware datetime.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._ready: dict[K, datetime] = {}
        self._working: dict[K, datetime] = {}
        self._again: set[K] = set()
        self._later: dict[K, tuple[datetime, asyncio.TimerHandle]] = {}
        self._errors: dict[K, int] = {}
        self._idle: deque[asyncio.Future[None]] = deque()

    def add(self, key: K) -> None:
        """Work on it as soon as a worker is free."""
        if key in self._working:
            self._again.add(key)
        else:
            self._ready.setdefault(key, self._clock())
            self._wake_one()

    def _wake_one(self) -> None:
        """One worker for one key: waking all of them costs more than the work."""
        while self._idle:
            worker = self._idle.popleft()
            if not worker.done():
                worker.set_result(None)
                return

    def add_at(self, key: K, when: datetime) -> None:
        """Work on it at that time. The earliest of a key's times counts."""
        known = self._later.get(key)
        if known is not None:
            overdue = known[0] < self._clock() - LATE  # the clock has jumped over it, and its timer does not know
            if known[0] <= when and not overdue:
                return
            known[1].cancel()
        delay = max((when - self._clock()).total_seconds(), 0)
        # The loop's clock is monotonic: a timer that a clock jump brings early finds nothing to do and sets the next.
        handle = asyncio.get_running_loop().call_later(min(delay, 3600.0), self._due, key)
        self._later[key] = (when, handle)

    def look_at(self, key: K, when: datetime | None) -> None:
        """Work on it at that time, or not by itself, whatever was said before: who has looked at it says all."""
        self._cancel_timer(key)
        if when is not None:
            self.add_at(key, when)

    def set_timers_anew(self) -> None:
        """The clock has jumped: timers run on time that passes, and were set when the clock said something else."""
        later, self._later = self._later, {}
        for key, (when, handle) in later.items():
            handle.cancel()
            self.add_at(key, when)

    def _due(self, key: K) -> None:
        self._later.pop(key, None)
        self.add(key)

    def forget(self, key: K) -> None:
        """Its object is gone: no timer, no count of errors."""
        self._errors.pop(key, None)
        self._cancel_timer(key)

    def _cancel_timer(self, key: K) -> None:
        known = self._later.pop(key, None)
        if known is not None:
            known[1].cancel()

    @property
    def depth(self) -> int:
        """Keys that wait for a worker."""
        return len(self._ready)

    @property
    def oldest_seconds(self) -> float:
        """The age of the key that has waited or been worked on longest, in seconds."""
        since = min([*self._ready.values(), *self._working.values()], default=None)
        return (self._clock() - since).total_seconds() if since else 0.0

    async def work(self, do: Callable[[K], Awaitable[None]], failed: Callable[[K, Exception, int], None]) -> None:
        """Work on keys until cancelled; several workers may run.

        Args:
            do: works on one key.
            failed: is told of each error, with how often the key has failed in a row.
        """
        while True:
            await self._work_once(await self._take(), do, failed)
            await asyncio.sleep(0)  # whatever keys have themselves looked at again, all else has its turn

    async def _take(self) -> K:
        while not self._ready:
            self._idle.append(asyncio.get_running_loop().create_future())
            await self._idle[-1]
        key = next(iter(self._ready))
        del self._ready[key]
        self._working[key] = self._clock()
        return key

    async def _work_once(
        self, key: K, do: Callable[[K], Awaitable[None]], failed: Callable[[K, Exception, int], None]
    ) -> None:
        try:
            await do(key)
        except Exception as error:  # one key's trouble never stops the others
            count = self._errors[key] = self._errors.get(key, 0) + 1
            failed(key, error, count)
            pause = min(FIRST_PAUSE_SECONDS * 2 ** min(count, 32), LONGEST_PAUSE_SECONDS)
            asyncio.get_running_loop().call_later(pause, self.add, key)
        else:
            self._errors.pop(key, None)
        finally:
            del self._working[key]
            if key in self._again:
                self._again.discard(key)
                self.add(key)
