"""The operator's way to what NATS keeps, on a real nats-server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.nats_server import NatsServer

from celeriac._nats_options import NatsOptions
from celeriac.wire.names import RESULTS_BUCKET
from celeriac_operator.background import end
from celeriac_operator.bus.bucket import Bucket
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.records import RecordBook
from celeriac_operator.bus.streams import Streams
from celeriac_operator.core.facts import Key
from celeriac_operator.kube.api import unfenced


async def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.02)


@dataclass
class Keeper:
    """A replica's connection, bucket and book."""

    bus: Bus
    bucket: Bucket
    book: RecordBook
    changed: list[Key] = field(default_factory=list)
    """What the book has told."""


@asynccontextmanager
async def keeper(server: NatsServer) -> AsyncIterator[Keeper]:
    """One that is up: the streams and buckets are made, and news come."""
    bus = Bus(NatsOptions(url=server.url), probe=0.1)
    bucket, changed = Bucket(bus, RESULTS_BUCKET), list[Key]()
    book = RecordBook(bucket, changed.extend, unfenced)
    streams = Streams(bus, dict, lambda _: True, lambda _: None)
    bus.on_connect(streams.share)
    running = [asyncio.create_task(bus.run()), asyncio.create_task(bucket.follow(book.told, book.begin))]
    try:
        await until(lambda: bucket.ready)
        yield Keeper(bus, bucket, book, changed)
    finally:
        await end(running)
        await bus.close()
