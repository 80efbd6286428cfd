"""The election goes on, whatever the event loop that does the work is busy with."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

import pytest
from tests.support.clock import T0

from celeriac_operator.core.election import Candidate, Deed, LeaseFacts, Step, Timing
from celeriac_operator.election import Elector, Work
from celeriac_operator.election_thread import ElectionThread, WorkElsewhere
from celeriac_operator.fence import Fence, boot_time

TIMING = Timing(lease=60, renew_deadline=40, retry=0.02)
PATIENCE = 60.0
"""Seconds; nothing here takes long, unless it never comes."""


class Leases:
    """One Lease, on a server that is written to from the thread of the election."""

    def __init__(self) -> None:
        self.lease: LeaseFacts | None = None
        self.deeds: list[tuple[Deed, int]] = []
        """What was written, and by which thread."""
        self.written = threading.Condition()
        self.broken = False

    async def list(self) -> list[LeaseFacts]:
        if self.broken:
            raise KeyError("a bug")
        return [] if self.lease is None else [self.lease]

    async def write(self, step: Step, now: datetime) -> None:
        with self.written:
            version = str(len(self.deeds) + 1)
            self.lease = replace(step.lease, version=version, renewed=version)
            self.deeds.append((step.deed, threading.get_ident()))
            self.written.notify_all()

    def renewals(self) -> int:
        return sum(deed is Deed.RENEW for deed, _ in self.deeds)

    def wait(self, enough: Callable[[], bool]) -> bool:
        """Blocks the thread that calls it, and whatever event loop runs there."""
        with self.written:
            return self.written.wait_for(enough, PATIENCE)


class Worker:
    """The work of one process, and its part in the election."""

    def __init__(self) -> None:
        self.leases, self.died = Leases(), list[str]()
        self.fence = Fence(1, boot_time, self.died.append)
        self.election = ElectionThread(self.elector, self, self.fence, self.die)
        self.working, self.thread = asyncio.Event(), threading.get_ident()
        self.told_by = set[int]()
        self.may_end = asyncio.Event()
        """What is done at last is done."""
        self.may_end.set()
        self.dead = threading.Event()

    @asynccontextmanager
    async def elector(self, work: Work) -> AsyncIterator[Elector]:
        me = Candidate("a", 1, TIMING)
        yield Elector(self.leases, self.fence, work, me, clock=boot_time, wall=lambda: T0, die=self.die)

    def die(self, reason: str) -> NoReturn:
        self.died.append(reason)
        self.dead.set()
        raise SystemExit

    def take_up(self, shard: int) -> None:
        self.told_by.add(threading.get_ident())
        self.working.set()

    async def lay_down(self, shard: int) -> None:
        self.told_by.add(threading.get_ident())
        self.working.clear()
        await self.may_end.wait()


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker()
    worker.election.start()
    await asyncio.wait_for(worker.working.wait(), PATIENCE)
    yield worker
    if not worker.dead.is_set():
        await worker.election.resign()


async def test_a_lease_is_renewed_while_the_event_loop_does_something_else(worker: Worker) -> None:
    before = worker.leases.renewals()
    # Nothing of this event loop runs from here on, until the election has renewed its lease again and again.
    assert worker.leases.wait(lambda: worker.leases.renewals() >= before + 3)
    assert worker.thread not in {thread for _, thread in worker.leases.deeds}
    assert [] == worker.died


async def test_work_is_begun_and_ended_on_the_event_loop_that_does_it(worker: Worker) -> None:
    await worker.election.resign()

    assert {worker.thread} == worker.told_by
    assert not worker.working.is_set()
    assert Deed.GIVE is worker.leases.deeds[-1][0]
    assert {} == worker.fence.held


async def test_the_lease_is_given_back_once_the_last_write_is_over(worker: Worker) -> None:
    with worker.fence.permit("media"):
        resigning = asyncio.create_task(worker.election.resign())
        while worker.working.is_set():
            await asyncio.sleep(0.001)
        renewals = worker.leases.renewals()
        assert Deed.GIVE not in [deed for deed, _ in worker.leases.deeds]
    await resigning

    assert Deed.GIVE is worker.leases.deeds[-1][0]
    assert renewals == worker.leases.renewals()


async def test_what_is_left_is_done_before_the_lease_is_given_back(worker: Worker) -> None:
    worker.may_end.clear()
    resigning = asyncio.create_task(worker.election.resign())
    while worker.working.is_set():
        await asyncio.sleep(0.001)
    assert worker.fence.held
    assert Deed.GIVE not in [deed for deed, _ in worker.leases.deeds]
    worker.may_end.set()
    await resigning

    assert Deed.GIVE is worker.leases.deeds[-1][0]


async def test_what_is_left_and_takes_too_long_may_not_be_written_any_more(worker: Worker) -> None:
    worker.may_end.clear()
    elsewhere = WorkElsewhere(worker, worker.fence, asyncio.get_running_loop())

    assert not await elsewhere.lay_down(0, 0.01)
    await asyncio.sleep(0)
    assert not worker.fence.held
    worker.may_end.set()


async def test_who_has_resigned_resigns_again_without_harm(worker: Worker) -> None:
    await worker.election.resign()
    await worker.election.resign()

    assert 1 == [deed for deed, _ in worker.leases.deeds].count(Deed.GIVE)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_bug_in_the_election_ends_the_process(worker: Worker) -> None:
    worker.leases.broken = True

    assert await asyncio.to_thread(worker.dead.wait, PATIENCE)
    for thread in threading.enumerate():  # what it raises belongs to this test, and to no later one
        if thread.name == "election":
            await asyncio.to_thread(thread.join, PATIENCE)
    assert ["the election raised KeyError: 'a bug'"] == worker.died


async def test_a_loop_that_does_not_answer_counts_as_one_that_writes(worker: Worker) -> None:
    """Its lease is not given away. What it was told it does later, and the next renewal has it begin again."""
    busy = asyncio.new_event_loop()

    assert not await WorkElsewhere(worker, worker.fence, busy).lay_down(0, 0.01)
    assert Deed.GIVE not in [deed for deed, _ in worker.leases.deeds]
    await asyncio.to_thread(busy.run_until_complete, asyncio.sleep(0.01))
    busy.close()
    while not (worker.working.is_set() and worker.fence.held):
        await asyncio.sleep(0.001)
