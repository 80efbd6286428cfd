"""The fence: no write without a lease, none past its end, and none with more time than is left."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.support.virtual import loop_time, virtual

from celeriac_operator.core.shards import shard_of
from celeriac_operator.fence import Fence, NotLeading, boot_time

MEDIA = shard_of("media", 2)
OTHER = 1 - MEDIA


class Guarded:
    """A fence of two shards on a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.passed: list[str] = []
        self.fence = Fence(2, lambda: self.now, self.passed.append)

    def allowed(self) -> float:
        with self.fence.permit("media") as seconds:
            return seconds


@pytest.fixture
def guarded() -> Guarded:
    return Guarded()


def test_without_a_lease_nothing_is_written_and_the_process_goes_on(guarded: Guarded) -> None:
    guarded.fence.extend(OTHER, 108)

    with pytest.raises(NotLeading, match=f"shard {MEDIA}, namespace media, is not held"):
        guarded.allowed()
    assert [] == guarded.passed


def test_a_write_gets_the_time_that_is_left(guarded: Guarded) -> None:
    guarded.fence.extend(MEDIA, 108)
    guarded.now = 105.5

    assert 2.5 == guarded.allowed()


@pytest.mark.parametrize("late", [0, 60])
def test_past_the_fence_nothing_is_written_and_the_process_is_told_to_end(guarded: Guarded, late: float) -> None:
    guarded.fence.extend(MEDIA, 108)
    guarded.now = 108 + late

    with pytest.raises(NotLeading, match="nothing was written to media"):
        guarded.allowed()
    assert 1 == len(guarded.passed)
    assert [MEDIA] == guarded.fence.overdue()


def test_a_renewal_that_is_told_late_never_shortens_the_fence(guarded: Guarded) -> None:
    guarded.fence.extend(MEDIA, 108)
    guarded.fence.extend(MEDIA, 106)

    assert 8 == guarded.allowed()


def test_what_is_given_away_is_closed_at_once(guarded: Guarded) -> None:
    guarded.fence.extend(MEDIA, 108)
    guarded.fence.close(MEDIA)

    with pytest.raises(NotLeading):
        guarded.allowed()
    assert {} == guarded.fence.held


@virtual
async def test_draining_waits_for_the_last_write_of_its_shard_alone() -> None:
    fence = Fence(2, loop_time, lambda _: None)
    fence.extend(MEDIA, 100)
    fence.extend(OTHER, 100)

    async def write() -> None:
        with fence.permit("media"):
            await asyncio.sleep(3)

    writes = [asyncio.create_task(write()) for _ in range(2)]
    await asyncio.sleep(1)
    assert await fence.drained(OTHER, 5)
    assert 1 == loop_time()
    assert await fence.drained(MEDIA, 5)
    assert 3 == loop_time()
    await asyncio.gather(*writes)


@virtual
async def test_draining_gives_up_when_its_patience_ends() -> None:
    fence = Fence(2, loop_time, lambda _: None)
    fence.extend(MEDIA, 100)
    with fence.permit("media"):
        assert not await fence.drained(MEDIA, 5)
    assert 5 == loop_time()


def test_the_clock_is_that_which_goes_on_while_the_machine_sleeps() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)

    assert before <= boot_time() <= time.clock_gettime(time.CLOCK_BOOTTIME)
