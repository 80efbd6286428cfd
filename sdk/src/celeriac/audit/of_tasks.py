"""Tasks, their Jobs, records, results and events, against each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from celeriac._records import ends
from celeriac._task import Task
from celeriac.api.v1alpha1 import TERMINAL_PHASES
from celeriac.audit.evidence import Bus, Evidence, Key
from celeriac.audit.finding import Finding, Weight, at
from celeriac.wire.events import DELETED, TaskEvent
from celeriac.wire.names import SUBMISSION
from celeriac.wire.records import RecordKind, TaskRecord

SWEEP = timedelta(hours=1)
"""The operator deletes what has expired within minutes."""


def tasks_that_are_gone(evidence: Evidence) -> Iterator[Finding]:
    """The history knows of a Task that had not ended, and there is neither the Task nor a record nor a message."""
    bus = evidence.bus
    if bus is None:
        return
    for key, event in bus.events.items():
        known = key in evidence.task_of or ends(bus.records.get(key)) or key in bus.names_that_wait
        if event.task_uid is not None and not known:
            yield from _gone(key, event)


def _gone(key: Key, event: TaskEvent) -> Iterator[Finding]:
    when = at(event.time)
    if event.phase not in TERMINAL_PHASES:
        again = f"celeriac history {key[1]} -n {key[0]}; submit it again if it is still needed"
        found = f"its Task was {event.phase} at {when}, and there is neither the Task nor a record of its end"
        yield Finding(Weight.LOST, *key, found, f"{again}. Its process may have run, even to its end")
    elif event.reason == DELETED:
        found = f"its Task was deleted at {when}, before it had finished"
        yield Finding(Weight.NOTE, *key, found, "nothing, if somebody meant it; else submit it again")


def records_and_tasks(evidence: Evidence) -> Iterator[Finding]:
    """What the record of a task says of its Task."""
    for key, record in evidence.bus.records.items() if evidence.bus is not None else ():
        task = evidence.task_of.get(key)
        if record.kind is RecordKind.FINISHED and task is not None and task.uid == record.task_uid:
            yield from _same_end(task, record)


def _same_end(task: Task, record: TaskRecord) -> Iterator[Finding]:
    key = (task.namespace, task.name)
    if not task.finished:
        found = f"its record says that it has ended ({record.outcome}), and its Task is {task.phase}"
        yield Finding(Weight.NOTE, *key, found, "nothing: the operator ends the Task as recorded")
    elif task.outcome != record.outcome:
        found = f"its Task says {task.outcome}, its record {record.outcome}"
        yield Finding(Weight.LOST, *key, found, "one of the two is wrong, which must not be: report it, with both")


def records_beyond_their_time(evidence: Evidence) -> Iterator[Finding]:
    """Records that should have been deleted."""
    for key, record in evidence.bus.records.items() if evidence.bus is not None else ():
        if record.expire_time + SWEEP < evidence.now:
            found = f"its record expired at {record.expire_time:%Y-%m-%d %H:%M} UTC, and is still there"
            yield Finding(Weight.NOTE, *key, found, "nothing, where an operator runs that is connected to NATS")


def tasks_without_record(evidence: Evidence) -> Iterator[Finding]:
    """A Task that came by message has a record before its terminal status."""
    bus = evidence.bus
    for task in evidence.tasks if bus is not None else ():
        key = (task.namespace, task.name)
        if task.finished and SUBMISSION in task.annotations and not _has_record(bus, key):
            found = f"it has ended ({task.outcome}), and NATS has no record of it: the records are an older copy"
            advice = "nothing: the operator writes it before the Task is deleted; whoever waits in get() waits so long"
            yield Finding(Weight.NOTE, *key, found, advice)


def _has_record(bus: Bus | None, key: Key) -> bool:
    return bus is not None and ends(bus.records.get(key))


def results_that_are_missing(evidence: Evidence) -> Iterator[Finding]:
    """A Task or a record refers to a large result that is not in the object store."""
    bus = evidence.bus
    if bus is None:
        return
    named = {(task.namespace, task.name): task.status.result for task in evidence.tasks}
    named |= {key: record.result for key, record in bus.records.items() if record.result is not None}
    for key, result in named.items():
        if result is not None and result.ref is not None and result.ref.key not in bus.objects:
            found = f"it succeeded, and its result ({result.ref.key}) is not in the object store"
            yield Finding(Weight.LOST, *key, found, "run it again if its result is needed: celeriac retry, or submit")


def params_that_are_missing(evidence: Evidence) -> Iterator[Finding]:
    """A Task that is to run refers to large params that are not in the object store."""
    objects = evidence.bus.objects if evidence.bus is not None else None
    for task in evidence.tasks if objects is not None else ():
        ref = task.spec.params_ref
        if ref is not None and not task.finished and ref.key not in (objects or ()):
            found = f"its params ({ref.key}) are not in the object store: it will fail"
            advice = "submit it again under another name: that puts the params there again"
            yield Finding(Weight.LOST, task.namespace, task.name, found, advice)


def attempts_that_ran(evidence: Evidence) -> Iterator[Finding]:
    """A runner has recorded an attempt that the Task knows nothing of: the Task is an older copy."""
    for task in evidence.tasks:
        ran, known = _attempts(evidence.bus, task), task.status.attempt_count or 0
        if ran > known and not task.finished:
            found = f"attempt {ran} has run to its end, and its Task knows of {known}"
            advice = f"its process starts again; if it must not: celeriac cancel {task.name} -n {task.namespace}"
            yield Finding(Weight.AGAIN, task.namespace, task.name, found, f"{advice}, before the operator is started")


def _attempts(bus: Bus | None, task: Task) -> int:
    return bus.attempts.get((task.namespace, task.uid), 0) if bus is not None else 0


def attempts_without_job(evidence: Evidence) -> Iterator[Finding]:
    """An attempt is under way, and its Job is not there."""
    for task in evidence.tasks:
        last = task.status.attempts[-1] if task.status.attempts else None
        if task.finished or last is None or last.finish_time is not None:
            continue
        if (task.namespace, last.job_name) not in evidence.job_names:
            found = f"attempt {last.number} is under way, and its Job {last.job_name} is not there"
            advice = (
                "nothing: the operator counts it as JobLost, and the retry policy decides; its process may have run"
            )
            yield Finding(Weight.AGAIN, task.namespace, task.name, found, advice)


def jobs_without_task(evidence: Evidence) -> Iterator[Finding]:
    """A Job whose Task is not there, or is another object of that name: restored object by object, say."""
    for job in evidence.jobs:
        if job.owner_kind == "Task" and job.owner_uid not in evidence.uids:
            found = f"Job {job.name} belongs to a Task that is not there (uid {job.owner_uid}); its process may run"
            advice = f"Kubernetes deletes it by itself; if it is still there in minutes: kubectl delete job {job.name}"
            yield Finding(Weight.NOTE, job.namespace, job.name, found, f"{advice} -n {job.namespace}")
