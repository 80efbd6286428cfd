"""A NATS client that lasts, where it is closed; what a server says to it is tried on real servers."""

from __future__ import annotations

import asyncio

import pytest
from nats.aio.client import Client

from celeriac._lasting import LastingClient


async def test_a_server_that_goes_while_the_client_closes_cancels_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def goes(_client: Client) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(Client, "close", goes)
    await LastingClient().close()


async def test_who_is_cancelled_while_the_client_closes_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def takes_for_ever(_client: Client) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Client, "close", takes_for_ever)
    closing = asyncio.create_task(LastingClient().close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
