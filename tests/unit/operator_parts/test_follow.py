"""A watch goes on where the list before it or the last one ended, and lists again where that is too long ago."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from celeriac_operator import follow
from celeriac_operator.core.facts import Key
from celeriac_operator.follow import Follower
from celeriac_operator.kube import api
from celeriac_operator.kube.api import ApiError, KubeApi, Raw

Heard = tuple[str, Raw]


def event(kind: str, version: str) -> Heard:
    return kind, {"metadata": {"namespace": "media", "name": f"pod-{version}", "resourceVersion": version}}


THERE = (event("ADDED", "2")[1], event("ADDED", "4")[1])
LISTED = ({Key("media", "pod-2"), Key("media", "pod-4")}, 5)


class Scripted:
    """Answers each watch with the next entry: events, and the error that ends it, if any; and each list."""

    def __init__(self, *watches: Sequence[Heard | Exception]) -> None:
        self.watches = list(watches)
        self.since: list[str] = []

    async def pages(self, *_: Any, **__: Any) -> AsyncIterator[Raw]:
        for pod in THERE:
            yield {"metadata": {"resourceVersion": "5"}, "items": [pod]}

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
    pytest.param([FIRST], ["5", "7"], id="it goes on behind the last event"),
    pytest.param([(*FIRST, event("BOOKMARK", "9"))], ["5", "9"], id="a bookmark moves it on"),
    pytest.param([FIRST, ()], ["5", "7", "7"], id="a watch that told nothing changes nothing"),
    pytest.param([(*FIRST, ConnectionError("reset"))], ["5", "7"], id="a broken connection loses nothing"),
    pytest.param([(*FIRST, TimeoutError())], ["5", "7"], id="so does a silent one"),
    pytest.param([FIRST, (ApiError(500, "", "etcd"),)], ["5", "7", "7"], id="an API server in trouble is asked again"),
    pytest.param(
        [FIRST, (ApiError(410, "Expired", "too old"),)],
        ["5", "7", "5"],
        id="too long ago: it lists again, and goes on from there",
    ),
]


@pytest.mark.parametrize(("watches", "since"), WATCHES)
async def test_where_a_watch_begins(
    watches: list[Sequence[Heard | Exception]], since: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "RECONNECT_SECONDS", 0)
    kube, seen, lists = Scripted(*watches), list[Heard](), list[tuple[set[Key], int]]()
    follower = Follower(
        cast(KubeApi, kube),
        api.PODS,
        "",
        None,
        lambda kind, raw: seen.append((kind, raw)),
        lambda there, version: lists.append((there, version)),
    )
    running = asyncio.create_task(follower.run())
    async with asyncio.timeout(60):
        while len(kube.since) < len(since):
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert since == kube.since
    told = [("ADDED", pod) for pod in THERE]
    assert [*told, *FIRST, *(told if since[-1] == "5" else [])] == seen
    assert [LISTED] * since.count("5") == lists
