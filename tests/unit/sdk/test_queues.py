"""What can be done with queues, against an API server in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.unit.sdk.fake_api import QUEUES, FakeApi, status
from tests.unit.sdk.test_queue import active

from celeriac import AsyncClient, Client, errors
from celeriac._queues import drained


async def test_queues_come_by_name(client: AsyncClient, fake: FakeApi) -> None:
    for name in ("b", "a"):
        await fake.queue(name, {"running": 1}, maxConcurrency=2)

    assert [("a", 1), ("b", 1)] == [(queue.name, queue.running) for queue in await client.queues()]
    assert () == await client.queues(namespace="other")
    assert 2 == len(await client.queues(all_namespaces=True))


async def test_pause_holds_a_queue_and_says_why(client: AsyncClient, fake: FakeApi) -> None:
    await fake.queue("media", maxConcurrency=2)
    queue = await client.pause("media", "upgrade")

    assert ("Held", "upgrade") == (queue.state, queue.spec.stop_reason)
    assert fake.objects[f"{QUEUES}/media"]["spec"] == {
        "maxConcurrency": 2,
        "stopPolicy": "Hold",
        "stopReason": "upgrade",
    }


async def test_pause_without_a_reason_takes_an_older_one_away(client: AsyncClient, fake: FakeApi) -> None:
    await fake.queue("media", stopPolicy="Hold", stopReason="old")
    await client.pause("media")

    assert fake.objects[f"{QUEUES}/media"]["spec"] == {"stopPolicy": "Hold"}


async def test_pause_with_drain_stops_what_runs_too(client: AsyncClient, fake: FakeApi) -> None:
    await fake.queue("media")

    assert "Draining" == (await client.pause("media", drain=True)).state


async def test_resume_takes_policy_and_reason_away(client: AsyncClient, fake: FakeApi) -> None:
    await fake.queue("media", maxConcurrency=2, stopPolicy="HoldAndDrain", stopReason="upgrade")

    assert "Active" == (await client.resume("media")).state
    assert fake.objects[f"{QUEUES}/media"]["spec"] == {"maxConcurrency": 2}


async def test_a_queue_that_nobody_declared_is_unknown(client: AsyncClient) -> None:
    with pytest.raises(errors.UnknownQueue, match="apply a TaskQueue of that name"):
        await client.pause("media")


async def test_an_empty_name_is_unknown_too(client: AsyncClient) -> None:
    with pytest.raises(errors.UnknownQueue, match="is no name"):
        await client.resume("")


async def test_what_the_api_server_refuses_is_said_of_the_queue(client: AsyncClient, fake: FakeApi) -> None:
    fake.faults = [status(422, "Invalid", "x", causes=[{"field": "spec.stopReason", "message": "too long"}])]

    with pytest.raises(errors.RequestRejected, match=r"refuses the queue: spec\.stopReason: too long"):
        await client.pause("media", "x")


def test_the_synchronous_client_does_the_same(fake: FakeApi) -> None:
    asyncio.run(fake.queue("media"))
    with Client(transport=fake) as client:
        states = [client.pause("media").state, client.pause("media", drain=True).state, client.resume("media").state]

        assert ["Held", "Draining", "Active"] == states
        assert ["media"] == [queue.name for queue in client.queues()]


DRAINING: dict[str, Any] = {"stopPolicy": "HoldAndDrain"}


async def states(client: AsyncClient) -> list[str]:
    queue = await client.pause("media", drain=True)
    return [state.state async for state in drained(client._api, queue)]


async def test_a_drain_ends_when_nothing_runs_any_more(client: AsyncClient, fake: FakeApi) -> None:
    await fake.queue("media", {"running": 1})
    waiting = asyncio.create_task(states(client))
    while "WATCH" not in fake.methods():
        await asyncio.sleep(0)
    await fake.queue("media", {"running": 0, **active("Drained", 1)})

    assert "Drained" == (await waiting)[-1]


async def test_a_drain_that_is_done_already_does_not_wait(client: AsyncClient, fake: FakeApi) -> None:
    await fake.queue("media", active("Drained", 1), **DRAINING)

    assert ["Drained"] == await states(client)


@pytest.mark.parametrize(
    ("how", "error"),
    [("deleted", errors.UnknownQueue), ("resumed", errors.RequestRejected)],
    ids=["a queue that is deleted", "a queue that somebody resumes"],
)
async def test_a_drain_that_cannot_end_says_so(client: AsyncClient, fake: FakeApi, how: str, error: Any) -> None:
    await fake.queue("media", {"running": 1})
    waiting = asyncio.create_task(states(client))
    while "WATCH" not in fake.methods():
        await asyncio.sleep(0)
    if how == "deleted":
        await fake.delete(f"{QUEUES}/media")
    else:
        await client.resume("media")

    with pytest.raises(error, match="media"):
        await waiting
