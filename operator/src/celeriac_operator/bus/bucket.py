"""A key-value bucket of NATS: reads that are never old, creates and updates that lose no race, and news of changes.

nats-py's own watcher is not used: it replays the whole bucket when it starts over, and it starts over whenever it has
heard nothing. Here the news begin with the moment of the connection; what was before is asked for key by key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import nats.errors
import nats.js.errors
import structlog
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RawStreamMsg

from celeriac_operator.bus.connection import TROUBLE, Bus, BusDown

log = structlog.get_logger()

HEARTBEAT_SECONDS = 5.0
SILENT_SECONDS = 3 * HEARTBEAT_SECONDS
PAUSE_SECONDS = 1.0
WRONG_LAST_SEQUENCE = (10071, 10164)
"""What the server answers to a create or update that came too late."""
_OPERATION = "KV-Operation"


@dataclass(frozen=True, slots=True)
class Entry:
    """A value, and the revision that it has."""

    revision: int
    value: bytes | None
    """None: it was deleted."""


Told = Callable[[str, Entry], None]


class Bucket:
    """A bucket that the operator has made, history 1.

    Args:
        name: the bucket's name.
    """

    def __init__(self, bus: Bus, name: str) -> None:
        self._bus, self._stream, self._prefix = bus, f"KV_{name}", f"$KV.{name}."
        self._live = False
        self._heard = 0.0
        self._expected = 0
        self._broken = asyncio.Event()
        self._connected = asyncio.Event()
        bus.on_connect(self._on_connect)

    @property
    def ready(self) -> bool:
        """NATS answers, and news of changes come."""
        return self._live and self._bus.connected

    @property
    def enabled(self) -> bool:
        """Whether there is a NATS at all."""
        return self._bus.enabled

    async def get(self, key: str) -> Entry | None:
        """The value as the stream's leader has it; None where there is none.

        Raises:
            BusDown: NATS does not answer.
        """
        async with self._asking():
            try:
                found = await self._bus.js.get_msg(self._stream, subject=f"{self._prefix}{key}", direct=False)
            except nats.js.errors.NotFoundError:
                return None
            return entry_of(found)

    async def create(self, key: str, value: bytes) -> bool:
        """Create the key; False where it is there already.

        Raises:
            BusDown: NATS does not answer; whether the key was created is not known.
        """
        if await self.update(key, value, 0):
            return True
        found = await self.get(key)
        return found is not None and found.value is None and await self.update(key, value, found.revision)

    async def update(self, key: str, value: bytes, revision: int) -> bool:
        """Replace the value that has that revision; False where it has another by now.

        Raises:
            BusDown: NATS does not answer; whether it was replaced is not known.
        """
        async with self._asking():
            try:
                await self._bus.publish(
                    f"{self._prefix}{key}",
                    value,
                    stream=self._stream,
                    headers={"Nats-Expected-Last-Subject-Sequence": str(revision)},
                )
            except nats.js.errors.APIError as error:
                if error.err_code in WRONG_LAST_SEQUENCE:
                    return False
                raise
            return True

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        try:
            yield
        except TROUBLE as error:
            raise BusDown(f"the bucket {self._stream.removeprefix('KV_')} does not answer: {error}") from error

    async def follow(self, told: Told, began: Callable[[], None]) -> None:
        """Tell of every change from now on, for ever; a background duty.

        Args:
            told: is told of each change.
            began: is called each time that news begin to come. What has changed before was not told.
        """
        while self._bus.enabled:
            self._connected.clear()
            try:
                await self._news(told, began)
            except (*TROUBLE, BusDown) as error:
                log.debug("no news of the bucket", stream=self._stream, error=str(error))
            finally:
                self._live = False
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS):  # wait_for of Python 3.11 swallows a cancellation
                    await self._connected.wait()

    async def _on_connect(self) -> None:
        self._connected.set()
        self._broken.set()

    async def _news(self, told: Told, began: Callable[[], None]) -> None:
        client, js = self._bus.client, self._bus.js
        self._broken.clear()
        self._heard, self._expected = time.monotonic(), 1

        async def heard(message: Msg) -> None:
            self._take(message, told)

        inbox = client.new_inbox()
        subscription = await client.subscribe(inbox, cb=heard)
        try:
            await js.add_consumer(self._stream, _consumer(inbox))
            began()
            self._live = True
            await self._until_broken()
        finally:
            with suppress(*TROUBLE):
                await subscription.unsubscribe()

    def _take(self, message: Msg, told: Told) -> None:
        """A change, or a heartbeat. A change that is missing in between ends the news, so that they begin anew."""
        self._heard = time.monotonic()
        if not message.reply.startswith("$JS.ACK"):
            return
        sequence = message.metadata.sequence
        if sequence.consumer != self._expected:
            self._broken.set()
            return
        self._expected += 1
        value = None if message.headers and _OPERATION in message.headers else message.data
        told(message.subject.removeprefix(self._prefix), Entry(sequence.stream, value))

    async def _until_broken(self) -> None:
        while not self._broken.is_set() and time.monotonic() - self._heard < SILENT_SECONDS:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._broken.wait()


def _consumer(inbox: str) -> ConsumerConfig:
    return ConsumerConfig(
        deliver_subject=inbox,
        deliver_policy=DeliverPolicy.NEW,
        ack_policy=AckPolicy.NONE,
        max_deliver=1,
        idle_heartbeat=HEARTBEAT_SECONDS,
        inactive_threshold=60.0,
        mem_storage=True,
        num_replicas=1,
    )


def entry_of(found: RawStreamMsg) -> Entry:
    """What a message of a bucket's stream says."""
    deleted = bool(found.headers) and _OPERATION in (found.headers or {})
    return Entry(found.seq or 0, None if deleted else found.data or b"")
