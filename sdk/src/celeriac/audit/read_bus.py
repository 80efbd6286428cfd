"""Reads what NATS holds, message by message, with credentials that may read streams: the operator's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError
from pydantic import ValidationError

from celeriac import errors
from celeriac._task import parse_time
from celeriac.audit.evidence import Buried, Bus, Key, Stream, Waiting
from celeriac.wire import identity, names
from celeriac.wire.dead import dead_letter
from celeriac.wire.delayed import kept
from celeriac.wire.events import TaskEvent
from celeriac.wire.message import MSG_ID, MalformedMessage, TaskMessage
from celeriac.wire.records import AttemptRecord, Author, TaskRecord

MOST = 100_000
"""So many messages of a stream are looked at."""
ANSWER_SECONDS = 10.0

_KV = f"$KV.{names.RESULTS_BUCKET}."


class BusReader:
    """Reads the streams, of a namespace or of all (*). All may raise nats.errors.Error.

    Args:
        unread: is told what is left out.
    """

    def __init__(self, client: Client, namespaces: str, unread: list[str]) -> None:
        self._client, self._in, self._unread = client, namespaces, unread
        self._js: JetStreamContext = client.jetstream(timeout=ANSWER_SECONDS)

    async def read(self) -> Bus:
        """All that NATS holds."""
        streams = await self.streams()
        waiting = [found for stream in streams for found in await self.waiting(stream)]
        records, attempts = await self.records()
        return Bus(
            streams=tuple(streams),
            waiting=(*waiting, *await self.delayed()),
            buried=tuple(await self.buried()),
            records=records,
            attempts=attempts,
            events=await self.events(),
            objects=await self.objects(),
        )

    async def streams(self) -> list[Stream]:
        """The streams of queues. nats-py does not tell when a stream took its last message, so it is asked by hand."""
        found, total = list[Stream](), 1
        offset = 0
        while offset < total:
            answer = await self._client.request(
                "$JS.API.STREAM.LIST", json.dumps({"offset": offset}).encode(), timeout=ANSWER_SECONDS
            )
            page = json.loads(answer.data)
            if "error" in page:
                raise errors.ConnectionFailed(f"NATS does not list its streams: {page['error'].get('description')}.")
            total, some = page.get("total", 0), page.get("streams") or []
            found += [stream for raw in some if (stream := self._stream(raw)) is not None]
            offset += max(len(some), 1)
        return found

    def _stream(self, raw: dict[str, Any]) -> Stream | None:
        name, state = raw["config"]["name"], raw["state"]
        place = names.queue_of_stream(name)
        if place is None or self._in not in ("*", place[0]):
            return None
        last = parse_time(state["last_ts"]) if state.get("last_seq") else None
        return Stream(name, *place, parse_time(raw["created"]), last)

    async def waiting(self, stream: Stream) -> list[Waiting]:
        """Messages of a queue that are not acknowledged."""
        found = list[Waiting]()
        async for raw in self._messages(stream.name, f"celeriac.submit.{stream.namespace}.{stream.queue}.*"):
            origin = names.origin_of(stream.name, stream.created, raw.seq or 0)
            about = _About(stream.name, raw.seq or 0, origin, _header(raw, MSG_ID))
            found.append(_waiting(stream.namespace, stream.queue, raw.data or b"", about))
        return found

    async def delayed(self) -> list[Waiting]:
        """Messages that wait for their time."""
        found = list[Waiting]()
        async for raw in self._messages(names.DELAYED_STREAM, names.delayed_subjects(self._in, "*")):
            _, _, namespace, queue, *_ = (raw.subject or "").split(".")
            first = kept(raw.headers or {}, raw.time or datetime.now(UTC), raw.seq or 0)
            about = _About(names.DELAYED_STREAM, raw.seq or 0, first.origin, first.message_id)
            found.append(_waiting(namespace, queue, raw.data or b"", about))
        return found

    async def buried(self) -> list[Buried]:
        """The dead letters."""
        found = list[Buried]()
        async for raw in self._messages(names.DEAD_STREAM, names.dead_subject(self._in, "*")):
            about, data = dead_letter(raw.subject or "", raw.headers or {}), raw.data or b""
            digest = identity.digest_of(identity.read(data), data)
            found.append(Buried(raw.seq or 0, about.namespace, about.queue, about.name, digest, about.reason))
        return found

    async def records(self) -> tuple[dict[Key, TaskRecord], dict[Key, int]]:
        """The records of tasks, and of each Task the last attempt that a runner recorded."""
        records, attempts = dict[Key, TaskRecord](), dict[Key, int]()
        async for raw in self._messages(f"KV_{names.RESULTS_BUCKET}", f"{_KV}{self._in}.>"):
            tokens = (raw.subject or "").removeprefix(_KV).split(".")
            if not raw.data or _header(raw, "KV-Operation"):
                continue
            try:
                if len(tokens) == 2:
                    records[tokens[0], tokens[1]] = TaskRecord.model_validate_json(raw.data)
                elif len(tokens) == 3 and AttemptRecord.model_validate_json(raw.data).author is Author.RUNNER:
                    key = (tokens[0], tokens[1])
                    attempts[key] = max(attempts.get(key, 0), int(tokens[2]))
            except (ValidationError, ValueError):
                self._unread.append(f"record {'.'.join(tokens)}: it is none that this release knows")
        return records, attempts

    async def events(self) -> dict[Key, TaskEvent]:
        """The last event of each task; those of its progress say nothing of where it stands."""
        found = dict[Key, TaskEvent]()
        async for raw in self._messages(names.EVENTS_STREAM, names.event_subject(self._in, "*", "*")):
            tokens = (raw.subject or "").split(".")
            if len(tokens) == 5 and tokens[4] != "Progress":
                try:
                    found[tokens[2], tokens[3]] = TaskEvent.model_validate_json(raw.data or b"")
                except ValidationError:
                    self._unread.append(f"event {raw.subject}: it is none that this release knows")
        return found

    async def objects(self) -> frozenset[str]:
        """Names of the objects that are there; whether all their chunks are is for whoever fetches one to see."""
        found = set[str]()
        async for raw in self._messages(names.PAYLOADS_STREAM, f"$O.{names.PAYLOADS_BUCKET}.M.{self._in}.>"):
            try:
                description = json.loads(raw.data or b"")
                if not description.get("deleted"):
                    found.add(str(description["name"]))
            except (ValueError, KeyError, AttributeError):
                self._unread.append(f"object {raw.subject}: its description cannot be read")
        return frozenset(found)

    async def _messages(self, stream: str, subject: str) -> AsyncIterator[RawStreamMsg]:
        """Messages of a stream in order; none, where it is not there."""
        sequence, count = 1, 0
        while True:
            try:
                raw = await self._js.get_msg(stream, seq=sequence, subject=subject, next=True, direct=False)
            except NotFoundError:
                return
            count += 1
            if count > MOST:
                self._unread.append(f"stream {stream}: what comes after its first {MOST:,} messages")
                return
            yield raw
            sequence = (raw.seq or sequence) + 1


@dataclass(frozen=True, slots=True)
class _About:
    """Where a message is, and where it was first."""

    stream: str
    sequence: int
    origin: str
    message_id: str


def _waiting(namespace: str, queue: str, data: bytes, about: _About) -> Waiting:
    message = identity.read(data)
    return Waiting(
        namespace,
        queue,
        about.stream,
        about.sequence,
        name=identity.name_of(message, about.origin, about.message_id),
        digest=identity.digest_of(message, data),
        params=_params(message),
    )


def _params(message: TaskMessage | MalformedMessage) -> str | None:
    ref = message.spec.get("paramsRef") if isinstance(message, TaskMessage) else None
    key = ref.get("key") if isinstance(ref, dict) else None
    return key if isinstance(key, str) else None


def _header(raw: RawStreamMsg, name: str) -> str:
    return str((raw.headers or {}).get(name, ""))
