"""The operator's connection to a real nats-server that comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.msg import Msg
from tests.support.flushing import flushed
from tests.support.keeping import until
from tests.support.nats_server import NatsServer, nats_server
from tests.support.raw_publish import publish_raw
from tests.support.rotation import ROTATIONS, accounts, rotated

from celeriac._nats_options import NatsOptions
from celeriac_operator.background import end
from celeriac_operator.bus.connection import Bus, BusDown
from celeriac_operator.metrics import REGISTRY


@asynccontextmanager
async def running(bus: Bus) -> AsyncIterator[None]:
    task = asyncio.create_task(bus.run())
    try:
        yield
    finally:
        await end([task])
        await bus.close()


def bus_to(server: NatsServer) -> Bus:
    return Bus(NatsOptions(url=server.url), probe=0.1)


async def test_without_a_url_it_is_never_connected_and_says_why() -> None:
    bus = Bus(NatsOptions())
    await bus.run()
    with pytest.raises(BusDown, match="CELERIAC_NATS_URL is not set"):
        _ = bus.js
    assert (False, "CELERIAC_NATS_URL is not set") == (bus.connected, bus.reason)
    assert REGISTRY.get_sample_value("celeriac_nats_configured") == 0


async def test_it_comes_back_after_a_kill_and_tells_so_each_time(server: NatsServer) -> None:
    bus, told = bus_to(server), []

    async def callback() -> None:
        told.append(await bus.js.account_info())

    bus.on_connect(callback)
    async with running(bus):
        await until(lambda: len(told) == 1)
        assert REGISTRY.get_sample_value("celeriac_nats_connected") == 1
        server.kill()
        await until(lambda: not bus.connected)
        with pytest.raises(BusDown):
            _ = bus.js
        assert REGISTRY.get_sample_value("celeriac_nats_connected") == 0
        server.start()
        await until(lambda: len(told) == 2)
        assert bus.connected


async def test_a_server_that_comes_late_is_found(server: NatsServer) -> None:
    server.kill()
    bus = bus_to(server)
    async with running(bus):
        await until(lambda: "not connected yet" != bus.reason)
        server.start()
        await until(lambda: bus.connected)


async def test_a_connection_that_the_server_ends_for_a_reason_is_made_anew(server: NatsServer) -> None:
    bus = bus_to(server)
    async with running(bus):
        await until(lambda: bus.connected)
        client = bus.client
        await client.publish("x", b"x" * client.max_payload, headers={"a": "b"})  # with the header it is too large
        await until(lambda: client.stats["reconnects"] == 1)
        await until(lambda: bus.connected)


async def test_a_client_that_is_closed_for_good_is_replaced(server: NatsServer) -> None:
    bus = bus_to(server)
    async with running(bus):
        await until(lambda: bus.connected)
        old = bus.client
        await old.close()
        await until(lambda: bus.connected)
        assert bus.client is not old


async def test_a_server_that_stands_still_counts_as_down(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celeriac_operator.bus.connection.ANSWER_SECONDS", 0.3)
    bus = bus_to(server)
    async with running(bus):
        await until(lambda: bus.connected)
        server.pause()
        await until(lambda: not bus.connected)
        server.go_on()
        await until(lambda: bus.connected)


async def test_a_callback_that_raises_is_called_again(server: NatsServer) -> None:
    bus, calls = bus_to(server), []

    async def callback() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise RuntimeError("not yet")

    bus.on_connect(callback)
    async with running(bus):
        await until(lambda: len(calls) == 3)
        assert bus.connected


@pytest.mark.parametrize("rotate", ROTATIONS)
async def test_it_goes_on_with_the_password_that_its_file_has_then(
    rotate: Callable[[NatsServer], None], tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("first")
    with nats_server(tmp_path, accounts("first")) as server:
        bus = Bus(NatsOptions(url=server.url, user="theirs", password_file=str(file)), probe=0.1)
        async with running(bus):
            await until(lambda: bus.connected)
            await rotated(server, rotate, file)
            await until(lambda: bus.connected)
            assert (await bus.js.account_info()).streams == 0


POISON = {
    "a subject that is no text": {"subject": b"ready.\xff"},
    "a subject with a vertical tab": {"subject": b"ready.x\x0by"},
    "a subject that seems to be another subscription's": {"subject": b"ready.x\x0b3"},
    "the same with headers": {"subject": b"ready.x\x0c3", "headers": b"NATS/1.0\r\na: b\r\n\r\n"},
    "a reply that is no text": {"subject": b"ready.x", "reply": b"\xff"},
    "headers that are none": {"subject": b"ready.x", "headers": b"\r\n\r\n"},
    "a status that is no text": {"subject": b"ready.x", "headers": b"NATS/1.0 \xff\xff\xff\r\n\r\n"},
}


@pytest.mark.parametrize("published", POISON.values(), ids=POISON)
async def test_it_goes_on_over_whatever_others_publish(published: dict[str, bytes], server: NatsServer) -> None:
    bus, heard, others = bus_to(server), list[bytes](), list[bytes]()

    async def hear(message: Msg) -> None:
        heard.append(message.data)

    async def hear_other(message: Msg) -> None:
        others.append(message.data)

    async with running(bus):
        await until(lambda: bus.connected)
        first = bus.client
        await first.subscribe("ready.*", cb=hear)
        await first.subscribe("other.*", cb=hear_other)
        await flushed(first)
        publish_raw(server, payload=b"poison", **published)
        publish_raw(server, b"ready.next", b"next")
        await until(lambda: len(heard) == 2)
        assert ([b"poison", b"next"], []) == (heard, others)
        assert bus.connected and bus.client is first
