"""A task as its record or its last event tells it: the snapshot that the API server's object is elsewhere. Pure."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from celeriac._phase import Phase
from celeriac._task import Task, cancel_reason, parse_task
from celeriac.api.v1alpha1 import LONGEST_CANCEL_REASON, TERMINAL_PHASES, Cancel
from celeriac.wire.escape import cut
from celeriac.wire.events import TaskEvent
from celeriac.wire.records import RecordKind, TaskRecord

WAITING = "The operator has not taken it: NATS holds it, unless nobody submitted a task of this name"
LONGEST_CONDITION_MESSAGE = 1024
CALLED_OFF = "It is cancelled and will not run; it ends when the operator takes it, if delayed shortly before its time"


def ends(record: TaskRecord | None) -> bool:
    """Does the record say how the task ended? A wish to cancel does not."""
    return record is not None and record.kind is not RecordKind.CANCEL_REQUESTED


def task_of(namespace: str, name: str, record: TaskRecord | None, event: TaskEvent | None, now: datetime) -> Task:
    """The task in what is known of it: its record if that ends it, else its last event, else nothing but its name."""
    if record is not None and ends(record):
        return finished(namespace, name, record)
    if event is not None:
        return _under_way(namespace, name, event, record)
    return _backlogged(namespace, name, record, now)


def finished(namespace: str, name: str, record: TaskRecord) -> Task:
    """The finished task. One that never was a Task has no uid."""
    reason = cancel_reason(record.message)[:LONGEST_CANCEL_REASON]
    spec = {"cancel": Cancel(reason=reason).to_wire()} if record.outcome == "Cancelled" else {}
    phase = _phase_of(record.outcome)
    status = {
        "phase": phase,
        "reason": record.outcome,
        "message": record.message,
        "conditions": _conditions(record.outcome, phase, record.message, record.finish_time),
        "attempts": [attempt.to_wire() for attempt in record.attempts],
        "attemptCount": record.attempt_count,
        "createTime": _text(record.create_time),
        "startTime": _text(record.start_time),
        "finishTime": _text(record.finish_time),
    }
    if record.result is not None:
        status["result"] = record.result.to_wire()
    return _task(namespace, name, record.task_uid, spec, status, record.create_time or record.finish_time)


def _under_way(namespace: str, name: str, event: TaskEvent, record: TaskRecord | None) -> Task:
    phase = event.phase if event.phase in set(Phase) - {Phase.BACKLOGGED} else None
    status: dict[str, Any] = {"phase": phase, "reason": event.reason[:128], "message": event.message}
    if event.attempt is not None:
        status["attemptCount"] = event.attempt
    if event.phase in TERMINAL_PHASES:
        outcome = event.reason or event.phase
        conditions = _conditions(outcome, Phase(event.phase), event.message, event.time)
        status |= {"conditions": conditions, "finishTime": _text(event.time)}
    return _task(namespace, name, event.task_uid, _cancelling(record), status, submitted_at(name) or event.time)


def _backlogged(namespace: str, name: str, record: TaskRecord | None, now: datetime) -> Task:
    """Its phase is Backlogged, because it has no uid and no phase of its own."""
    message = WAITING if record is None else CALLED_OFF
    return _task(namespace, name, None, _cancelling(record), {"message": message}, submitted_at(name) or now)


def _cancelling(record: TaskRecord | None) -> dict[str, Any]:
    """The wish, in the form that the operator gives it when it follows it."""
    return {} if record is None else {"cancel": Cancel(reason=cut(record.message, LONGEST_CANCEL_REASON)).to_wire()}


def _task(
    namespace: str, name: str, uid: str | None, spec: dict[str, Any], status: dict[str, Any], created: datetime
) -> Task:
    meta = {"name": name, "namespace": namespace, "uid": uid or "", "creationTimestamp": created.isoformat()}
    return parse_task({"metadata": meta, "spec": spec, "status": {k: v for k, v in status.items() if v is not None}})


def _phase_of(outcome: str) -> Phase:
    return Phase(outcome) if outcome in TERMINAL_PHASES else Phase.FAILED


def _conditions(outcome: str, phase: Phase, message: str, time: datetime) -> list[dict[str, Any]]:
    """The two conditions that say that it has ended, how, and why: in the words that the operator's have."""
    pairs = (("Finished", "True"), ("Succeeded", "True" if phase is Phase.SUCCEEDED else "False"))
    why = {"reason": outcome, "message": cut(message, LONGEST_CONDITION_MESSAGE)}
    return [{"type": type_, "status": truth, "lastTransitionTime": time.isoformat()} | why for type_, truth in pairs]


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def submitted_at(name: str) -> datetime | None:
    """When a name that the client made up was made, which a UUID of version 7 says; None for any other name."""
    try:
        value = uuid.UUID(name)
    except ValueError:
        return None
    return datetime.fromtimestamp((value.int >> 80) / 1000, UTC) if value.version == 7 else None
