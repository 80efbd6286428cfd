"""Turns to work on messages: a queue that is slow holds up itself only."""

from __future__ import annotations

import asyncio

from celeriac_operator.background import end
from celeriac_operator.bus.lanes import AT_ONCE, Lane, Lanes


class Work:
    """Turns that last until they are told to end."""

    def __init__(self, lane: Lane) -> None:
        self.lane, self.begun, self.over = lane, 0, asyncio.Event()
        self.tasks = list[asyncio.Task[None]]()

    def begin(self, many: int) -> None:
        self.tasks += [asyncio.create_task(self._turn()) for _ in range(many)]

    async def _turn(self) -> None:
        async with self.lane.turn():
            self.begun += 1
            await self.over.wait()


async def settled() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


async def until_slow(*lanes: Lane) -> None:
    async with asyncio.timeout(30):
        while not all(lane.slow for lane in lanes):
            await asyncio.sleep(0.01)
    await settled()


async def test_all_queues_together_have_so_many_turns_at_once() -> None:
    lanes = Lanes(3600)
    first, second = Work(Lane(lanes)), Work(Lane(lanes))
    first.begin(5)
    second.begin(20)
    await settled()
    assert (5, AT_ONCE - 5) == (first.begun, second.begun)
    second.over.set()
    await asyncio.wait(second.tasks)
    assert (5, 20) == (first.begun, second.begun)
    await end(first.tasks)


async def test_who_is_slow_makes_room_for_others_and_goes_on_one_at_a_time() -> None:
    lanes = Lanes(0.01)
    slow, other = Work(Lane(lanes)), Work(Lane(lanes))
    slow.begin(60)
    await until_slow(slow.lane)
    other.over.set()
    other.begin(20)
    await asyncio.wait(other.tasks)
    assert (20, AT_ONCE + 1) == (other.begun, slow.begun)
    await end(slow.tasks)


async def test_however_many_queues_are_slow_their_turns_are_bounded() -> None:
    lanes = Lanes(0.01)
    works = [Work(Lane(lanes)) for _ in range(3 * AT_ONCE)]
    for work in works:
        work.lane.slow = True
        work.begin(5)
    await settled()
    assert AT_ONCE == sum(work.begun for work in works)
    for work in works:
        await end(work.tasks)


async def test_a_quick_turn_brings_a_queue_back() -> None:
    lane = Lane(Lanes(3600))
    lane.slow = True
    async with lane.turn():
        assert lane.slow
    assert not lane.slow


async def test_who_is_cancelled_in_any_lane_leaves_it() -> None:
    lanes = Lanes(0.01)
    for _ in range(3):
        work = Work(Lane(lanes))
        work.begin(40)
        await until_slow(work.lane)
        await end(work.tasks)
    last = Work(Lane(lanes))
    last.over.set()
    last.begin(20)
    await asyncio.wait(last.tasks)
    assert (20, False, False) == (last.begun, lanes.quick.locked(), lanes.slow.locked())
