"""Records of tasks in NATS: read, waited for, and written where a client asks for a task's end."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js.kv import KeyValue
from pydantic import ValidationError

from celeriac import errors
from celeriac._arguments import text
from celeriac._door import Identity
from celeriac._nats import ANSWER_SECONDS, Nats
from celeriac._news import News
from celeriac._records import ends
from celeriac.api.v1alpha1 import LONGEST_CANCEL_REASON, TERMINAL_PHASES
from celeriac.wire.dead import NAME_REUSED
from celeriac.wire.events import TaskEvent
from celeriac.wire.names import EVENTS_STREAM, RESULTS_BUCKET, event_subject, record_key
from celeriac.wire.records import RecordKind, TaskRecord

CANCEL_KEPT = timedelta(days=30)
"""A wish to cancel is kept so long, for a message that waits so long."""
GIVE_UP_SECONDS = 300.0
"""A wait ends when the server has not answered for so long."""


class Bucket:
    """The results bucket, and the stream of events."""

    def __init__(self, connection: Nats, news: News) -> None:
        self._connection, self._news = connection, news
        self._store: tuple[Client, KeyValue] | None = None
        self._events: tuple[Client, bool] | None = None

    async def find(self, namespace: str, name: str) -> TaskRecord | None:
        """The record, or None: there is none. Raises NotInstalled: there is no bucket."""
        key = record_key(namespace, name)

        async def read(client: Client) -> bytes | None:
            try:
                entry = await (await self._bucket(client)).get(key)
            except nats.js.errors.KeyNotFoundError:
                return None
            return entry.value

        data = await self._connection.call(read, self._read_subject(key))
        return None if not data else _parse(namespace, name, data)

    async def ended(self, namespace: str, name: str, identity: Identity, *, strange: bool) -> TaskRecord:
        """The record that says how the task ended, once it is there.

        strange: the task may have been submitted by anybody, at any time. Raises AlreadyExists: another task has the
        name; TaskNotFound: it finished, and its record has gone.
        """
        subject = f"$KV.{RESULTS_BUCKET}.{record_key(namespace, name)}"
        async with self._news.of(f"$KV.{RESULTS_BUCKET}.{namespace}.*", subject) as listener:
            answered = time.monotonic()
            while True:
                try:
                    record = await self.ended_now(namespace, name, identity, strange)
                    answered = time.monotonic()
                except errors.ConnectionFailed:
                    if time.monotonic() - answered > GIVE_UP_SECONDS:
                        raise
                    record = None
                if record is not None:
                    return record
                await listener.next()

    async def last_event(self, namespace: str, name: str) -> TaskEvent | None:
        """The last event of the task, or None: none is known, or none may be read."""
        subject = event_subject(namespace, name, "*")

        async def read(client: Client) -> bytes | None:
            try:
                stream = client.jetstream(timeout=ANSWER_SECONDS)
                message = await stream.get_last_msg(EVENTS_STREAM, subject, direct=await self._direct(client))
            except nats.js.errors.NotFoundError:
                return None
            return message.data

        try:
            data = await self._connection.call(read, f"$JS.API.DIRECT.GET.{EVENTS_STREAM}.{subject}")
            return None if not data else TaskEvent.model_validate_json(data)
        except (errors.Forbidden, ValidationError):
            return None

    async def ask_to_cancel(self, namespace: str, name: str, reason: str) -> TaskRecord:
        """The record after the wish was written, unless there was one before: then that one."""
        now = datetime.now(UTC)
        wish = TaskRecord(
            kind=RecordKind.CANCEL_REQUESTED,
            outcome="Cancelled",
            message=text("reason", reason)[:LONGEST_CANCEL_REASON],
            finish_time=now,
            expire_time=now + CANCEL_KEPT,
        )
        key = record_key(namespace, name)

        async def write(client: Client) -> TaskRecord | None:
            try:
                await (await self._bucket(client)).create(key, wish.to_json())
            except nats.js.errors.KeyWrongLastSequenceError:
                return None
            return wish

        for _ in range(3):
            found = await self._connection.call(write, f"$KV.{RESULTS_BUCKET}.{key}") or await self.find(
                namespace, name
            )
            if found is not None:
                return found
            await asyncio.sleep(0.05)  # deleted meanwhile
        raise errors.RequestRejected(f"The record of task {namespace}/{name} keeps changing. Try again.")

    async def ended_now(self, namespace: str, name: str, identity: Identity, strange: bool) -> TaskRecord | None:
        """The same as ``ended``, but None where the task has not ended."""
        record = await self.find(namespace, name)
        if record is not None and ends(record):
            return record if _is_about(namespace, name, record, identity) else None
        if strange:
            await self._check_history(namespace, name)
        return None

    async def _check_history(self, namespace: str, name: str) -> None:
        """A task that has ended wrote its record before; there is none any more."""
        event = await self.last_event(namespace, name)
        if event is None or event.phase not in TERMINAL_PHASES:
            return
        if not ends(await self.find(namespace, name)):
            raise errors.TaskNotFound(
                f"Task {namespace}/{name} ended ({event.reason or event.phase}) at {event.time.isoformat()}, and NATS "
                "has no record of it: that has expired, or the task came by no message, as those of kubectl and "
                f"CronTasks. 'kubectl get task {name} -n {namespace}' shows it as long as it is there; for this "
                "program, and for celeriac, set CELERIAC_NATS_URL to nothing. Else submit it again if it is needed."
            )

    async def _bucket(self, client: Client) -> KeyValue:
        if self._store is None or self._store[0] is not client:
            try:
                store = await client.jetstream(timeout=ANSWER_SECONDS).key_value(RESULTS_BUCKET)
            except nats.js.errors.NotFoundError:
                raise no_bucket(RESULTS_BUCKET) from None
            self._store = (client, store)
        return self._store[1]

    async def _direct(self, client: Client) -> bool:
        """Can the events be read by their subject alone, which a user of one namespace may?"""
        if self._events is None or self._events[0] is not client:
            info = await client.jetstream(timeout=ANSWER_SECONDS).stream_info(EVENTS_STREAM)
            self._events = (client, bool(info.config.allow_direct))
        return self._events[1]

    def _read_subject(self, key: str) -> str:
        """What a read publishes to, for the error of a user who may not."""
        direct = self._store is None or self._store[1]._direct
        stream = f"KV_{RESULTS_BUCKET}"
        return (
            f"$JS.API.DIRECT.GET.{stream}.$KV.{RESULTS_BUCKET}.{key}" if direct else f"$JS.API.STREAM.MSG.GET.{stream}"
        )


def no_bucket(bucket: str) -> errors.NotInstalled:
    """The error for a NATS that the operator has not set up."""
    return errors.NotInstalled(
        f"NATS has no bucket {bucket}, which Celeriac's operator makes: have its chart installed with this NATS, or "
        "correct CELERIAC_NATS_URL."
    )


def _parse(namespace: str, name: str, data: bytes) -> TaskRecord:
    try:
        return TaskRecord.model_validate_json(data)
    except ValidationError as error:
        raise errors.RequestRejected(
            f"The record of task {namespace}/{name} cannot be read ({error.error_count()} errors): the operator is "
            "newer than this SDK. Use a newer SDK."
        ) from None


def _is_about(namespace: str, name: str, record: TaskRecord, identity: Identity) -> bool:
    """Is it the record of this very task? Raises AlreadyExists: another one has the name, and has ended."""
    if same(record, identity):
        return True
    if record.kind is RecordKind.DEAD and record.outcome == NAME_REUSED:
        return False  # another message tried to use this task's name
    raise already_exists(namespace, name)


def same(record: TaskRecord, identity: Identity) -> bool:
    """May the record belong to the task that this identity is of?"""
    pairs = ((record.submission, identity.submission), (record.request_digest, identity.request_digest))
    known = [ours == theirs for theirs, ours in pairs if ours is not None and theirs is not None]
    return not known or any(known)


def already_exists(namespace: str, name: str) -> errors.AlreadyExists:
    """The error for a name that was used before."""
    return errors.AlreadyExists(
        f"Task {namespace}/{name} was submitted before, with other content. Use another name or key, or see it with "
        f"'celeriac get {name} -n {namespace}'."
    )
