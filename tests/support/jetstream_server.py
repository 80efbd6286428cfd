"""A JetStream small enough for Hypothesis: streams, deliveries, acknowledgements. Its face is in ``jetstream.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from nats.js.api import PubAck
from nats.js.errors import NotFoundError, ServiceUnavailableError
from tests.support.clock import T0, Clock
from tests.support.invariants import Buried, Delayed, Dropped, Fact, Promised

from celeriac.wire import names
from celeriac.wire.identity import digest_of, read
from celeriac.wire.message import MSG_ID


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
        matching = (each for each in self.streams.get(stream, ()) if each.seq >= first and is_of(each, subject))
        if (found := next(matching, None)) is None:
            raise NotFoundError(code=404, err_code=10037, description="no message found")
        return found

    def waits(self, stream: str, subject: str) -> list[Stored]:
        """Messages that can be delivered now."""
        now = (self.clock.now - T0).total_seconds()
        return [each for each in self.streams.get(stream, ()) if is_of(each, subject) and each.due <= now]

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


def is_of(stored: Stored, subject: str) -> bool:
    """Whether it is under one of these subjects."""
    return fnmatchcase(stored.subject, subject.replace(">", "*"))
