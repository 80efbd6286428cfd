"""What the API server holds, as facts in memory: filled by lists at start, kept by watches, repaired by relists.

Each ``put`` and ``drop`` answers with the keys to look at again: none where nothing changed that a decision could need.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from celeriac.api.v1alpha1 import Failure, TaskStatus
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.admission.status import QueueFacts
from celeriac_operator.core.cron.facts import CronFacts, CronKey
from celeriac_operator.core.definition import DefinitionFacts, DefinitionKey
from celeriac_operator.core.facts import Held, JobFacts, Key, PodFacts, Revision, TaskFacts
from celeriac_operator.core.names import TASK_LABEL
from celeriac_operator.core.warm.claim import under_way
from celeriac_operator.kube.ahead import PodsAhead
from celeriac_operator.kube.parse import (
    Raw,
    controller_uid,
    controlling_cron,
    cron_of,
    definition_of,
    job_of,
    key_of,
    pod_of,
    queue_of,
    task_of,
    version_of,
)

F = TypeVar("F")
Of = TypeVar("Of", bound=Hashable)

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What parsing raises over an object of another shape."""
WorkKey = Key | DefinitionKey | QueueKey | CronKey


@dataclass(frozen=True, slots=True)
class Broken:
    """A Task that cannot be read: stored by another version, in a shape that this one does not know."""

    marked: bool
    """Its status says so already."""

    key: Key
    uid: str
    version: str
    error: str


@dataclass(slots=True)
class Entry(Generic[F]):
    """An object as it was last seen."""

    version: int
    facts: F | None
    """None: it cannot be read, and counts as not there."""
    task: Key | None = None
    """The Task that it belongs to."""
    owner: str = ""
    """The uid of the object that controls it."""
    cron: CronKey | None = None
    """The CronTask that a Task is a run of."""


class Kind(Generic[F]):
    """All objects of one kind, by namespace and name, and by the uid of their owner."""

    def __init__(self, parse: Callable[[Raw], F | None]) -> None:
        self._parse = parse
        self.entries: dict[Key, Entry[F]] = {}
        self._owned: dict[str, set[Key]] = {}
        self._going_on: dict[Key, set[Key]] = {}

    def get(self, key: Key) -> F | None:
        """The object, or None."""
        entry = self.entries.get(key)
        return entry.facts if entry else None

    def owned_by(self, uid: str) -> list[F]:
        """The objects that this one controls."""
        owned = (self.entries[key].facts for key in self._owned.get(uid, ()))
        return [facts for facts in owned if facts is not None]

    def keys_owned_by(self, uid: str) -> Set[Key]:
        """Where the objects are that this one controls."""
        return self._owned.get(uid, frozenset())

    def going_on(self, task: Key) -> list[F]:
        """The objects with the label of that Task that have not ended: few, however many attempts there were."""
        found = (self.entries[key].facts for key in self._going_on.get(task, ()))
        return [facts for facts in found if facts is not None]

    def version(self, key: Key) -> int:
        """The resourceVersion that was last seen; 0 where there is none."""
        entry = self.entries.get(key)
        return entry.version if entry else 0

    def put(self, raw: Raw) -> Entry[F] | None:
        """Take in an object; the entry, where it tells something new."""
        key, version = key_of(raw), version_of(raw)
        old = self.entries.get(key)
        if old is not None and old.version >= version:
            return None
        facts = self._parse(raw)
        if old is not None:
            facts = _still_held(old.facts, facts)
        entry = Entry(version, facts, _task_key(raw), controller_uid(raw), controlling_cron(raw))
        if old is not None:
            self._unlink(old, key)
        self.entries[key] = entry
        self._link(entry, key)
        return entry if old is None or old.facts != entry.facts else None

    def drop(self, key: Key) -> Entry[F] | None:
        """Forget an object that is gone; the entry, where it was known."""
        entry = self.entries.pop(key, None)
        if entry is not None:
            self._unlink(entry, key)
        return entry

    def _link(self, entry: Entry[F], key: Key) -> None:
        if entry.owner:
            self._owned.setdefault(entry.owner, set()).add(key)
        if entry.task is not None and isinstance(entry.facts, PodFacts) and not entry.facts.ended:
            self._going_on.setdefault(entry.task, set()).add(key)

    def _unlink(self, entry: Entry[F], key: Key) -> None:
        _discard(self._owned, entry.owner, key)
        if entry.task is not None:
            _discard(self._going_on, entry.task, key)


def _discard(index: dict[Of, set[Key]], of: Of, key: Key) -> None:
    keys = index.get(of, set())
    keys.discard(key)
    if not keys:
        index.pop(of, None)


def _still_held(old: F | None, new: F | None) -> F | None:
    """A Task of which something else has changed: its status is still ahead of what is stored."""
    if not isinstance(old, TaskFacts) or old.held is None or not isinstance(new, TaskFacts):
        return new
    same = (new.uid, new.status) == (old.uid, old.held.stored)
    return replace(new, status=old.status, held=old.held) if same else new


def _pods_of(task: TaskFacts) -> tuple[str, ...]:
    """The pods that its attempts are bound to."""
    return tuple(attempt.pod_uid for attempt in task.status.attempts if attempt.pod_uid)


def _task_key(raw: Raw) -> Key | None:
    name = raw["metadata"].get("labels", {}).get(TASK_LABEL)
    return Key(raw["metadata"]["namespace"], name) if name else None


def _cron_that_waits(entry: Entry[Any], gone: bool) -> Iterable[CronKey]:
    """A CronTask wants to know of its runs' beginning, cancellation and end, and of nothing in between."""
    task = entry.facts
    news = gone or not isinstance(task, TaskFacts) or task.finished or not task.status.attempts
    return (entry.cron,) if entry.cron is not None and news else ()


def _task_or_broken(raw: Raw) -> TaskFacts | Broken:
    """Whatever is stored, the operator starts up over it and goes on."""
    try:
        return task_of(raw)
    except UNREADABLE as error:
        meta, status = raw["metadata"], raw.get("status")
        marked = isinstance(status, dict) and status.get("reason") == Failure.INTERNAL_ERROR
        return Broken(marked, key_of(raw), meta["uid"], meta["resourceVersion"], f"{type(error).__name__}: {error}")


def _or_none(parse: Callable[[Raw], F]) -> Callable[[Raw], F | None]:
    """What cannot be read counts as not there; others may write objects with our labels."""

    def parsed(raw: Raw) -> F | None:
        try:
            return parse(raw)
        except UNREADABLE:
            return None

    return parsed


@dataclass(slots=True)
class Cache:
    """Everything that decisions are made from."""

    tasks: Kind[TaskFacts | Broken] = field(default_factory=lambda: Kind(_task_or_broken))
    jobs: Kind[JobFacts] = field(default_factory=lambda: Kind(_or_none(job_of)))
    pods: Kind[PodFacts] = field(default_factory=lambda: Kind(_or_none(pod_of)))
    definitions: Kind[DefinitionFacts] = field(default_factory=lambda: Kind(_or_none(definition_of)))
    queues: Kind[QueueFacts] = field(default_factory=lambda: Kind(_or_none(queue_of)))
    crons: Kind[CronFacts] = field(default_factory=lambda: Kind(_or_none(cron_of)))
    revisions: dict[Key, Revision] = field(default_factory=dict)
    tasks_of_pods: dict[str, set[Key]] = field(default_factory=dict)
    """Uid of a pod to the Tasks that have an attempt which is bound to it."""
    open_in_pods: dict[str, set[Key]] = field(default_factory=dict)
    """The same, of last attempts that have not ended."""
    ahead: PodsAhead = field(default_factory=PodsAhead)
    """The pods that were started ahead of their tasks."""
    _aside: dict[Key, Raw | None] = field(default_factory=dict)
    """Tasks that are being written, and what their watch has told last meanwhile."""
    _gone: dict[Key, str] = field(default_factory=dict)
    """Uids of Tasks that went while they were written: an answer to the write may come after the news of their end."""

    def put(self, kind: str, raw: Raw) -> set[WorkKey]:
        """Take in an object; the keys to look at again."""
        key = key_of(raw)
        if kind == "tasks" and self._gone.get(key) == raw["metadata"]["uid"]:
            return set()
        known = key in self.kind(kind).entries
        before = self.kind(kind).get(key) if kind in ("tasks", "pods") else None
        entry = self.kind(kind).put(raw)
        if entry is not None:
            self._link_pods(key, before, entry.facts)
        affected = self._affected(kind, key, entry)
        return affected if known or kind != "queues" else affected | self._definitions_in(key.namespace)

    def drop(self, kind: str, key: Key) -> set[WorkKey]:
        """Forget an object, a Task with its Jobs; the keys to look at again."""
        dropped = self.kind(kind).drop(key)
        if dropped is not None:
            self._link_pods(key, dropped.facts, None)
        if kind == "tasks" and dropped is not None and dropped.facts is not None:
            self._forget_task(key, dropped.facts.uid)
        return self._affected(kind, key, dropped, gone=True)

    def _forget_task(self, key: Key, uid: str) -> None:
        for job in list(self.jobs.owned_by(uid)):
            self.jobs.drop(Key(key.namespace, job.name))
        if key in self._aside:
            self._aside[key], self._gone[key] = None, uid

    @contextmanager
    def writing(self, task: Key, changed: Callable[[set[WorkKey]], None]) -> Iterator[None]:
        """While a Task is written, what its watch tells of it waits: most often that is this very write."""
        self._aside.setdefault(task, None)
        try:
            yield
        finally:
            heard = self._aside.pop(task, None)
            self._gone.pop(task, None)
            if heard is not None:
                changed(self.put("tasks", heard))

    def hear(self, kind: str, raw: Raw) -> set[WorkKey]:
        """Take in what a watch tells; the keys to look at again."""
        key = key_of(raw)
        if kind != "tasks" or key not in self._aside:
            return self.put(kind, raw)
        self._aside[key] = raw
        return set()

    def hold(self, task: TaskFacts, status: TaskStatus, now: datetime) -> TaskFacts | None:
        """Go on as if that status were stored, if it is not; None where the Task has changed since it was observed."""
        entry = self.tasks.entries.get(task.key)
        if entry is None or entry.facts is not task:
            return None
        stored = task.as_stored.status
        entry.facts = held = replace(task, status=status, held=Held(stored, now) if status != stored else None)
        self._link_pods(task.key, task, held)
        return held

    def held(self, ours: Callable[[str], bool]) -> list[TaskFacts]:
        """The Tasks of these namespaces whose status is held."""
        tasks = (entry.facts for key, entry in self.tasks.entries.items() if ours(key.namespace))
        return [task for task in tasks if isinstance(task, TaskFacts) and task.held is not None]

    def forget_held(self, ours: Callable[[str], bool]) -> None:
        """Another replica has worked there meanwhile: what is stored counts."""
        for task in self.held(ours):
            self.tasks.entries[task.key].facts = task.as_stored
            self._link_pods(task.key, task, task.as_stored)

    def _link_pods(self, key: Key, before: object, after: object) -> None:
        """Know which Tasks a pod has, and which pods were started ahead."""
        for uid in _pods_of(before) if isinstance(before, TaskFacts) else ():
            _discard(self.tasks_of_pods, uid, key)
            _discard(self.open_in_pods, uid, key)
            self.ahead.name(uid, named=uid in self.tasks_of_pods)
        if isinstance(before, PodFacts):
            self.ahead.drop(before.uid)
        for uid in _pods_of(after) if isinstance(after, TaskFacts) else ():
            self.tasks_of_pods.setdefault(uid, set()).add(key)
            self.ahead.name(uid, named=True)
        attempt = under_way(after) if isinstance(after, TaskFacts) else None
        if attempt is not None and attempt.pod_uid:
            self.open_in_pods.setdefault(attempt.pod_uid, set()).add(key)
        if isinstance(after, PodFacts) and after.definition:
            self.ahead.put(key, after, named=after.uid in self.tasks_of_pods)

    def pods_ahead(self, definition: DefinitionKey) -> list[PodFacts]:
        """The pods of a TaskDefinition that were started ahead, without those that are there only to be read."""
        found = (self.pods.get(key) for key in self.ahead.at_work(definition))
        return [pod for pod in found if pod is not None]

    def pod_ahead(self, uid: str) -> PodFacts | None:
        """A pod that was started ahead, whatever became of it."""
        key = self.ahead.key_of(uid)
        return self.pods.get(key) if key is not None else None

    def contents_of(self, definition: Key) -> tuple[Revision, ...]:
        """What Tasks of a TaskDefinition can run from: its content as it is now, then those that are kept."""
        namespace, name = definition
        facts = self.definitions.get(definition)
        live = (self.revisions.get(Key(namespace, facts.revision.name), facts.revision),) if facts is not None else ()
        kept = (
            revision
            for key, revision in self.revisions.items()
            if key.namespace == namespace and key.name.rpartition("-")[0] == name and revision not in live
        )
        return (*live, *kept)

    def work_keys(self, ours: Callable[[str], bool]) -> set[WorkKey]:
        """All keys that there are to work on in these namespaces."""
        keys: set[WorkKey] = {key for key in self.tasks.entries if ours(key.namespace)}
        keys |= {DefinitionKey(*key) for key in self.definitions.entries if ours(key.namespace)}
        keys |= {QueueKey(*key) for key in self.queues.entries if ours(key.namespace)}
        return keys | {CronKey(*key) for key in self.crons.entries if ours(key.namespace)}

    def task_uids(self) -> set[str]:
        """The uids of all Tasks there are, also of those that nobody can read."""
        return {entry.facts.uid for entry in self.tasks.entries.values() if entry.facts is not None}

    def forget_orphans(self) -> None:
        """Forget Jobs whose Task or TaskDefinition is gone: Kubernetes collects them."""
        uids = self.task_uids()
        uids |= {entry.facts.uid for entry in self.definitions.entries.values() if entry.facts is not None}
        for key in [key for key, entry in self.jobs.entries.items() if entry.owner not in uids]:
            self.jobs.drop(key)

    def kind(self, kind: str) -> Kind[Any]:
        """The objects of a kind: tasks, jobs, pods, definitions, queues or crons."""
        return getattr(self, kind)  # type: ignore[no-any-return]

    def _affected(self, kind: str, key: Key, entry: Entry[Any] | None, *, gone: bool = False) -> set[WorkKey]:
        if entry is None:
            return set()
        if kind == "tasks":
            return {key, *_cron_that_waits(entry, gone), *(self._left_behind(entry) if gone else ())}
        if kind == "queues":
            return {QueueKey(*key)}
        if kind == "crons":
            return {CronKey(*key)}
        if kind == "definitions":
            return {DefinitionKey(*key), *self._waiting_for(key)}
        if isinstance(entry.facts, PodFacts) and entry.facts.definition:
            return self._affected_by_waiting(key, entry.facts)
        return {entry.task} if entry.task is not None and not self._expected(entry, gone) else set()

    def _definitions_in(self, namespace: str) -> set[WorkKey]:
        """TaskDefinitions that messages may be made for, now that there is a queue for them."""
        return {DefinitionKey(*key) for key in self.definitions.entries if key.namespace == namespace}

    def _left_behind(self, entry: Entry[Any]) -> Iterable[DefinitionKey]:
        """The TaskDefinitions of the pods of a Task that is gone: perhaps nobody needs their logs any more."""
        pods = _pods_of(entry.facts) if isinstance(entry.facts, TaskFacts) else ()
        found = (self.ahead.definition_of(uid) for uid in pods if uid not in self.tasks_of_pods)
        return {definition for definition in found if definition is not None}

    def _affected_by_waiting(self, key: Key, pod: PodFacts) -> set[WorkKey]:
        """Its TaskDefinition, and the Tasks that it was given, until they have finished."""
        given = self.open_in_pods if pod.worker else self.tasks_of_pods
        tasks = ((holder, self.tasks.get(holder)) for holder in given.get(pod.uid, ()))
        unfinished = (holder for holder, task in tasks if isinstance(task, TaskFacts) and not task.finished)
        return {DefinitionKey(key.namespace, pod.definition), *unfinished}

    def _expected(self, entry: Entry[Any], gone: bool) -> bool:
        """A pod that ends after its Task has, or that begins as it should: news that no decision needs."""
        task = self.tasks.get(entry.task) if entry.task is not None else None
        if not isinstance(task, TaskFacts) or not isinstance(entry.facts, PodFacts):
            return False
        if task.finished:
            return entry.facts.ended
        return not gone and entry.facts.begins_well and task.awaits_a_pod and len(self.pods.owned_by(entry.owner)) == 1

    def _waiting_for(self, definition: Key) -> Iterable[Key]:
        """Tasks that name the definition and were not accepted yet."""
        for key, entry in self.tasks.entries.items():
            task = entry.facts
            if not isinstance(task, TaskFacts) or task.status.effective is not None:
                continue
            if (key.namespace, task.spec.definition_name) == definition:
                yield key
