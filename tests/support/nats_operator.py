"""What the operator does on NATS, for tests of clients: streams and buckets, messages taken, events and records."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import nats
import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig

from celeriac import _objects
from celeriac.api.v1alpha1 import Result
from celeriac.wire.events import TaskEvent
from celeriac.wire.message import TaskMessage, decode
from celeriac.wire.names import (
    REQUEST_DIGEST,
    RESULTS_BUCKET,
    event_subject,
    record_key,
    stream_of,
    submit_subjects,
)
from celeriac.wire.records import RecordKind, TaskRecord
from celeriac_operator.bus.room import Bounds
from celeriac_operator.bus.shared import share

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)


class FakeOperator:
    """Plays the operator for one namespace. It keeps what it took in ``taken``, by name."""

    def __init__(self, url: str, namespace: str, **options: Any) -> None:
        self.url, self.namespace, self.options = url, namespace, options
        self.taken: dict[str, TaskMessage] = {}
        self.deliveries: list[str] = []
        self.client = Client()
        self.js: JetStreamContext = self.client.jetstream()

    async def start(self, *queues: str) -> None:
        """Connect, and make what clients expect to be there."""
        self.client = await nats.connect(
            self.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=_quiet, **self.options
        )
        self.js = self.client.jetstream()
        await share(self.js, Bounds(), 1)
        for queue in queues:
            await self.queue(queue)

    async def stop(self) -> None:
        """Close the connection."""
        await self.client.close()

    async def queue(self, name: str, **bounds: Any) -> None:
        """Make the stream of a queue, as the operator does."""
        await self.js.add_stream(
            StreamConfig(
                name=stream_of(self.namespace, name),
                subjects=list(submit_subjects(self.namespace, name)),
                retention=RetentionPolicy.WORK_QUEUE,
                discard=DiscardPolicy.NEW,
                deny_delete=True,
                **bounds,
            )
        )

    async def take(self, queue: str = "default", count: int = 1) -> list[TaskMessage]:
        """Take so many messages out of the queue, in order."""
        pull = await self.js.pull_subscribe(
            f"celeriac.submit.{self.namespace}.{queue}.*", durable="intake", stream=stream_of(self.namespace, queue)
        )
        found: list[TaskMessage] = []
        async with asyncio.timeout(30):
            while len(found) < count:
                with suppress(nats.errors.TimeoutError):
                    for message in await pull.fetch(count - len(found), timeout=1):
                        found.append(decode(message.data))
                        await message.ack_sync()
        await pull.unsubscribe()
        self.taken |= {each.name or "": each for each in found}
        self.deliveries += [each.name or "" for each in found]
        return found

    async def held(self, queue: str = "default") -> int:
        """How many messages the queue holds."""
        return (await self.js.stream_info(stream_of(self.namespace, queue))).state.messages

    async def finish(self, name: str, outcome: str = "Succeeded", **record: Any) -> None:
        """Write the record of a task that has finished; ``value`` is what it returned."""
        if "value" in record:
            record["result"] = Result(value=record.pop("value"))
        await self.record(name, RecordKind.FINISHED, outcome, task_uid=f"uid-{name}", **record)

    async def bury(self, name: str, reason: str, message: str = "", **record: Any) -> None:
        """Write the record of a message that became no Task."""
        await self.record(name, RecordKind.DEAD, reason, message=message, **record)

    async def record(self, name: str, kind: RecordKind, outcome: str, **record: Any) -> None:
        """Write a record."""
        taken = self.taken.get(name)
        submission = taken.digest if taken is not None else None
        request = taken.annotations.get(REQUEST_DIGEST) if taken is not None else None
        known = {"submission": submission, "request_digest": request}
        given = {**known, "finish_time": NOW, "expire_time": NOW + timedelta(days=7)} | record
        written = TaskRecord(kind=kind, outcome=outcome, **given)
        store = await self.js.key_value(RESULTS_BUCKET)
        await store.put(record_key(self.namespace, name), written.model_dump_json(by_alias=True).encode())

    async def read(self, name: str) -> TaskRecord:
        """The record as it is."""
        entry = await (await self.js.key_value(RESULTS_BUCKET)).get(record_key(self.namespace, name))
        return TaskRecord.model_validate_json(entry.value or b"")

    async def forget(self, name: str) -> None:
        """Delete the record, as its collection does."""
        await (await self.js.key_value(RESULTS_BUCKET)).delete(record_key(self.namespace, name))

    async def event(self, name: str, phase: str, **event: Any) -> None:
        """Publish an event of a task."""
        written = TaskEvent(**({"time": NOW, "task_uid": f"uid-{name}", "phase": phase} | event))
        subject = event_subject(self.namespace, name, phase)
        await self.js.publish(subject, written.model_dump_json(by_alias=True).encode())

    async def store(self, key: str, data: bytes) -> None:
        """Put an object into the object store."""
        await _objects.put(self.js, key, data)

    async def stored(self, key: str) -> bytes:
        """An object of the object store."""
        return await _objects.get(self.js, key)


async def _quiet(_error: Exception) -> None:
    """Servers are killed on purpose."""
