"""The proxy of the fault tests: what it tells of, and that a hook really comes before, or after and unheard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from e2e.support.nats_proxy import NatsProxy, nats_proxy
from nats.aio.client import Client
from tests.support.nats_server import NatsServer


@pytest.fixture
def proxy(server: NatsServer) -> Iterator[NatsProxy]:
    with nats_proxy(server.port) as running:
        yield running


async def _client(url: str) -> Client:
    client = Client()
    await client.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=1)
    return client


async def _stored(server: NatsServer) -> int:
    client = await _client(server.url)
    try:
        return int((await client.jetstream().stream_info("s")).state.messages)
    finally:
        await client.close()


@pytest.mark.parametrize(("moment", "stored"), [("before", 0), ("after", 1)])
async def test_a_hook_that_raises_ends_the_connection(
    moment: str, stored: int, server: NatsServer, proxy: NatsProxy
) -> None:
    client = await _client(proxy.url)
    await client.jetstream().add_stream(name="s", subjects=["s.*"])
    told: list[str] = []

    def hook(subject: str) -> None:
        if subject == "s.x" and not told:
            told.append(subject)
            raise ConnectionAbortedError

    if moment == "before":
        proxy.before = hook
    else:
        proxy.wants_after = lambda subject: subject == "s.x" and not told
        proxy.after = hook
    with pytest.raises((TimeoutError, OSError)):
        await client.jetstream().publish("s.x", b"1", timeout=3)

    assert ["s.x"] == told
    assert stored == await _stored(server)
    await client.close()


async def test_what_is_not_hooked_goes_through_with_headers_and_large_payloads(
    server: NatsServer, proxy: NatsProxy
) -> None:
    client = await _client(proxy.url)
    await client.jetstream().add_stream(name="s", subjects=["s.*"])
    data = b"\r\nPUB s.y 3\r\n" * 10_000
    await asyncio.gather(*(client.jetstream().publish(f"s.{n}", data, headers={"A": "b"}) for n in range(5)))

    assert 5 == await _stored(server)
    assert data == (await client.jetstream().get_msg("s", 3)).data
    await client.close()
