"""What all namespaces share in NATS is bounded, for each of them and for all; what finds no room is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from nats.js import JetStreamContext
from nats.js.api import KeyValueConfig, StreamConfig
from nats.js.errors import ServerError
from tests.support.clock import Clock
from tests.support.cluster import Cluster
from tests.support.door import QUEUE, Client, Operator, declare, message, tasks_of, until
from tests.support.nats_server import NatsServer

from celeriac._nats_options import NatsOptions
from celeriac.wire.message import MSG_ID
from celeriac.wire.names import DEAD_STREAM, DELAYED_STREAM, RESULTS_BUCKET
from celeriac_operator.background import end
from celeriac_operator.bus import maker, room
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.room import Bounds, NoRoom, Room, dead_room
from celeriac_operator.bus.shared import share
from celeriac_operator.metrics import NO_ROOM

SMALL = Bounds(dead_bytes=6_000, delayed_bytes=6_000, share_percent=50)
FAR = (datetime.now(UTC) + timedelta(days=400)).isoformat()


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maker, "FULL_SECONDS", 0.1)
    monkeypatch.setattr(room, "RECOUNT_SECONDS", 0.0)
    monkeypatch.setattr(room, "_TIMES", 0)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(Clock())


@pytest.fixture
def client(server: NatsServer) -> Client:
    return Client(server)


@asynccontextmanager
async def letters(server: NatsServer, bounds: Bounds = SMALL) -> AsyncIterator[tuple[Room, JetStreamContext]]:
    """The room for dead letters of a server that the operator has set up."""
    bus = Bus(NatsOptions(url=server.url), probe=0.1)
    running = asyncio.create_task(bus.run())
    try:
        await until(lambda: bus.connected)
        await share(bus.js, bounds, 1)
        yield dead_room(bus, bounds), bus.js
    finally:
        await end([running])
        await bus.close()


async def fill(space: Room, namespace: str, size: int = 400, most: int = 100, life: int = 1) -> int:
    """Publish until there is no room; how many found some."""
    for number in range(most):
        try:
            await space.publish(
                namespace, f"celeriac.dead.{namespace}.q", b"x" * size, {MSG_ID: f"{namespace}.{life}.{number}"}
            )
        except NoRoom:
            return number
    return most


async def test_a_namespace_fills_its_share_and_leaves_the_rest_to_others(server: NatsServer) -> None:
    async with letters(server) as (space, _):
        found = [await fill(space, "greedy"), await fill(space, "modest", most=3)]
    assert (True, 3) == (4 <= found[0] <= 6, found[1])


async def test_who_takes_over_counts_what_is_there_by_its_bytes(server: NatsServer) -> None:
    async with letters(server) as (space, _):
        await fill(space, "greedy", size=900)
        await fill(space, "modest", most=1)
    async with letters(server) as (space, _):
        found = [await fill(space, "greedy", life=2), await fill(space, "modest", size=100, most=5, life=2)]
    assert (True, 5) == (found[0] <= 1, found[1])


async def test_what_is_the_same_is_not_looked_at_again(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that finds no room would have all of the namespace read."""
    async with letters(server) as (space, _):
        await fill(space, "greedy")
        counted, add_up = list[str](), space._add_up

        async def counts(namespace: str) -> int:
            counted.append(namespace)
            return await add_up(namespace)

        monkeypatch.setattr(space, "_add_up", counts)
        assert [0, 0, 0] == [await fill(space, "greedy", life=life) for life in (2, 3, 4)]
    assert len(counted) <= 1


async def test_what_was_dropped_makes_room(server: NatsServer) -> None:
    async with letters(server) as (space, js):
        await fill(space, "greedy")
        await js.purge_stream(DEAD_STREAM)
        assert await fill(space, "greedy", life=2) >= 4


async def test_a_letter_that_is_there_already_takes_no_room(server: NatsServer) -> None:
    async with letters(server) as (space, _):
        for _ in range(50):
            await space.publish("media", "celeriac.dead.media.q", b"x" * 400, {MSG_ID: "the same"})


async def test_the_whole_is_bounded_however_many_namespaces_there_are(server: NatsServer) -> None:
    async with letters(server) as (space, js):
        found = [await fill(space, f"ns-{number}") for number in range(4)]
        state = (await js.stream_info(DEAD_STREAM)).state
    assert (True, 0) == (state.bytes <= SMALL.dead_bytes, found[-1])


async def test_streams_that_are_there_get_the_bound_of_the_settings(server: NatsServer) -> None:
    async with letters(server) as (_, js):
        await share(js, Bounds(dead_bytes=9_000), 1)
        assert 9_000 == (await js.stream_info(DEAD_STREAM)).config.max_bytes


async def test_a_bucket_that_took_roll_ups_takes_none_any_more(server: NatsServer) -> None:
    """By one, whoever may write one key would empty it."""
    async with letters(server) as (_, js):
        await js.delete_stream(f"KV_{RESULTS_BUCKET}")
        bucket = await js.create_key_value(KeyValueConfig(bucket=RESULTS_BUCKET, history=1))
        await bucket.put("media.t", b"{}")
        await share(js, SMALL, 1)
        with pytest.raises(ServerError, match="rollup not permitted"):
            await js.publish(f"$KV.{RESULTS_BUCKET}.media.x", b"{}", headers={"Nats-Rollup": "all"})
        assert b"{}" == (await bucket.get("media.t")).value


async def test_a_bound_that_the_server_has_no_storage_for_stops_nothing(server: NatsServer) -> None:
    async with letters(server) as (_, js):
        await js.delete_stream(DEAD_STREAM)
        await js.add_stream(StreamConfig(name=DEAD_STREAM, subjects=["celeriac.dead.>"]))
        await share(js, Bounds(dead_bytes=2**60), 1)
        assert -1 == (await js.stream_info(DEAD_STREAM)).config.max_bytes


def refused(reason: str) -> float:
    return NO_ROOM.labels(reason)._value.get()


@pytest.mark.parametrize(
    ("reason", "stream", "stuck", "says"),
    [
        pytest.param(
            "DeadLettersFull", DEAD_STREAM, {"container": {"image": "x"}}, "celeriac dead list", id="dead letters"
        ),
        pytest.param("DelayedFull", DELAYED_STREAM, {"startTime": FAR}, "startTime", id="delayed messages"),
    ],
)
async def test_what_finds_no_room_stays_in_its_queue_and_the_others_go_on(
    server: NatsServer, cluster: Cluster, client: Client, reason: str, stream: str, stuck: dict[str, object], says: str
) -> None:
    declare(cluster)
    operator, before = Operator(server, cluster, bounds=SMALL), refused(reason)
    async with operator.running():

        async def ready() -> bool:
            return await client.left() == 0

        def said(wanted: str) -> bool:
            return (state := operator.streams.state(QUEUE)) is not None and state.reason == wanted

        async def all_there() -> bool:
            async with client.jetstream() as js:
                return (await js.stream_info(stream)).state.messages + await client.left() == 20

        async def emptied() -> bool:
            async with client.jetstream() as js:
                await js.purge_stream(stream)
            return await client.left() == 0

        await until(ready)
        await client.publish(*(message(f"stuck-{n}", **stuck) for n in range(20)))
        await until(lambda: said(reason))
        await client.publish(*(message(f"t-{n}") for n in range(5)))
        await until(lambda: len(tasks_of(cluster)) == 5)
        await until(all_there)
        await until(lambda: said(reason))
        state = operator.streams.state(QUEUE)
        assert (True, True) == (state is not None and says in state.message, refused(reason) > before)
        if reason == "DeadLettersFull":
            await until(emptied)
            await until(lambda: said("StreamReady"))
