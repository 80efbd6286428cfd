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
