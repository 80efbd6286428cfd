"""A watch goes on where the last one ended, and from the start where that is too long ago."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from celeriac_operator import follow
from celeriac_operator.follow import Follower
from celeriac_operator.kube import api
from celeriac_operator.kube.api import ApiError, KubeApi, Raw

Heard = tuple[str, Raw]


def event(kind: str, version: str) -> Heard:
    return kind, {"metadata": {"name": f"pod-{version}", "resourceVersion": version}}


class Scripted:
    """Answers each watch with the next entry: events, and the error that ends it, if any."""

    def __init__(self, *watches: Sequence[Heard | Exception]) -> None:
        self.watches = list(watches)
        self.since: list[str] = []

    async def watch(self, *_: Any, since: str, **__: Any) -> AsyncIterator[Heard]:
        self.since.append(since)
        if not self.watches:
            await asyncio.Event().wait()
        for step in self.watches.pop(0):
            if isinstance(step, Exception):
                raise step
            yield step


FIRST = (event("ADDED", "7"),)
WATCHES = [
    pytest.param([FIRST], ["", "7"], id="it goes on behind the last event"),
    pytest.param([(*FIRST, event("BOOKMARK", "9"))], ["", "9"], id="a bookmark moves it on"),
    pytest.param([FIRST, ()], ["", "7", "7"], id="a watch that told nothing changes nothing"),
    pytest.param([(*FIRST, ConnectionError("reset"))], ["", "7"], id="a broken connection loses nothing"),
    pytest.param([(*FIRST, TimeoutError())], ["", "7"], id="so does a silent one"),
    pytest.param([FIRST, (ApiError(500, "", "etcd"),)], ["", "7", "7"], id="an API server in trouble is asked again"),
    pytest.param([FIRST, (ApiError(410, "Expired", "too old"),)], ["", "7", ""], id="too long ago: from the start"),
]


@pytest.mark.parametrize(("watches", "since"), WATCHES)
async def test_where_a_watch_begins(
    watches: list[Sequence[Heard | Exception]], since: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "RECONNECT_SECONDS", 0)
    kube, seen = Scripted(*watches), list[Heard]()
    follower = Follower(cast(KubeApi, kube), api.PODS, "", None, lambda kind, raw: seen.append((kind, raw)))
    running = asyncio.create_task(follower.run())
    async with asyncio.timeout(60):
        while len(kube.since) < len(since):
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert since == kube.since
    assert list(FIRST) == seen
