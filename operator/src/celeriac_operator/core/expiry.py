"""When a record in NATS has had its time. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from celeriac.wire.records import TaskRecord


def expired(key: str, value: bytes | None, stored: datetime, now: datetime, retention: timedelta) -> bool:
    """Whether the record can go: a task's when it says so, any other once it is as old as records get.

    Args:
        key: ``<namespace>.<task>``, or ``<namespace>.<task uid>.<attempt>`` or something longer.
        value: None: it was deleted already, and only the note of that is left.
        stored: when it was written.
    """
    if value is not None and key.count(".") == 1:
        try:
            return TaskRecord.model_validate_json(value).expire_time <= now
        except (ValueError, RecursionError):
            pass  # it is no record
    return stored + retention <= now


def task_of(key: str) -> str | None:
    """The uid of the Task that a key is about, and that the record's time depends on: while the Task is there it stays.

    Without the claim of an attempt that runs for longer than records are kept, the next operator would take the attempt
    for one that has not begun, and give it to another pod.
    """
    _, *of = key.split(".")
    if of[:1] == ["claim"] and len(of) > 1:
        of = of[1:]
    return of[0] if len(of) > 1 else None
