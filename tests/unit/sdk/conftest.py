"""What the SDK's tests share: an API server in memory, a client of it, and time that costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.sdk.fake_api import FakeApi

from celeriac import AsyncClient


@pytest.fixture
def fake() -> FakeApi:
    return FakeApi()


@pytest.fixture
async def client(fake: FakeApi) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=fake) as client:
        yield client


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, none of which took any time."""
    made: list[float] = []
    sleep = asyncio.sleep

    async def record(seconds: float) -> None:
        made.append(seconds)
        await sleep(0)

    monkeypatch.setattr("celeriac._api.asyncio.sleep", record)
    return made
