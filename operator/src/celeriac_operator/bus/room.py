"""Room in a stream that all namespaces share. None may take more than its share, so that none can fill it for all.

The server bounds the stream and counts messages by subject, but bytes it counts for the whole only. So what a namespace
has is added up here, and only where it can matter: not as long as the whole stream is smaller than one share.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, PubAck
from nats.js.errors import APIError

from celeriac._nats_refusals import is_full
from celeriac._pull import pull
from celeriac.wire.names import DEAD_STREAM, DELAYED_STREAM
from celeriac_operator.bus.connection import Bus
from celeriac_operator.core.names import DEAD_LETTERS_FULL, DELAYED_FULL

MIB = 1024 * 1024
RECOUNT_SECONDS = 30.0
"""A namespace that has its share is counted anew so often: people drop letters, and messages get their time."""
LONGEST_SECONDS = 600.0
_TIMES = 20
"""Counting may take a twentieth of the time."""
_BATCH = 1000
_AROUND = 64
"""What the server keeps of a message beside its subject, headers and bytes, roughly."""


class NoRoom(Exception):  # noqa: N818  it says how things are
    """The stream takes nothing more of the namespace; the text says why and what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much there may be of what all namespaces share."""

    dead_bytes: int = 512 * MIB
    delayed_bytes: int = 512 * MIB
    share_percent: int = 25
    """So much of each one namespace may take."""


@dataclass(slots=True)
class _Known:
    """What is known of a namespace's bytes."""

    size: int
    messages: int
    exact: bool
    """False: it is what all namespaces have together, so that this one has no more."""
    counted: float
    """When, by the monotonic clock."""
    took: float = 0.0
    """So many seconds: some 150 a million small messages."""

    def is_old(self, *, full: bool) -> bool:
        """Some may have gone; or have come, while another replica worked on the namespace."""
        age = time.monotonic() - self.counted
        return age > LONGEST_SECONDS or (full and (not self.exact or age > max(RECOUNT_SECONDS, _TIMES * self.took)))


@dataclass(frozen=True, slots=True)
class Words:
    """What is said where there is no room, and the subjects that it is about."""

    prefix: str
    reason: str
    stays: str
    what: str
    do: str
    setting: str


DEAD_WORDS = Words(
    "celeriac.dead",
    DEAD_LETTERS_FULL,
    "Messages that cannot become Tasks stay in the queue",
    "dead letters",
    "see 'celeriac dead list -n {namespace}', then 'celeriac dead drop' or 'replay' what is there, or raise {setting}",
    "nats.deadLettersSize",
)
DELAYED_WORDS = Words(
    "celeriac.delayed",
    DELAYED_FULL,
    "Messages whose startTime is far away stay in the queue",
    "delayed messages",
    "each is taken once the time of another has come; or raise {setting}",
    "nats.delayedSize",
)


class Room:
    """The room in one stream.

    Args:
        most: bytes of the whole stream.
        percent: so much of it one namespace may take.
    """

    def __init__(self, bus: Bus, stream: str, words: Words, most: int, percent: int) -> None:
        self._bus, self._stream, self._words = bus, stream, words
        self._most, self._share = most, most * percent // 100
        self._known: dict[str, _Known] = {}
        self._counting: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def publish(self, namespace: str, subject: str, data: bytes, headers: Mapping[str, str]) -> PubAck:
        """Publish a message of a namespace, and wait until the stream has it.

        Raises:
            NoRoom: the stream, or the namespace's share of it, is full.
            nats.errors.Error, TimeoutError, BusDown: the stream may have it, or not.
        """
        size = _AROUND + len(subject) + len(data) + sum(len(name) + len(text) + 4 for name, text in headers.items())
        known = await self._reserve(namespace, size)
        try:
            ack = await self._bus.publish(subject, data, stream=self._stream, headers=headers)
        except APIError as error:
            known.size -= size
            if is_full(error.code or 0, error.err_code or 0, error.description or ""):
                raise self.full(
                    namespace, f"all namespaces together have {_mib(self._most)}, or the disk is full"
                ) from error
            raise
        if ack.duplicate:
            known.size -= size
        else:
            known.messages += 1
        return ack

    def full(self, namespace: str, why: str) -> NoRoom:
        """What to raise where there is no room."""
        words = self._words
        do = words.do.format(namespace=namespace, setting=words.setting)
        return NoRoom(words.reason, f"{words.stays}, as there is no room for {words.what}: {why}; {do}")

    async def _reserve(self, namespace: str, size: int) -> _Known:
        async with self._counting[namespace]:
            known = self._known.get(namespace)
            if known is None or known.is_old(full=known.size + size > self._share):
                known = self._known[namespace] = await self._count(namespace, known)
            if known.size + size > self._share:
                raise self.full(namespace, f"namespace {namespace} has its share, {_mib(self._share)}")
            known.size += size
            return known

    async def _count(self, namespace: str, known: _Known | None) -> _Known:
        """Each message is looked at only where a share may be exceeded, and others are there than at the last time."""
        now = time.monotonic()
        info = await self._bus.js.stream_info(self._stream, subjects_filter=f"{self._words.prefix}.{namespace}.>")
        messages = sum((info.state.subjects or {}).values())
        if info.state.bytes <= self._share // 2:
            return _Known(info.state.bytes, messages, exact=False, counted=now)
        if known is not None and known.exact and known.messages == messages:
            return replace(known, counted=now)
        size = await self._add_up(namespace)
        return _Known(size, messages, exact=True, counted=now, took=time.monotonic() - now)

    async def _add_up(self, namespace: str) -> int:
        """The sizes of all its messages: their headers are read, not what they say."""
        config = ConsumerConfig(
            filter_subject=f"{self._words.prefix}.{namespace}.>",
            ack_policy=AckPolicy.NONE,
            headers_only=True,
            inactive_threshold=60.0,
            mem_storage=True,
            num_replicas=1,
        )
        consumer = (await self._bus.js.add_consumer(self._stream, config)).name
        total = 0
        try:
            while found := await pull(self._bus.client, self._stream, consumer, _BATCH):
                total += sum(map(_size, found))
        finally:
            await self._bus.js.delete_consumer(self._stream, consumer)
        return total


def _size(message: Msg) -> int:
    headers = message.headers or {}
    written = headers.get("Nats-Msg-Size", "")
    of_headers = sum(len(name) + len(text) + 4 for name, text in headers.items())
    return _AROUND + len(message.subject) + of_headers + (int(written) if written.isdecimal() else 0)


def _mib(size: int) -> str:
    return f"{size / MIB:,.0f} MiB" if size >= MIB else f"{size:,} bytes"


def dead_room(bus: Bus, bounds: Bounds) -> Room:
    """The room for dead letters."""
    return Room(bus, DEAD_STREAM, DEAD_WORDS, bounds.dead_bytes, bounds.share_percent)


def delayed_room(bus: Bus, bounds: Bounds) -> Room:
    """The room for delayed messages."""
    return Room(bus, DELAYED_STREAM, DELAYED_WORDS, bounds.delayed_bytes, bounds.share_percent)
