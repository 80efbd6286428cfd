"""Background work: repeated while the API server is in trouble, and never dead without the process ending."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pytest
from tests.support.virtual import loop_time, run_virtual, virtual

from celeriac_operator.background import Background, end
from celeriac_operator.fence import NotLeading
from celeriac_operator.kube.api import ApiError


class Ended(BaseException):
    pass


def nobody_dies(reason: str) -> NoReturn:
    raise AssertionError(reason)


@pytest.mark.parametrize(
    ("errors", "calls", "seconds"),
    [
        pytest.param([], 1, 0, id="all is well: once"),
        pytest.param([ApiError(503, "", "busy"), OSError(), TimeoutError()], 4, 6, id="trouble: again, until it works"),
        pytest.param([NotLeading("no")], 1, 0, id="it is another's to do: left"),
    ],
)
def test_until_done(errors: list[Exception], calls: int, seconds: float) -> None:
    left, called = list(errors), []

    async def do() -> None:
        called.append(loop_time())
        if left:
            raise left.pop(0)

    async def story() -> None:
        await Background(nobody_dies).until_done("it", do)
        assert (calls, seconds) == (len(called), loop_time())

    run_virtual(story())


@virtual
async def test_work_that_raises_ends_the_process() -> None:
    told: list[str] = []

    def die(reason: str) -> NoReturn:
        told.append(reason)
        raise Ended

    async def bug() -> None:
        raise KeyError("x")

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the fake end is an error to the loop
    task = Background(die).spawn(bug())
    await asyncio.wait([task])
    await asyncio.sleep(0)

    assert ["background work raised KeyError: 'x'"] == told


@virtual
async def test_stopping_cancels_and_waits_and_ends_nothing() -> None:
    background, over = Background(nobody_dies), []

    async def work() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(2)
            over.append(loop_time())

    background.spawn(work())
    await asyncio.sleep(1)
    await background.stop()

    assert [3] == over


@virtual
async def test_a_task_that_swallows_its_cancellation_is_cancelled_again() -> None:
    swallowed = []

    async def work() -> None:
        while len(swallowed) < 2:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                swallowed.append(loop_time())
        await asyncio.sleep(1000)

    task = asyncio.create_task(work())
    await asyncio.sleep(1)
    await end([task])

    assert ([1, 6], True) == (swallowed, task.cancelled())


@virtual
async def test_what_is_done_every_so_often_is_done_so_often() -> None:
    background, done = Background(nobody_dies), []

    async def do() -> None:
        done.append(loop_time())

    background.spawn(background.every(10, "it", do))
    await asyncio.sleep(35)
    await background.stop()

    assert [10, 20, 30] == done


@virtual
async def test_what_is_done_every_so_often_goes_on_after_a_bug_and_ends_nothing() -> None:
    background, done = Background(nobody_dies), []

    async def do() -> None:
        done.append(loop_time())
        raise KeyError("x")

    background.spawn(background.every(10, "it", do))
    await asyncio.sleep(25)
    await background.stop()

    assert [10, 20] == done
