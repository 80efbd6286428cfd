"""Holding Leases: look at them, decide, write, again and again. A holder that cannot renew in time ends its process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NoReturn, Protocol

import structlog

from celeriac_operator.core.election import (
    GUARD,
    LOOKS,
    Candidate,
    Deed,
    LeaseFacts,
    Sighting,
    Step,
    View,
    lost,
    pause,
    resign,
    see,
    steps,
)
from celeriac_operator.fence import Fence
from celeriac_operator.reconcile import TROUBLE

log = structlog.get_logger()


class Store(Protocol):
    """Where the Leases are."""

    async def list(self) -> list[LeaseFacts]: ...

    async def write(self, step: Step, now: datetime) -> None: ...


class Work(Protocol):
    """What is done for a shard while it is held."""

    def take_up(self, shard: int) -> None:
        """Begin; the fence is open."""

    async def lay_down(self, shard: int, patience: float) -> bool:
        """Begin nothing more, close the fence, and wait, so many seconds at most, for the writes that are under way.

        Returns:
            Whether they are over.
        """


class Elector:
    """One replica's part in the election.

    Args:
        candidate: this process.
        clock: seconds, the fence's clock.
        wall: now, for people who read Leases.
        die: ends the process at once, without any clean-up.
    """

    def __init__(
        self,
        store: Store,
        fence: Fence,
        work: Work,
        candidate: Candidate,
        *,
        clock: Callable[[], float],
        wall: Callable[[], datetime],
        die: Callable[[str], NoReturn],
    ) -> None:
        self._store, self._fence, self._work = store, fence, work
        self._candidate, self._timing = candidate, candidate.timing
        self._clock, self._wall, self._die = clock, wall, die
        self._seen: dict[int, Sighting] = {}
        self._settling_since: float | None = None
        self._failed = False

    async def run(self) -> None:
        """Take part until cancelled."""
        while True:
            self.watchdog()
            self._failed = False
            try:
                await self.round()
            except TROUBLE as error:
                self._failed = True
                told = str(error) or type(error).__name__
                log.warning("the leases cannot be listed; if that is forbidden, the chart's Role allows it", error=told)
            self.watchdog()
            await asyncio.sleep(self.pause())

    def watchdog(self) -> None:
        """A fence that is past ends the process, also where nothing was to be written."""
        overdue = self._fence.overdue()
        if overdue:
            self._die(f"the lease of shards {overdue} could not be renewed in {self._timing.renew_deadline} s")

    async def round(self) -> None:
        """Look once, and do what is to be done.

        Raises:
            ApiError, OSError, TimeoutError: the Leases could not be listed.
        """
        view, sent = await self._look()
        gone = lost(view)
        if gone:
            self._die(f"shards {gone} are held by another replica now, or their leases were deleted")
        await asyncio.gather(*(self._try(step, sent) for step in steps(view)))

    async def _look(self) -> tuple[View, float]:
        """What there is, and when that was asked: a fence counts from then."""
        sent = self._clock()
        leases = await self._store.list()
        now = self._clock()
        before, self._seen = self._seen, see(self._seen, leases, now)
        self._tell_of_others(before)
        guard = self._seen[GUARD].lease if GUARD in self._seen else None
        if guard is None or not guard.settling or guard.holder != self._candidate.me:
            self._settling_since = None  # what began then is over: another settling needs its own time
        return self._view(now), sent

    def _tell_of_others(self, before: Mapping[int, Sighting]) -> None:
        for shard, seen in self._seen.items():
            known = before[shard].lease.holder if shard in before else ""
            if seen.lease.holder not in ("", known, self._candidate.me):
                log.info("another replica leads", shard=shard, holder=seen.lease.holder)

    def _view(self, now: float) -> View:
        return View(self._candidate, self._seen, self._fence.held, self._settling_since, now)

    async def _try(self, step: Step, sent: float) -> None:
        shard = step.lease.shard
        try:
            if step.deed is Deed.GIVE and not await self._work.lay_down(shard, self._timing.retry):
                return  # its last write is still under way: the next look gives it
            await self._store.write(step, self._wall())
        except TROUBLE as error:
            self._failed = True
            log.info("lease not written", shard=shard, deed=step.deed.name, error=str(error) or type(error).__name__)
        else:
            self._done(step, sent)

    def _done(self, step: Step, sent: float) -> None:
        shard = step.lease.shard
        if step.deed is Deed.TAKE and step.lease.settling:
            self._settling_since = self._clock()
        elif step.deed is Deed.GIVE:
            log.info("lease given back", shard=shard, keep_for=step.lease.wanted_by or None)
        elif step.confirms:
            known = shard in self._fence.held
            self._fence.extend(shard, sent + self._timing.renew_deadline)
            if not known:
                log.info("lease taken", shard=shard, shards=self._candidate.shards, identity=self._candidate.me)
                self._work.take_up(shard)

    def pause(self) -> float:
        """Seconds until the next look: few after a failure, since a fence does not wait."""
        return self._timing.retry / LOOKS if self._failed else pause(self._view(self._clock()))

    async def resign(self) -> None:
        """Give everything back. Whatever goes wrong: the Leases expire by themselves."""
        held: Sequence[int] = sorted(self._fence.held)
        await asyncio.gather(*(self._work.lay_down(shard, self._timing.renew_deadline) for shard in held))
        try:
            view, sent = await self._look()
            await asyncio.gather(*(self._try(step, sent) for step in resign(view)))
        except TROUBLE as error:
            log.warning("leases not given back; they expire by themselves", error=str(error) or type(error).__name__)
