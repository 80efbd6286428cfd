"""Streams and dead letters against Tasks, records and events. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from celeriac._records import ends
from celeriac._task import Task, parse_time
from celeriac.audit.evidence import Bus, Evidence, Stream, Waiting
from celeriac.audit.finding import Finding, Weight, at
from celeriac.wire.names import SUBMISSION, SUBMIT_TIME, stream_of
from celeriac.wire.records import RecordKind

TICK = timedelta(milliseconds=1)
"""Streams count nanoseconds, annotations microseconds."""


def streams_put_back(evidence: Evidence) -> Iterator[Finding]:
    """A stream that is older than a Task which came through it has forgotten messages, and nobody knows which."""
    if evidence.bus is None:
        return
    streams = {stream.name: stream for stream in evidence.bus.streams}
    for name, (task, taken) in sorted(_newest_through(evidence).items()):
        stream = streams.get(name)
        last = _last_time(stream)
        if last is None or taken > last + TICK:
            yield _put_back(name, task, taken, last)


def _newest_through(evidence: Evidence) -> dict[str, tuple[Task, datetime]]:
    """By stream the Task that came through it last, and when the stream took its message."""
    newest = dict[str, tuple[Task, datetime]]()
    for task in evidence.tasks:
        taken = _taken(task)
        name = stream_of(task.namespace, task.queue)
        if taken is not None and (name not in newest or taken > newest[name][1]):
            newest[name] = task, taken
    return newest


def _taken(task: Task) -> datetime | None:
    """When a stream took the Task's message; None where it came another way, or somebody has edited that."""
    if SUBMISSION not in task.annotations:
        return None
    try:
        return parse_time(task.annotations.get(SUBMIT_TIME, ""))
    except ValueError:
        return None


def _last_time(stream: Stream | None) -> datetime | None:
    return stream.last_time if stream is not None else None


def _put_back(stream: str, task: Task, taken: datetime, last: datetime | None) -> Finding:
    state = "has never taken a message, or is not there" if last is None else f"took its last message at {at(last)}"
    since = "all" if last is None else f"all after {at(last)}"
    found = (
        f"it {state}, yet Task {task.name} came through it at {at(taken)}: it is an older copy. Messages that it "
        f"had acknowledged ({since}) and that were no Tasks yet are gone, and nothing says which"
    )
    advice = f"have programs submit again what they submitted to queue {task.queue} since; with the same names or keys"
    return Finding(Weight.LOST, task.namespace, stream, found, f"{advice} nothing runs twice")


def messages_that_wait(evidence: Evidence) -> Iterator[Finding]:
    """Messages that have been a Task, a record or a dead letter before: they were acknowledged, and are there again."""
    if evidence.bus is not None:
        for message in evidence.bus.waiting:
            finding = _of_waiting(evidence, evidence.bus, message)
            if finding is not None:
                yield finding


def _of_waiting(evidence: Evidence, bus: Bus, message: Waiting) -> Finding | None:
    return (
        _without_queue(evidence, message)
        or _known_as_task(evidence, message)
        or _known_as_record(bus, message)
        or _known_as_letter(bus, message)
        or _has_begun(evidence, bus, message)
        or _without_params(bus, message)
    )


def _without_queue(evidence: Evidence, message: Waiting) -> Finding | None:
    if (message.namespace, message.queue) in evidence.queues:
        return None
    return _finding(
        Weight.NOTE, message, f"it waits, and TaskQueue {message.queue} is not there",
        f"create TaskQueue {message.queue} again, or: celeriac queues delete {message.queue} --purge",
    )  # fmt: skip


def _known_as_task(evidence: Evidence, message: Waiting) -> Finding | None:
    task = evidence.task_of.get((message.namespace, message.name or ""))
    if task is None or task.annotations.get(SUBMISSION) != message.digest:
        return None
    return _finding(
        Weight.NOTE, message, "it is a Task already", "nothing: the operator acknowledges it as a duplicate"
    )


def _known_as_record(bus: Bus, message: Waiting) -> Finding | None:
    record = bus.records.get((message.namespace, message.name or ""))
    if record is None or record.kind is not RecordKind.FINISHED or record.submission != message.digest:
        return None
    return _finding(
        Weight.NOTE, message, f"it has ended before ({record.outcome}), as its record says",
        "nothing: its Task will end with that outcome, and no process starts",
    )  # fmt: skip


def _known_as_letter(bus: Bus, message: Waiting) -> Finding | None:
    if (message.namespace, message.digest) not in bus.buried_digests:
        return None
    return _finding(
        Weight.AGAIN, message, "it is a dead letter, too",
        "look at it: celeriac dead list; drop the letter if the message is to run now",
    )  # fmt: skip


def _has_begun(evidence: Evidence, bus: Bus, message: Waiting) -> Finding | None:
    key = (message.namespace, message.name or "")
    event = bus.events.get(key)
    if event is None or event.task_uid is None or key in evidence.task_of:
        return None
    return _finding(
        Weight.AGAIN, message,
        f"its Task was {event.phase} at {at(event.time)} and is gone, with no record of its end: it runs again",
        f"if it must not: celeriac cancel {message.name} -n {message.namespace}, before the operator is started",
    )  # fmt: skip


def _without_params(bus: Bus, message: Waiting) -> Finding | None:
    if message.params is None or message.params in bus.objects:
        return None
    return _finding(
        Weight.LOST, message, f"its params ({message.params}) are not in the object store: it will fail",
        "submit it again: that puts the params there again",
    )  # fmt: skip


def letters_and_tasks(evidence: Evidence) -> Iterator[Finding]:
    """A message is a Task or a dead letter, never both; and whoever waits for a dead one is told by its record."""
    if evidence.bus is None:
        return
    for letter in evidence.bus.buried:
        key = (letter.namespace, letter.name or "")
        task = evidence.task_of.get(key)
        if task is not None and task.annotations.get(SUBMISSION) == letter.digest:
            yield Finding(
                Weight.NOTE, letter.namespace, task.name,
                f"it is a Task and dead letter {letter.number} ({letter.reason})",
                f"do not replay the letter: celeriac dead drop {letter.number}",
            )  # fmt: skip


def records_without_letters(evidence: Evidence) -> Iterator[Finding]:
    """A record tells of a dead letter that is not there: somebody dropped it, or the letters are an older copy."""
    if evidence.bus is None:
        return
    names = {(each.namespace, each.name) for each in evidence.bus.buried} | evidence.bus.names_that_wait
    for key, record in evidence.bus.records.items():
        if record.kind is RecordKind.DEAD and key not in names and key not in evidence.task_of:
            yield Finding(
                Weight.NOTE, *key,
                f"its record says that it became a dead letter ({record.outcome}), and there is none",
                "if nobody dropped it, the dead letters are an older copy: have it submitted again under another name",
            )  # fmt: skip


def wishes_for_nothing(evidence: Evidence) -> Iterator[Finding]:
    """Somebody asked to cancel what is neither a Task nor a message."""
    if evidence.bus is None:
        return
    for key, record in evidence.bus.records.items():
        if not ends(record) and key not in evidence.task_of and key not in evidence.bus.names_that_wait:
            yield Finding(
                Weight.NOTE, *key,
                "somebody asked to cancel it, and it is neither a Task nor a message",
                "nothing, if its message is never published; else its message or its Task is gone: ask its submitter",
            )  # fmt: skip


def _finding(weight: Weight, message: Waiting, found: str, advice: str) -> Finding:
    name = message.name or f"{message.stream}.{message.sequence}"
    return Finding(weight, message.namespace, name, f"a message in {message.stream}: {found}", advice)
