"""The record of a message that became a dead letter: its submitter's ``get()`` raises it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from celeriac import errors
from celeriac.wire import identity
from celeriac.wire.message import MalformedMessage, TaskMessage
from celeriac.wire.names import RESULTS_BUCKET, record_key
from celeriac.wire.records import RecordKind, TaskRecord

KEPT = timedelta(days=7)
"""So long ``get()`` can learn of it by default; the dead letter itself stays until somebody drops it."""


def retention(env: Mapping[str, str]) -> timedelta:
    """As long as the operator keeps records, where ``CELERIAC_RECORD_RETENTION_DAYS`` says it here, too."""
    try:
        return timedelta(days=float(env.get("CELERIAC_RECORD_RETENTION_DAYS") or KEPT.days))
    except (ValueError, OverflowError):
        raise errors.InvalidTask("CELERIAC_RECORD_RETENTION_DAYS is no number of days.") from None


def dead_record(
    message: TaskMessage | MalformedMessage,
    data: bytes,
    reason: str,
    why: str,
    submitted: datetime | None,
    now: datetime,
    kept: timedelta = KEPT,
) -> TaskRecord:
    """What is recorded of a message that has died."""
    annotations = message.annotations if isinstance(message, TaskMessage) else {}
    return TaskRecord(
        kind=RecordKind.DEAD,
        submission=identity.digest_of(message, data),
        request_digest=identity.request_of(annotations),
        outcome=reason,
        message=why,
        create_time=submitted,
        finish_time=now,
        expire_time=now + kept,
    )


async def find_record(js: JetStreamContext, namespace: str, name: str) -> TaskRecord | None:
    """What is recorded under the name; None: nothing that this version can read."""
    try:
        return read_record(await (await js.key_value(RESULTS_BUCKET)).get(record_key(namespace, name)))
    except KeyNotFoundError:
        return None


async def put_dead_record(js: JetStreamContext, namespace: str, name: str, record: TaskRecord) -> None:
    """Record it, unless something is recorded under the name: only a request to cancel is answered by it."""
    records = await js.key_value(RESULTS_BUCKET)
    key = record_key(namespace, name)
    try:
        await records.create(key, record.to_json())
    except KeyWrongLastSequenceError:
        await _replace_cancel(records, key, record)


async def take_back_dead_record(js: JetStreamContext, namespace: str, name: str, digest: str) -> None:
    """The message with this digest is to have another chance: its Task would end at once by its record."""
    records, key = await js.key_value(RESULTS_BUCKET), record_key(namespace, name)
    try:
        entry = await records.get(key)
        known = read_record(entry)
        if known is None or known.kind is not RecordKind.DEAD or known.submission not in (None, digest):
            return
        if known.cancel is None:
            await records.delete(key, last=entry.revision)
        else:
            await records.update(key, _cancel_of(known, known.cancel).to_json(), last=entry.revision)
    except (KeyNotFoundError, KeyWrongLastSequenceError):
        return


def read_record(entry: KeyValue.Entry) -> TaskRecord | None:
    """The record; None where it is none that this version can read."""
    try:
        return TaskRecord.model_validate_json(entry.value or b"")
    except ValueError:
        return None


async def _replace_cancel(records: KeyValue, key: str, record: TaskRecord) -> None:
    """The request is kept in it, as anybody may send a message of that name. Other records are of tasks, and stay."""
    try:
        entry = await records.get(key)
        known = read_record(entry)
        if known is not None and known.kind is RecordKind.CANCEL_REQUESTED:
            value = record.model_copy(update={"cancel": known.message}).to_json()
            await records.update(key, value, last=entry.revision)
    except (KeyNotFoundError, KeyWrongLastSequenceError):
        return  # it has changed just now: whoever changed it knows more


def _cancel_of(dead: TaskRecord, reason: str) -> TaskRecord:
    """The request to cancel as it was."""
    return TaskRecord(
        kind=RecordKind.CANCEL_REQUESTED,
        outcome="Cancelled",
        message=reason,
        finish_time=dead.finish_time,
        expire_time=dead.expire_time,
    )
