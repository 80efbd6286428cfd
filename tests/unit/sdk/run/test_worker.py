"""A worker's process, without its connection; with one it is tested in tests/nats/run."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from celeriac.run import worker
from celeriac.run.forker import Forker
from celeriac.run.standby import Assignment, Stop
from celeriac.run.worker import Size, Worker

STOP = Stop("uid-1", 1, "Cancelled", "no longer needed", "Cancelled: no longer needed", 30)


class Begun:
    """An attempt that has just been claimed; it has no process."""

    def __init__(self, uid: str) -> None:
        self.assignment = Assignment(uid, 1, 0, {}, None)
        self.stops: list[Stop] = []

    def start(self, *_: object) -> None: ...

    def stop(self, stop: Stop) -> None:
        self.stops.append(stop)

    async def ends(self, **_: object) -> None: ...


class NoStandby:
    def ended(self, _assignment: Assignment) -> None: ...


async def begun(of: Worker, uid: str) -> list[Stop]:
    attempt: Any = Begun(uid)
    of._begin(attempt, NoStandby(), asyncio.Semaphore(0))  # type: ignore[arg-type]
    await asyncio.gather(*of._going)
    stops: list[Stop] = attempt.stops
    return stops


@pytest.fixture
def ours() -> Iterator[Worker]:
    with socket.socket() as requests:
        yield Worker("team", "pod-1", Size(1, 10, None), Forker(requests, -1, -1))


async def test_a_stop_that_comes_before_the_claim_is_known_to_be_written_is_carried_out_then(ours: Worker) -> None:
    ours._stop(STOP)
    assert (await begun(ours, "uid-2"), await begun(ours, "uid-1")) == ([], [STOP])
    assert await begun(ours, "uid-1") == []


async def test_of_stops_that_nobody_waits_for_only_so_many_are_remembered(
    ours: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_EARLY", 2)
    for number in (1, 2, 3):
        ours._stop(Stop(f"uid-{number}", 1, "Cancelled", "", "", 30))
    assert [len(await begun(ours, f"uid-{number}")) for number in (1, 2, 3)] == [0, 1, 1]
