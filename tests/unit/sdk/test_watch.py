"""Following a collection."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from tests.unit.sdk.fake_api import TASKS, FakeApi, status

from celeriac import ConnectionFailed, Forbidden
from celeriac._api import Api
from celeriac._watch import follow
from celeriac._wire import Unreachable

EXPIRED = [{"type": "ERROR", "object": {"kind": "Status", "code": 410}}]


async def test_what_is_there_comes_first_then_what_changes(fake: FakeApi) -> None:
    await fake.task("a")
    seen: list[tuple[str, bool]] = []

    async def collect() -> None:
        async with aclosing(follow(Api(fake), TASKS)) as changes:
            async for change in changes:
                seen.append((change.object["metadata"]["name"], change.deleted))

    collecting = asyncio.create_task(collect())
    while "WATCH" not in fake.methods():
        await asyncio.sleep(0)
    await fake.task("b")
    await fake.delete(f"{TASKS}/a")
    while len(seen) < 3:
        await asyncio.sleep(0)
    collecting.cancel()

    assert seen == [("a", False), ("b", False), ("a", True)]


async def test_what_went_during_a_gap_is_reported_as_deleted(fake: FakeApi, pauses: list[float]) -> None:
    await fake.task("a")
    await fake.task("b")
    fake.watch_faults = [EXPIRED]
    seen: list[tuple[str, bool]] = []
    async for change in follow(Api(fake), TASKS):
        seen.append((change.object["metadata"]["name"], change.deleted))
        if len(seen) == 2:
            await fake.delete(f"{TASKS}/a", unseen=True)
        if len(seen) == 4:
            break

    assert seen == [("a", False), ("b", False), ("a", True), ("b", False)]


async def test_a_watch_goes_on_from_where_it_was(fake: FakeApi, pauses: list[float]) -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "777"}}}
    fake.watch_faults = [[bookmark], Unreachable("reset"), status(403, "Forbidden")]

    with pytest.raises(Forbidden):
        await anext(follow(Api(fake), TASKS))

    watches = [dict(call.query)["resourceVersion"] for call in fake.calls if ("watch", "true") in call.query]
    assert watches == ["100", "777", "777"]


async def test_a_server_that_stays_away_is_given_up(
    fake: FakeApi, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeriac._watch.GIVE_UP_SECONDS", -1)
    fake.watch_faults = [Unreachable("refused")]

    with pytest.raises(ConnectionFailed, match="refused"):
        await anext(follow(Api(fake), TASKS))

    assert pauses == []
