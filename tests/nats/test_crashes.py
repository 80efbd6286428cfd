"""Crashes at every step between delivery and acknowledgement: every acknowledged message becomes exactly one thing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.clock import Clock
from tests.support.cluster import Cluster
from tests.support.door import Client, Operator, declare, message, submissions_of, tasks_of, until
from tests.support.nats_server import NatsServer

from celeriac.wire.message import decode, encode
from celeriac_operator.bus.carried import FromQueue
from celeriac_operator.bus.delayed import Delayed

STEPS = (
    "before create",
    "after create",
    "before burial",
    "after record",
    "after burial",
    "before delay",
    "after delay",
    "before acknowledgement",
    "after acknowledgement",
)
START = (datetime.now(UTC) + timedelta(days=1)).isoformat()
MESSAGES = [
    *(message(f"good-{n}", params={"n": n}) for n in range(6)),
    *(message(f"denied-{n}", container={"image": "x"}) for n in range(3)),
    *(message(f"later-{n}", startTime=START) for n in range(3)),
]
AGAIN = 2
"""The good ones are published so often, and each publish is acknowledged."""


class Faults:
    """Waits for a step, and does something there once or more often."""

    def __init__(self, at: str, times: int, do: Callable[[], Awaitable[None]]) -> None:
        self.at, self.left, self.do = at, times, do

    async def step(self, name: str) -> None:
        if name == self.at and self.left > 0:
            self.left -= 1
            await self.do()


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster(Clock())
    declare(cluster)
    return cluster


def instrument(monkeypatch: pytest.MonkeyPatch, faults: Faults) -> None:
    """Steps that no part of the operator tells of by itself."""
    done, keep = FromQueue.done, Delayed.keep

    async def acknowledged(self: FromQueue) -> None:
        await faults.step("before acknowledgement")
        await done(self)
        await faults.step("after acknowledgement")

    async def kept(self: Delayed, *args: Any) -> None:
        await faults.step("before delay")
        await keep(self, *args)
        await faults.step("after delay")

    monkeypatch.setattr(FromQueue, "done", acknowledged)
    monkeypatch.setattr(Delayed, "keep", kept)


async def publish_all(client: Client) -> None:
    await client.publish(*MESSAGES)
    for _ in range(AGAIN - 1):
        await client.publish(*(each for each in MESSAGES if each["name"].startswith("good")), twice=True)


async def settled(client: Client) -> bool:
    return await client.left() == 0


async def audit(client: Client, cluster: Cluster, kept: type[list[str]] | type[set[str]] = list) -> None:
    """Every acknowledged message has exactly one Task, one dead letter or one place among the delayed.

    Args:
        kept: a set where letters and delayed messages may be there twice. A server that is killed forgets the ids of
            messages that have left a queue's stream, so it takes one anew from a client that had no answer. They are
            one Task, whose name is one.
    """
    letters = kept(letter.name or "" for letter, _ in await client.letters())
    delayed = kept(each["name"] for each in await client.delayed())
    ends = sorted([*tasks_of(cluster), *letters, *delayed])
    assert sorted(each["name"] for each in MESSAGES) == ends
    wanted = {decode(encode(each)).digest for each in MESSAGES if each["name"].startswith("good")}
    assert wanted == set(submissions_of(cluster))
    assert cluster.writes["create tasks"] == len(tasks_of(cluster)), "a Task was created twice"


@pytest.mark.parametrize("at", STEPS)
async def test_the_operator_dies(
    server: NatsServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Three lives end at the step; the fourth goes on."""
    client = Client(server)
    for life in range(4):
        died = asyncio.Event()

        async def die(died: asyncio.Event = died) -> None:
            died.set()
            await asyncio.Event().wait()  # nothing happens after it

        faults = Faults(at, 1 if life < 3 else 0, die)
        with monkeypatch.context() as patched:
            instrument(patched, faults)
            async with Operator(server, cluster, step=faults.step).running():
                if life == 0:
                    await until(lambda: there(client))
                    await publish_all(client)
                if life < 3:
                    await until(lambda died=died: ended(client, died))
                else:
                    await until(lambda: settled(client))
    await audit(client, cluster)


@pytest.mark.parametrize("at", STEPS)
async def test_the_server_is_killed(
    server: NatsServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    client, one_at_a_time = Client(server), asyncio.Lock()

    async def restart() -> None:
        async with one_at_a_time:
            server.kill()
            await asyncio.to_thread(server.start)

    async def kill() -> None:
        await asyncio.shield(asyncio.create_task(restart()))  # who asked for it may be cancelled meanwhile

    faults = Faults(at, 0, kill)
    instrument(monkeypatch, faults)
    async with Operator(server, cluster, step=faults.step).running():
        await until(lambda: there(client))
        faults.left = 2
        await publish_all_in_spite(client)
        await until(lambda: settled(client))
    await audit(client, cluster, set)


async def publish_all_in_spite(client: Client) -> None:
    """As a client does: what was not acknowledged is published again, under the same id."""
    for each in MESSAGES:
        await until(lambda each=each: published(client, each))


async def published(client: Client, each: dict[str, Any]) -> bool:
    await client.publish(each)
    return True


async def there(client: Client) -> bool:
    return await client.left() >= 0


async def ended(client: Client, died: asyncio.Event) -> bool:
    """The life has ended at its step, or there was no such step left."""
    return died.is_set() or await client.left() == 0
