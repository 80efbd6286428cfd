"""A task's record in NATS: it outlives the Task, and says whether its name has run. Pure.

Only Tasks that came by message have one. It is written before the terminal status, so that no deletion comes before it,
and looked up after the Task exists and before its first Job: to look first and create then would be a race.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from celeriac.api.v1alpha1 import LONGEST_CANCEL_REASON, Attempt, Phase, Result, TaskStatus
from celeriac.wire.events import DELETED
from celeriac.wire.names import PAYLOADS_BUCKET
from celeriac.wire.records import RecordKind, TaskRecord
from celeriac_operator.core import names
from celeriac_operator.core.facts import TaskFacts
from celeriac_operator.core.plan import Plan
from celeriac_operator.core.result import storable
from celeriac_operator.core.status import Saying, compose
from celeriac_operator.core.text import clipped, cut
from celeriac_operator.core.view import View
from celeriac_operator.core.waiting import waits

LOOK_AGAIN_SECONDS = 30
"""Whoever waits for NATS is told when it is there; this is for when that is lost."""
_LONGEST_MESSAGE = 4096
_PHASES = {
    names.SUCCEEDED: Phase.SUCCEEDED,
    names.CANCELLED: Phase.CANCELLED,
    names.EXPIRED: Phase.EXPIRED,
}


def phase_of(outcome: str) -> Phase:
    """The phase of a task that ended with this reason."""
    return _PHASES.get(outcome, Phase.FAILED)


def stands(record: TaskRecord, task: TaskFacts) -> bool:
    """Whether the record says how the task of this name ended. A dead letter does for its own message only."""
    if record.kind is RecordKind.FINISHED:
        return True
    return record.kind is RecordKind.DEAD and record.submission in (None, task.submission)


def record_of(task: TaskFacts, status: TaskStatus, retention: timedelta) -> TaskRecord | None:
    """The record of a Task with that terminal status."""
    finished = status.condition(names.FINISHED)
    if finished is None or finished.status != "True" or status.finish_time is None:
        return None
    return TaskRecord(
        kind=RecordKind.FINISHED,
        submission=task.submission,
        request_digest=task.request_digest,
        task_uid=task.uid,
        outcome=finished.reason,
        message=status.message or "",
        result=status.result,
        attempt_count=status.attempt_count or 0,
        attempts=status.attempts,
        create_time=status.create_time,
        start_time=status.start_time,
        finish_time=status.finish_time,
        expire_time=status.finish_time + retention,
    )


def record_of_deleted(task: TaskFacts, now: datetime, retention: timedelta) -> TaskRecord:
    """The record of a Task that somebody deleted before it had finished, as it was last seen."""
    return TaskRecord(
        kind=RecordKind.FINISHED,
        submission=task.submission,
        request_digest=task.request_digest,
        task_uid=task.uid,
        outcome=names.CANCELLED,
        message=names.DELETED_UNFINISHED,
        attempt_count=task.status.attempt_count or 0,
        attempts=task.status.attempts,
        create_time=task.created,
        start_time=task.status.start_time,
        finish_time=now,
        expire_time=now + retention,
    )


def status_of_deleted(status: TaskStatus) -> TaskStatus:
    """What the history tells of such a Task: one that is not there, and has no such end, was lost."""
    said = {"phase": Phase.CANCELLED, "reason": DELETED, "message": names.DELETED_UNFINISHED}
    return status.model_copy(update=said)


def recorded_already(view: View) -> Plan | None:
    """A record says how the task of this name ended: before a crash of ours, or as an earlier Task. So it ends."""
    record, task = view.world.records.task, view.task
    if record is None or task.submission is None or not stands(record, task):
        return None
    ours = record.task_uid == task.uid
    if not ours and decided_already(task.status):
        return None
    saying = Saying(phase_of(record.outcome), cut(record.outcome, 128), _message(record, ours=ours))
    result = _storable(record.result, task)
    status = compose(view, saying, attempt=_unclosed(view, record) if ours else None, result=result)
    return Plan(status=status.model_copy(update={"finish_time": record.finish_time}) if ours else status)


def decided_already(status: TaskStatus) -> bool:
    """The outcome is in the status, and only its end is not."""
    succeeded = status.condition(names.SUCCEEDED)
    return succeeded is not None and succeeded.status != "Unknown"


def _message(record: TaskRecord, *, ours: bool) -> str:
    said = clipped(record.message, _LONGEST_MESSAGE) or cut(record.outcome, 128)
    if ours:
        return said
    dead = record.kind is RecordKind.DEAD
    why = "Its message is a dead letter" if dead else "A task of this name has run before, and this is its outcome"
    return f"{why}: {said}"


def _unclosed(view: View, record: TaskRecord) -> Attempt | None:
    """The attempt whose end the record has and the status has not."""
    last = record.attempts[-1] if record.attempts else None
    known = view.task.status.attempts[-1] if view.task.status.attempts else None
    if last is None or (known is not None and known.number == last.number and known.finish_time is not None):
        return None
    return last


def _storable(result: Result | None, task: TaskFacts) -> Result | None:
    """The result, if a status can have it: others may write records, too."""
    if result is None:
        return None
    if result.ref is not None:
        of_the_namespace = result.ref.key.startswith(f"{task.key.namespace}.result.")
        return result if result.ref.bucket == PAYLOADS_BUCKET and of_the_namespace else None
    return result if storable(result.value) else None


def cancel_requested(view: View) -> Plan | None:
    """A client asks for the end by a record: that is as good as ``spec.cancel``, which is set."""
    record, task = view.world.records.task, view.task
    if record is None or task.submission is None or task.spec.cancel is not None:
        return None
    reason = _cancel_in(record, task)
    return None if reason is None else Plan(cancel=cut(reason, LONGEST_CANCEL_REASON))


def _cancel_in(record: TaskRecord, task: TaskFacts) -> str | None:
    """A dead letter of the name may have come over the request; the Task that it was meant for is another message's."""
    if record.kind is RecordKind.CANCEL_REQUESTED and record.submission in (None, task.submission):
        return record.message
    return record.cancel if record.kind is RecordKind.DEAD and not stands(record, task) else None


def record_unknown(view: View) -> Plan | None:
    """Whether the name has run before is not known: a message may come again long after its Task was deleted."""
    records = view.world.records
    if view.task.submission is None or records.bus == "Off" or records.looked_up or view.task.status.attempts:
        return None
    message = "Waiting: NATS does not answer, and only its records say whether this task has run before"
    saying = Saying(Phase.QUEUED, names.BUS_UNAVAILABLE, message)
    return waits(view, saying, until=view.soon(LOOK_AGAIN_SECONDS))
