"""An API server for Leases alone, and replicas whose calls to it can be late, lost or cut in half."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import repeat
from typing import NoReturn, TypeVar

from tests.support.clock import T0
from tests.support.virtual import loop_time

from celeriac_operator.core.election import Candidate, Deed, LeaseFacts, Step, Timing
from celeriac_operator.election import Elector
from celeriac_operator.fence import Fence
from celeriac_operator.kube.api import ApiError

T = TypeVar("T")

TIMING = Timing(lease=12, renew_deadline=8, retry=2)
PATIENCE = TIMING.renew_deadline / 3


class LeaseServer:
    """The stored Leases; each write needs the version that it was decided from."""

    def __init__(self) -> None:
        self.stored: dict[int, LeaseFacts] = {}
        self._version = 0
        self._history: list[tuple[float, dict[int, LeaseFacts]]] = []

    def list(self, stale: float) -> list[LeaseFacts]:
        """As they were so many seconds ago."""
        if not stale:
            return list(self.stored.values())
        past = [stored for when, stored in self._history if when <= loop_time() - stale]
        return list(past[-1].values()) if past else []

    def write(self, step: Step) -> None:
        shard = step.lease.shard
        known = self.stored.get(shard)
        if (known.version if known else "") != step.lease.version:
            raise ApiError(409, "Conflict", "the object has been modified")
        self._version += 1
        renewed = f"time {self._version}" if step.deed in (Deed.TAKE, Deed.RENEW) else step.lease.renewed
        self.stored[shard] = replace(step.lease, version=str(self._version), renewed=renewed)
        self._history.append((loop_time(), dict(self.stored)))

    def holder(self, shard: int) -> str:
        return self.stored[shard].holder if shard in self.stored else ""


@dataclass(frozen=True)
class Mishap:
    """What happens to one call. A process that is stopped for a while looks just like late requests and answers."""

    before: float = 0.0
    """Seconds until the API server gets it."""
    after: float = 0.0
    """Seconds until its answer is looked at."""
    lost: bool = False
    """The answer never comes, and the client gives up in time, whatever the API server still does."""
    stale: float = 0.0
    """So old is what a list tells. Kubernetes promises 0; less than the lease beyond the renew deadline must do."""


class Unreliable:
    """A replica's connection."""

    def __init__(self, server: LeaseServer, mishaps: Iterator[Mishap] | None = None) -> None:
        self.server, self.mishaps = server, mishaps or repeat(Mishap())
        self.cut = False
        self._late: set[asyncio.Task[object]] = set()

    async def list(self) -> list[LeaseFacts]:
        return await self._call(lambda mishap: self.server.list(mishap.stale))

    async def write(self, step: Step, now: datetime) -> None:
        await self._call(lambda _: self.server.write(step))

    async def _call(self, do: Callable[[Mishap], T]) -> T:
        if self.cut:
            raise ConnectionError
        mishap = next(self.mishaps)
        if mishap.lost:
            late = asyncio.create_task(self._later(mishap, do))
            self._late.add(late)
            await asyncio.sleep(PATIENCE)
            raise TimeoutError
        await asyncio.sleep(mishap.before)
        answer = do(mishap)
        await asyncio.sleep(mishap.after)
        return answer

    async def _later(self, mishap: Mishap, do: Callable[[Mishap], object]) -> None:
        await asyncio.sleep(mishap.before)
        with contextlib.suppress(ApiError):
            do(mishap)


class Died(BaseException):
    """The process has ended itself."""


class Replica:
    """One process's elector, with a clock of its own, and notes of when it was allowed to write."""

    def __init__(
        self,
        server: LeaseServer,
        name: str,
        *,
        shards: int = 1,
        mishaps: Iterator[Mishap] | None = None,
        rate: float = 1.0,
        offset: float = 0.0,
    ) -> None:
        self.name, self.shards, self.rate, self.offset = name, shards, rate, offset
        self.store = Unreliable(server, mishaps)
        self.working: set[int] = set()
        self.died = ""
        self.allowed: list[tuple[int, float, float]] = []
        """Shard, from when, until when it could have written, on the clock of the test."""
        self.fence = Fence(shards, self.clock, self.die)
        self._extend, self.fence.extend = self.fence.extend, self._noted  # type: ignore[method-assign]
        self._close, self.fence.close = self.fence.close, self._closed  # type: ignore[method-assign]
        candidate = Candidate(name, shards, TIMING)
        self.elector = Elector(self.store, self.fence, self, candidate, clock=self.clock, wall=lambda: T0, die=self.die)
        self.task: asyncio.Task[None] | None = None

    def clock(self) -> float:
        return self.offset + self.rate * loop_time()

    def take_up(self, shard: int) -> None:
        self.working.add(shard)

    async def lay_down(self, shard: int, patience: float) -> bool:
        self.working.discard(shard)
        self.fence.close(shard)
        return await self.fence.drained(shard, patience)

    def die(self, reason: str) -> NoReturn:
        self._end(reason)
        raise Died(reason)

    def _end(self, reason: str) -> None:
        self.died = self.died or reason
        self.working.clear()
        for shard in list(self.fence.held):
            self._cut_short(shard)

    def _noted(self, shard: int, until: float) -> None:
        self._extend(shard, until)
        self.allowed.append((shard, loop_time(), (until - self.offset) / self.rate))

    def _closed(self, shard: int) -> None:
        self._cut_short(shard)
        self._close(shard)

    def _cut_short(self, shard: int) -> None:
        """From now on it writes no more; what was noted beyond that will not be."""
        now = loop_time()
        self.allowed = [(s, a, min(b, now) if s == shard else b) for s, a, b in self.allowed]

    async def run(self) -> None:
        """Take part, until it dies."""
        try:
            await self.elector.run()
        except Died:
            return

    def start(self) -> None:
        self.task = asyncio.create_task(self.run())

    async def stop(self) -> None:
        """SIGTERM."""
        await self.kill()
        await self.elector.resign()

    async def kill(self) -> None:
        """SIGKILL: what its fence still allowed does not happen."""
        for shard in list(self.fence.held):
            self._cut_short(shard)
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
            self.task = None
