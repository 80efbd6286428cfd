"""nats-py's face of the JetStream of ``jetstream_server.py``, over a network that a test steps: consumers, records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from nats.aio.msg import Msg
from nats.js.api import PubAck, RawStreamMsg, StreamConfig, StreamInfo, StreamState
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError, ServiceUnavailableError
from nats.js.kv import KeyValue
from tests.support.bucket import FakeBucket
from tests.support.clock import T0
from tests.support.cluster import NAMESPACE
from tests.support.jetstream_server import Server, Stored, is_of
from tests.support.stepped import Network

from celeriac.wire import names
from celeriac_operator.bus.bucket import Entry
from celeriac_operator.bus.connection import BusDown

CREATED = T0
"""When each stream was made."""


class FakeBus:
    """As ``Bus``: one life's connection."""

    enabled = tried = True
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
            subjects = Counter(each.subject for each in stored if is_of(each, subjects_filter))
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

    def failed(self, _why: str) -> None:
        """Nobody asks."""

    def outdated(self, _queue: Any) -> bool:
        return False

    def trouble(self, _queue: Any, _reason: str, _message: str | None) -> None:
        """Nobody asks."""


def stream() -> str:
    """The one queue's stream."""
    return names.stream_of(NAMESPACE, "default")
