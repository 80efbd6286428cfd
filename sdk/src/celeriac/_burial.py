"""The record of a message that became a dead letter: its submitter's ``get()`` raises it."""

from __future__ import annotations

from datetime import datetime, timedelta

from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from celeriac.wire.names import RESULTS_BUCKET, record_key
from celeriac.wire.records import RecordKind, TaskRecord

KEPT = timedelta(days=7)
"""So long ``get()`` can learn of it; the dead letter itself stays until somebody drops it."""


def dead_record(digest: str, reason: str, message: str, submitted: datetime | None, now: datetime) -> TaskRecord:
    """What is recorded of a message that has died."""
    return TaskRecord(
        kind=RecordKind.DEAD,
        submission=digest,
        outcome=reason,
        message=message,
        create_time=submitted,
        finish_time=now,
        expire_time=now + KEPT,
    )


async def put_dead_record(js: JetStreamContext, namespace: str, name: str, record: TaskRecord) -> None:
    """Record it, unless something is recorded under the name: only a request to cancel is answered by it."""
    records = await js.key_value(RESULTS_BUCKET)
    key, value = record_key(namespace, name), record.to_json()
    try:
        await records.create(key, value)
    except KeyWrongLastSequenceError:
        await _replace_cancel(records, key, value)


async def take_back_dead_record(js: JetStreamContext, namespace: str, name: str, digest: str) -> None:
    """The message with this digest is to have another chance: its Task would end at once by its record."""
    records, key = await js.key_value(RESULTS_BUCKET), record_key(namespace, name)
    try:
        entry = await records.get(key)
        known = read_record(entry)
        if known is not None and known.kind is RecordKind.DEAD and known.submission in (None, digest):
            await records.delete(key, last=entry.revision)
    except (KeyNotFoundError, KeyWrongLastSequenceError):
        return


def read_record(entry: KeyValue.Entry) -> TaskRecord | None:
    """The record; None where it is none that this version can read."""
    try:
        return TaskRecord.model_validate_json(entry.value or b"")
    except ValueError:
        return None


async def _replace_cancel(records: KeyValue, key: str, value: bytes) -> None:
    """Any other record is of a task that was there, and stays."""
    try:
        entry = await records.get(key)
        known = read_record(entry)
        if known is not None and known.kind is RecordKind.CANCEL_REQUESTED:
            await records.update(key, value, last=entry.revision)
    except (KeyNotFoundError, KeyWrongLastSequenceError):
        return  # it has changed just now: whoever changed it knows more
