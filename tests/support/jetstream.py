"""A JetStream small enough for Hypothesis, and nats-py's face of it: streams, consumers, acknowledgements, records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from nats.aio.msg import Msg
from nats.js.api import PubAck, RawStreamMsg, StreamConfig, StreamInfo, StreamState
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError, ServiceUnavailableError
from nats.js.kv import KeyValue
from tests.support.bucket import FakeBucket
from tests.support.clock import T0, Clock
from tests.support.cluster import NAMESPACE
from tests.support.invariants import Buried, Delayed, Dropped, Fact, Promised
from tests.support.stepped import Network

from celeriac.wire import names
from celeriac.wire.identity import digest_of, read
from celeriac.wire.message import MSG_ID
from celeriac_operator.bus.bucket import Entry
from celeriac_operator.bus.connection import BusDown

CREATED = T0
"""When each stream was made."""


@dataclass(eq=False)
class Stored:
    """A message of a stream."""

    seq: int
    subject: str
    data: bytes
    headers: dict[str, str]
    time: datetime
    delivered: int = 0
    due: float = 0.0
    """It is delivered again after this, unless it is acknowledged."""


class Server:
    """The server: what it stores survives it, which ids it has seen does not.

    Args:
        note: is told of facts.
    """

    def __init__(self, clock: Clock, note: Callable[[Fact], None]) -> None:
        self.clock, self.note = clock, note
        self.streams: dict[str, list[Stored]] = {}
        self.full: set[str] = set()
        self._last: dict[str, int] = {}
        self._ids: dict[tuple[str, str], int] = {}
        self._queue_stream = ""

    def restart(self) -> None:
        """What was only in memory is gone: ids, and who has which message."""
        self._ids.clear()
        for stored in (each for stream in self.streams.values() for each in stream):
            stored.delivered, stored.due = 0, 0.0

    def publish(self, stream: str, subject: str, data: bytes, headers: Mapping[str, str]) -> PubAck:
        message_id = headers.get(MSG_ID)
        if message_id is not None and (stream, message_id) in self._ids:
            return PubAck(stream, self._ids[stream, message_id], duplicate=True)
        if stream in self.full:
            raise ServiceUnavailableError(code=503, err_code=10077, description="maximum messages exceeded")
        seq = self._last[stream] = self._last.get(stream, 0) + 1
        if message_id is not None:
            self._ids[stream, message_id] = seq
        self.streams.setdefault(stream, []).append(Stored(seq, subject, data, dict(headers), self.clock.now))
        self._note(stream, data, headers)
        return PubAck(stream, seq)

    def _note(self, stream: str, data: bytes, headers: Mapping[str, str]) -> None:
        digest, origin = _digest(data), headers.get(names.DEAD_ORIGIN, "")
        if stream == names.DEAD_STREAM:
            self.note(Buried(headers.get(names.DEAD_NAME, ""), digest, origin, headers[names.DEAD_REASON]))
        elif stream == names.DELAYED_STREAM:
            self.note(Delayed(digest, origin))
        else:
            self.note(Promised(str(headers.get(MSG_ID, "")), digest))

    def find(self, stream: str, first: int, subject: str) -> Stored:
        """The first message of these subjects from that sequence on."""
        matching = (each for each in self.streams.get(stream, ()) if each.seq >= first and _is_of(each, subject))
        if (found := next(matching, None)) is None:
            raise NotFoundError(code=404, err_code=10037, description="no message found")
        return found

    def waits(self, stream: str, subject: str) -> list[Stored]:
        """Messages that can be delivered now."""
        now = (self.clock.now - T0).total_seconds()
        return [each for each in self.streams.get(stream, ()) if _is_of(each, subject) and each.due <= now]

    def deliver(self, stream: str, subject: str, batch: int, ack_wait: float) -> list[Stored]:
        found = self.waits(stream, subject)[:batch]
        for stored in found:
            stored.delivered += 1
            stored.due = (self.clock.now - T0).total_seconds() + ack_wait
        return found

    def put_down(self, stream: str, seq: int, seconds: float) -> None:
        for stored in self.streams.get(stream, ()):
            if stored.seq == seq:
                stored.due = (self.clock.now - T0).total_seconds() + seconds

    def drop(self, stream: str, seq: int) -> bool:
        stored = next((each for each in self.streams.get(stream, ()) if each.seq == seq), None)
        if stored is None:
            return False
        self.streams[stream].remove(stored)
        self.note(Dropped(_digest(stored.data), f"{stream}.{seq}", stream == names.DELAYED_STREAM))
        return True


def _digest(data: bytes) -> str:
    return digest_of(read(data), data)


def _is_of(stored: Stored, subject: str) -> bool:
    return fnmatchcase(stored.subject, subject.replace(">", "*"))


class FakeBus:
    """As ``Bus``: one life's connection."""

    enabled = True
    reason = ""

    def __init__(self, server: Server, bucket: FakeBucket, network: Network) -> None:
        self.server, self.network, self.life = server, network, network.life
        self.callbacks: list[Callable[[], Any]] = []
        self._js, self._client = FakeJs(self, bucket), FakeClient(self)

    @property
    def connected(self) -> bool:
        return self.network.up["bus"]

    @property
    def js(self) -> FakeJs:
        self._check()
        return self._js

    @property
    def client(self) -> FakeClient:
        self._check()
        return self._client

    def _check(self) -> None:
        if not self.connected:
            raise BusDown("NATS is away")

    def on_connect(self, callback: Callable[[], Any]) -> None:
        self.callbacks.append(callback)

    async def publish(self, subject: str, data: bytes, *, stream: str, headers: Mapping[str, str]) -> PubAck:
        self._check()
        found: PubAck = await self.ask(
            f"publish {subject}", lambda: self.server.publish(stream, subject, data, headers)
        )
        return found

    async def ask(
        self, what: str, do: Callable[[], Any], possible: Callable[[], bool] = lambda: True, patience: float = 5
    ) -> Any:
        refused = ServiceUnavailableError(code=503, err_code=10008, description="it is restarting")
        return await self.network.ask(
            "bus",
            what,
            do,
            life=self.life,
            refused=refused,
            lost=TimeoutError(what),
            possible=possible,
            patience=patience,
        )


class FakeJs:
    """As ``JetStreamContext``, as far as the operator uses it."""

    def __init__(self, bus: FakeBus, bucket: FakeBucket) -> None:
        self._bus, self._bucket = bus, bucket

    async def add_consumer(self, stream: str, _config: Any) -> None:
        """There is one already."""

    async def stream_info(self, stream: str, subjects_filter: str) -> StreamInfo:
        def do() -> StreamInfo:
            stored = self._bus.server.streams.get(stream, [])
            subjects = Counter(each.subject for each in stored if _is_of(each, subjects_filter))
            size = sum(len(each.data) for each in stored)
            state = StreamState(len(stored), size, first_seq=0, last_seq=0, consumer_count=0, subjects=dict(subjects))
            return StreamInfo(config=StreamConfig(name=stream), state=state)

        found: StreamInfo = await self._bus.ask(f"look at {stream}", do)
        return found

    async def get_msg(self, stream: str, *, seq: int, subject: str, next: bool) -> RawStreamMsg:
        def do() -> RawStreamMsg:
            stored = self._bus.server.find(stream, seq, subject)
            return RawStreamMsg(
                stored.subject, stored.seq, stored.data, headers=stored.headers, stream=stream, time=stored.time
            )

        found: RawStreamMsg = await self._bus.ask(f"get {stream}", do)
        return found

    async def delete_msg(self, stream: str, seq: int) -> bool:
        def do() -> bool:
            if not self._bus.server.drop(stream, seq):
                raise NotFoundError(code=404, err_code=10043, description="no message found")
            return True

        return bool(await self._bus.ask(f"delete {stream}", do))

    async def key_value(self, _bucket: str) -> FakeKeyValue:
        return FakeKeyValue(self._bus, self._bucket)


class FakeKeyValue:
    """As ``KeyValue``."""

    def __init__(self, bus: FakeBus, bucket: FakeBucket) -> None:
        self._bus, self._bucket = bus, bucket

    async def get(self, key: str) -> KeyValue.Entry:
        def do() -> KeyValue.Entry:
            entry = self._bucket.entries.get(key)
            if entry is None or entry.value is None:
                raise KeyNotFoundError
            return KeyValue.Entry(names.RESULTS_BUCKET, key, entry.value, entry.revision, None, None, None)

        found: KeyValue.Entry = await self._bus.ask(f"get record {key}", do)
        return found

    async def create(self, key: str, value: bytes) -> None:
        await self._put(key, value, None)

    async def update(self, key: str, value: bytes, last: int) -> None:
        await self._put(key, value, last)

    async def _put(self, key: str, value: bytes, revision: int | None) -> None:
        def do() -> None:
            if not self._bucket.put(key, value, revision):
                raise KeyWrongLastSequenceError("wrong last sequence")

        await self._bus.ask(f"put record {key}", do)


class FakeClient:
    """As ``Client``: what nats-py has no method for is asked by subject."""

    is_closed = False

    def __init__(self, bus: FakeBus) -> None:
        self.bus = bus
        self._inboxes: dict[str, FakeSubscription] = {}
        self._count = 0

    def new_inbox(self) -> str:
        self._count += 1
        return f"_INBOX.{self._count}"

    async def subscribe(self, inbox: str) -> FakeSubscription:
        found = self._inboxes[inbox] = FakeSubscription(self)
        return found

    async def publish(self, subject: str, data: bytes, reply: str = "") -> None:
        if subject.startswith("$JS.API.CONSUMER.MSG.NEXT."):
            self._inboxes.pop(reply).ask(subject, json.loads(data))
            return
        stream, seq = _acknowledges(subject)
        seconds = json.loads(data.partition(b" ")[2] or b"{}").get("delay", 0) / 1e9
        do = self.bus.server.put_down
        self.bus.network.tell("bus", f"put down {seq}", lambda: do(stream, seq, seconds), life=self.bus.life)

    async def request(self, subject: str, _data: bytes = b"", *, timeout: float) -> Msg:
        if subject.startswith("$JS.ACK."):
            stream, seq = _acknowledges(subject)
            await self.bus.ask(f"acknowledge {seq}", lambda: self.bus.server.drop(stream, seq))
            return self._message(b"+ACK")
        assert subject == f"$JS.API.STREAM.INFO.{names.DELAYED_STREAM}"

        def do() -> bytes:
            subjects = [each.subject for each in self.bus.server.streams.get(names.DELAYED_STREAM, ())]
            counts = {subject: subjects.count(subject) for subject in subjects}
            return json.dumps({"state": {"subjects": counts}, "total": len(counts)}).encode()

        return self._message(await self.bus.ask("list delayed", do))

    def _message(self, data: bytes) -> Msg:
        return Msg(self, "_INBOX", "", data)  # type: ignore[arg-type]


class FakeSubscription:
    """The inbox of one request for messages."""

    def __init__(self, client: FakeClient) -> None:
        self._client, self._left = client, list[Msg]()
        self._stream = self._subject = ""
        self._ask: dict[str, Any] | None = None

    def ask(self, subject: str, ask: dict[str, Any]) -> None:
        *_, self._stream, consumer = subject.split(".")
        _, namespace, queue = self._stream.split("_")
        band = next(band for band in names.BANDS if names.consumer_of(band) == consumer)
        self._subject, self._ask = names.submit_subject(namespace, queue, band), ask

    async def next_msg(self, timeout: float) -> Msg:
        if self._ask is not None:
            ask, self._ask = self._ask, None
            self._left = await self._pull(ask)
        if self._left:
            return self._left.pop(0)
        return Msg(self._client, "_INBOX", "", b"", {"Status": "404"})  # type: ignore[arg-type]

    async def _pull(self, ask: dict[str, Any]) -> list[Msg]:
        bus, clock = self._client.bus, self._client.bus.server.clock
        waits = ask.get("expires", 0) / 1e9
        end = (clock.now - T0).total_seconds() + waits

        def do() -> list[Msg]:
            return [self._msg(stored) for stored in bus.server.deliver(self._stream, self._subject, ask["batch"], 30.0)]

        def possible() -> bool:
            over = (clock.now - T0).total_seconds() >= end
            return over or bool(bus.server.waits(self._stream, self._subject))

        try:
            found: list[Msg] = await bus.ask(f"pull {self._subject}", do, possible, waits + 2)
        except TimeoutError:
            return []
        return found

    def _msg(self, stored: Stored) -> Msg:
        nanoseconds = int(stored.time.timestamp() * 1e9)
        reply = f"$JS.ACK.{self._stream}.intake.{stored.delivered}.{stored.seq}.{stored.seq}.{nanoseconds}.0"
        return Msg(self._client, stored.subject, reply, stored.data, dict(stored.headers))  # type: ignore[arg-type]

    async def unsubscribe(self) -> None:
        """Nothing more comes."""


def _acknowledges(reply: str) -> tuple[str, int]:
    parts = reply.split(".")
    return parts[2], int(parts[5])


class SteppedBucket:
    """As ``Bucket``, over the network: one life's way to the records."""

    def __init__(self, bucket: FakeBucket, bus: FakeBus) -> None:
        self._bucket, self._bus = bucket, bus

    @property
    def enabled(self) -> bool:
        return True

    @property
    def ready(self) -> bool:
        return self._bus.connected and self._bucket.live

    async def get(self, key: str) -> Entry | None:
        found: Entry | None = await self._ask(f"get record {key}", lambda: self._bucket.entries.get(key))
        return found

    async def create(self, key: str, value: bytes) -> bool:
        return bool(await self._ask(f"create record {key}", lambda: self._bucket.put(key, value)))

    async def update(self, key: str, value: bytes, revision: int) -> bool:
        return bool(await self._ask(f"update record {key}", lambda: self._bucket.put(key, value, revision)))

    async def _ask(self, what: str, do: Callable[[], Any]) -> Any:
        try:
            return await self._bus.ask(what, do)
        except (TimeoutError, ServiceUnavailableError) as error:
            raise BusDown(str(error)) from error


class KeptStreams:
    """As ``Streams``: they are as they should be."""

    def __init__(self, *queues: Any) -> None:
        self.created = dict.fromkeys(queues, CREATED)

    async def share(self) -> None:
        """They are there."""

    async def look(self) -> None:
        """They are there."""

    def tell_all(self) -> None:
        """Nobody asks."""

    def outdated(self, _queue: Any) -> bool:
        return False

    def trouble(self, _queue: Any, _reason: str, _message: str | None) -> None:
        """Nobody asks."""


def stream() -> str:
    """The one queue's stream."""
    return names.stream_of(NAMESPACE, "default")
