"""Patience with a full queue."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from celeriac import errors
from celeriac._room import Room


class Attempts:
    """Full so many times."""

    def __init__(self, full: int) -> None:
        self.full, self.made = full, count()

    async def __call__(self) -> str:
        if next(self.made) < self.full:
            raise errors.QueueFull("full")
        return "taken"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    sleep = asyncio.sleep

    async def record(seconds: float) -> None:
        made.append(seconds)
        await sleep(0)

    monkeypatch.setattr("celeriac._room.asyncio.sleep", record)
    return made


async def test_without_block_nobody_waits(pauses: list[float]) -> None:
    with pytest.raises(errors.QueueFull):
        await Room().taken(Attempts(1))

    assert pauses == []


async def test_who_waits_tries_again_after_growing_pauses(pauses: list[float]) -> None:
    assert await Room(block=True).taken(Attempts(20)) == "taken"

    assert len(pauses) == 20
    assert max(pauses) <= 1.0
    assert pauses[0] < 0.06


async def test_time_is_a_number() -> None:
    with pytest.raises(TypeError, match="timeout is '5' \\(str\\): give seconds"):
        Room.of(True, "5")  # type: ignore[arg-type]


async def test_time_that_is_up_is_up(pauses: list[float]) -> None:
    attempts = Attempts(1000)
    with pytest.raises(errors.QueueFull):
        await Room.of(True, 0).taken(attempts)

    assert next(attempts.made) == 1


async def test_another_error_is_not_waited_out(pauses: list[float]) -> None:
    async def fail() -> None:
        raise errors.UnknownQueue("no")

    with pytest.raises(errors.UnknownQueue):
        await Room(block=True).taken(fail)
