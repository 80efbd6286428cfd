"""The one invariant checker: what must hold of a log of facts, whoever wrote it. Pure.

``violations`` must be empty at any moment; ``unsettled`` once all faults have stopped and everybody had time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

Obj = dict[str, Any]
F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Promised:
    """A client was told that its message is durable."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """NATS was told to forget a message."""

    digest: str
    origin: str
    delayed: bool = False
    """It had been put aside until its time, and this was that copy."""


@dataclass(frozen=True, slots=True)
class Delayed:
    """A message was put aside until its time."""

    digest: str
    origin: str


@dataclass(frozen=True, slots=True)
class Buried:
    """A message became a dead letter."""

    name: str
    digest: str
    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class Made:
    """A Task was created; by a message where it has a digest."""

    uid: str
    name: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """A Task was deleted."""

    uid: str


@dataclass(frozen=True, slots=True)
class JobMade:
    """An attempt's Job was created."""

    uid: str
    attempt: int
    queue: str = ""
    late: bool = False
    """By an operator that had died before its request was carried out."""


@dataclass(frozen=True, slots=True)
class JobTaken:
    """Somebody else deleted a Job, or its controller made a second pod: that attempt may start again."""

    uid: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Started:
    """A process has begun."""

    uid: str
    attempt: int
    pod: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A process has ended."""

    uid: str
    attempt: int
    pod: str
    code: int


@dataclass(frozen=True, slots=True)
class Wrote:
    """A Task's status was written."""

    uid: str
    status: Obj = field(hash=False)
    given_up: bool = False
    """Its writer did not wait for the answer any more, and may have read the Task once more before."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Something was stored under a key of the records."""

    key: str
    record: Obj = field(hash=False)


Fact = Promised | Dropped | Delayed | Buried | Made | Deleted | JobMade | JobTaken | Started | Ended | Wrote | Recorded
Facts = Sequence[Fact]
Rule = Callable[[Facts], Iterator[str]]


def violations(facts: Facts, slots: dict[str, int] | None = None) -> list[str]:
    """What is wrong, in sentences; nothing, if all is well.

    Args:
        slots: how many Tasks of a queue may have an attempt under way, where that never changed.
    """
    return [f"{rule.__name__}: {found}" for rule in RULES for found in rule(facts)] + list(_slots(facts, slots or {}))


def unsettled(facts: Facts) -> list[str]:
    """What has not come to its end."""
    return [f"{rule.__name__}: {found}" for rule in ENDS for found in rule(facts)]


def finished(status: Obj) -> bool:
    """Whether it is terminal."""
    return _condition(status, "Finished") == "True"


def of_write(old: Obj, new: Obj, *, taken_back: bool = False) -> list[str]:
    """What is wrong with one status that replaces another.

    Args:
        taken_back: the last attempt is one that its pod will never run: it has not begun.
    """
    numbers = [attempt["number"] for attempt in new.get("attempts", ())]
    count, before = new.get("attemptCount", 0), old.get("attemptCount", 0)
    outcome = _condition(old, "Succeeded") or "Unknown"
    ends = finished(new)
    checks = {
        "a write that changes nothing": new == old,
        "what a finished Task says was changed": finished(old) and said(new) != said(old),
        "a status without a message": not new.get("message"),
        f"attempt numbers {numbers} of {count}": numbers != list(range(count - len(numbers) + 1, count + 1)),
        "an attempt was skipped": count > before + 1,
        "an attempt was lost": count < before - taken_back,
        "an outcome has changed": outcome not in ("Unknown", _condition(new, "Succeeded")),
        "it has ended without an outcome": ends and _condition(new, "Succeeded") == "Unknown",
    }
    return [what for what, wrong in checks.items() if wrong] + _beyond_policy(new, count)


def said(status: Obj) -> Obj:
    """All but of which generation of the spec it is."""
    conditions = [{**each, "observedGeneration": None} for each in status.get("conditions", ())]
    return {**status, "observedGeneration": None, "conditions": conditions}


def _beyond_policy(new: Obj, count: int) -> list[str]:
    policy = new["effective"]["retry"] if new.get("effective") else {"maxAttempts": 1, "maxDisruptions": 0}
    lost = new.get("disruptionCount", 0)
    checks = {
        "too many disruptions": lost > policy["maxDisruptions"] + 1,
        "too many attempts": count - lost > policy["maxAttempts"],
    }
    return [what for what, wrong in checks.items() if wrong]


def _condition(status: Obj, type_: str) -> str | None:
    return next((str(c["status"]) for c in status.get("conditions", ()) if c["type"] == type_), None)


# ---- what holds at any moment


def an_attempt_starts_once(facts: Facts) -> Iterator[str]:
    """Unless somebody else interfered, one process for each attempt."""
    starts = Counter((fact.uid, fact.attempt) for fact in _kind(facts, Started))
    taken = {(fact.uid, fact.attempt) for fact in _kind(facts, JobTaken)}
    yield from (f"{which} started {times} times" for which, times in starts.items() if times > 1 and which not in taken)


def a_recorded_attempt_gets_no_job(facts: Facts) -> Iterator[str]:
    """Once the status tells of an attempt, its Job is never made again, whoever deleted it. What was taken back from a
    pod that waited has never begun. A Job that is deleted before the status tells of it may be made again, also where
    the write of that comes so late that nobody waits for it."""
    told: dict[tuple[str, int], str | None] = {}
    taken: set[tuple[str, int]] = set()
    for fact in facts:
        match fact:
            case JobTaken(uid, attempt):
                taken.add((uid, attempt))
            case Wrote(uid, status, given_up):
                tells = {(uid, each["number"]): each.get("podUID") for each in status.get("attempts", ())}
                told |= {which: pod for which, pod in tells.items() if not (given_up and which in taken - told.keys())}
            case Recorded(key, {"author": "Operator", "taskUid": uid, "attempt": attempt, "podUID": pod}) if (
                ".claim." in key and told.get((uid, attempt)) == pod
            ):
                del told[uid, attempt]
            case JobMade(uid, attempt) if (uid, attempt) in told:
                yield f"{uid} attempt {attempt}"
            case _:
                pass


def a_terminal_state_stays(facts: Facts) -> Iterator[str]:
    """What a Task says once it has finished, it says for ever."""
    ended: dict[str, Obj] = {}
    for fact in _kind(facts, Wrote):
        if fact.uid in ended and said(fact.status) != said(ended[fact.uid]):
            yield f"{fact.uid}: {ended[fact.uid].get('phase')} became {fact.status.get('phase')}"
        elif finished(fact.status):
            ended[fact.uid] = fact.status


def attempts_do_not_overlap(facts: Facts) -> Iterator[str]:
    """The next one begins when no process of the last runs any more."""
    running: dict[str, set[tuple[int, str]]] = {}
    for fact in facts:
        if isinstance(fact, Started):
            others = running.setdefault(fact.uid, set())
            if earlier := [number for number, _ in others if number < fact.attempt]:
                yield f"{fact.uid}: attempt {fact.attempt} began while {earlier} ran"
            others.add((fact.attempt, fact.pod))
        elif isinstance(fact, Ended):
            running.get(fact.uid, set()).discard((fact.attempt, fact.pod))


def nothing_runs_after_a_success(facts: Facts) -> Iterator[str]:
    """A process that ended well was the last, where nobody took its Job away."""
    taken = {(fact.uid, fact.attempt) for fact in _kind(facts, JobTaken)}
    well: dict[str, int] = {}
    for fact in facts:
        if isinstance(fact, Ended) and fact.code == 0 and (fact.uid, fact.attempt) not in taken:
            well[fact.uid] = fact.attempt
        elif isinstance(fact, Started) and fact.attempt > well.get(fact.uid, fact.attempt):
            yield f"{fact.uid}: attempt {fact.attempt} after {well[fact.uid]} had succeeded"


def a_message_is_something_before_it_is_forgotten(facts: Facts) -> Iterator[str]:
    """A Task, a record, a dead letter, or the copy that waits for its time: first that, then the acknowledgement."""
    durable: set[str] = set()
    waiting: set[str] = set()
    for fact in facts:
        match fact:
            case Made(digest=str(digest)) | Buried(digest=digest):
                durable.add(digest)
            case Delayed(digest=digest):
                waiting.add(digest)
            case Recorded(record=record) if record.get("submission") is not None:
                durable.add(record["submission"])
            case Dropped(digest, origin, delayed) if digest not in (durable if delayed else durable | waiting):
                yield f"{origin} ({digest})"
            case _:
                pass


def what_was_buried_never_runs(facts: Facts) -> Iterator[str]:
    """A message is a Task or a dead letter, and not both.

    Of one whose name was another's, another copy may run. And a Task that somebody deletes before its message was
    acknowledged is forgotten: the message comes again, and may be too old by then.
    """
    came: dict[str, tuple[str, str | None]] = {}
    made: set[str] = set()
    buried: set[tuple[str, str | None]] = set()
    for fact in facts:
        match fact:
            case Made(uid, name, digest):
                came[uid] = name, digest
            case Deleted(uid):
                if came.get(uid) not in buried:
                    came.pop(uid, None)
            case JobMade(uid=uid):
                made.add(uid)
            case Buried(name, digest, _, reason) if reason != "NameReused":
                buried.add((name, digest))
            case _:
                pass
    yield from (f"{which}" for uid, which in came.items() if uid in made and which in buried)


def what_has_its_task_is_no_reuse_of_its_name(facts: Facts) -> Iterator[str]:
    """A message that comes again is a duplicate while its Task is there."""
    there: dict[str, tuple[str, str | None]] = {}
    for fact in facts:
        match fact:
            case Made(uid, name, digest):
                there[uid] = name, digest
            case Deleted(uid):
                there.pop(uid, None)
            case Buried(name, digest, _, "NameReused") if (name, digest) in there.values():
                yield f"{name} ({digest})"
            case _:
                pass


def what_is_recorded_stays(facts: Facts) -> Iterator[str]:
    """An attempt is decided once, and the end of a task is never replaced.

    A worker that is told of an attempt which has ended says its end once more, word for word, for who has missed it.
    """
    known: dict[str, Obj] = {}
    for fact in _kind(facts, Recorded):
        final = fact.key.count(".") == 2 or known.get(fact.key, {}).get("kind") == "Finished"
        if final and known.get(fact.key, fact.record) != fact.record:
            yield f"{fact.key}: {known[fact.key]} became {fact.record}"
        known[fact.key] = fact.record


def the_status_says_what_the_record_says(facts: Facts) -> Iterator[str]:
    """Of a task that came by message there is a record first; it and the status tell the same end."""
    made = {fact.uid: fact for fact in _kind(facts, Made)}
    records: dict[str, Obj] = {}
    for fact in facts:
        if isinstance(fact, Recorded):
            records[fact.key.partition(".")[2]] = fact.record
        elif isinstance(fact, Wrote) and finished(fact.status) and made[fact.uid].digest is not None:
            record = records.get(made[fact.uid].name, {})
            told = next(c["reason"] for c in fact.status["conditions"] if c["type"] == "Finished")
            if (record.get("outcome"), record.get("result")) != (told, fact.status.get("result")):
                yield f"{made[fact.uid].name}: its status tells {told}, its record {record.get('outcome')}"
            elif record.get("taskUid") == fact.uid and record["attempts"] != fact.status.get("attempts", []):
                yield f"{made[fact.uid].name}: its status and its record tell of different attempts"


RULES: tuple[Rule, ...] = (
    an_attempt_starts_once,
    a_recorded_attempt_gets_no_job,
    a_terminal_state_stays,
    attempts_do_not_overlap,
    nothing_runs_after_a_success,
    a_message_is_something_before_it_is_forgotten,
    what_was_buried_never_runs,
    what_has_its_task_is_no_reuse_of_its_name,
    what_is_recorded_stays,
    the_status_says_what_the_record_says,
)


def _slots(facts: Facts, slots: dict[str, int]) -> Iterator[str]:
    """A slot is held from the Job on until the status tells that the attempt is over, or somebody takes the Job."""
    held: dict[str, set[str]] = {}
    gone = set[str]()
    for fact in facts:
        if isinstance(fact, Deleted):
            gone.add(fact.uid)
        if isinstance(fact, JobMade) and fact.queue in slots and fact.uid not in gone:
            holders = held.setdefault(fact.queue, set())
            holders.add(fact.uid)
            if len(holders) > slots[fact.queue] and not fact.late:
                yield f"slots_are_never_exceeded: {sorted(holders)} in queue {fact.queue}"
        elif isinstance(fact, Deleted | JobTaken) or (isinstance(fact, Wrote) and _over(fact.status)):
            for holders in held.values():
                holders.discard(fact.uid)


def _over(status: Obj) -> bool:
    """No attempt is under way."""
    attempts = status.get("attempts") or [{}]
    return finished(status) or "finishTime" in attempts[-1]


# ---- what holds in the end


def every_promise_is_kept(facts: Facts) -> Iterator[str]:
    """An acknowledged message is a Task or a dead letter."""
    became = {fact.digest for fact in facts if isinstance(fact, Made | Buried)}
    became |= {fact.record.get("submission") for fact in _kind(facts, Recorded)}
    yield from (fact.name for fact in _kind(facts, Promised) if fact.digest not in became)


def every_task_ends(facts: Facts) -> Iterator[str]:
    """Or it was deleted."""
    gone = {fact.uid for fact in _kind(facts, Deleted)}
    gone |= {fact.uid for fact in _kind(facts, Wrote) if finished(fact.status)}
    yield from (fact.name for fact in _kind(facts, Made) if fact.uid not in gone)


def every_process_ends(facts: Facts) -> Iterator[str]:
    """Nothing runs on for a Task that is over."""
    ended = {fact.pod for fact in _kind(facts, Ended)}
    yield from (f"{fact.uid} attempt {fact.attempt}" for fact in _kind(facts, Started) if fact.pod not in ended)


ENDS: tuple[Rule, ...] = (every_promise_is_kept, every_task_ends, every_process_ends)


def _kind(facts: Iterable[Fact], kind: type[F]) -> Iterator[F]:
    return (fact for fact in facts if isinstance(fact, kind))
