"""What an audit compares: what the API server and NATS hold, each read once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from celeriac._cron_task import CronTask
from celeriac._task import Task
from celeriac.wire.events import TaskEvent
from celeriac.wire.records import TaskRecord

Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class Job:
    """A Job of an attempt, or of a pod that was started ahead."""

    namespace: str
    name: str
    owner_kind: str
    owner_uid: str


@dataclass(frozen=True, slots=True)
class Stream:
    """The stream of a TaskQueue."""

    name: str
    namespace: str
    queue: str
    created: datetime
    last_time: datetime | None
    """When it took its last message, be that still there or not; None: it never took one."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that is not acknowledged: in a queue's stream, or kept until its time."""

    namespace: str
    queue: str
    stream: str
    sequence: int
    name: str | None
    """Of the Task that it becomes; None where it has no valid one."""
    digest: str
    params: str | None = None
    """The object that has its params, where they are large."""


@dataclass(frozen=True, slots=True)
class Buried:
    """A dead letter."""

    number: int
    namespace: str
    queue: str
    name: str | None
    digest: str
    reason: str


@dataclass(frozen=True)
class Bus:
    """What NATS holds of the namespaces that are looked at."""

    streams: tuple[Stream, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    buried: tuple[Buried, ...] = ()
    records: Mapping[Key, TaskRecord] = field(default_factory=dict)
    attempts: Mapping[Key, int] = field(default_factory=dict)
    """By namespace and uid of a Task the last attempt that a runner has recorded."""
    events: Mapping[Key, TaskEvent] = field(default_factory=dict)
    """The last event of each task."""
    objects: frozenset[str] = frozenset()
    """Names of the large params and results."""

    @cached_property
    def buried_digests(self) -> frozenset[tuple[str, str]]:
        """Namespaces and digests of the dead letters."""
        return frozenset((each.namespace, each.digest) for each in self.buried)

    @cached_property
    def names_that_wait(self) -> frozenset[Key]:
        """Tasks that are still messages."""
        return frozenset((each.namespace, each.name) for each in self.waiting if each.name is not None)


@dataclass(frozen=True)
class Evidence:
    """All that was read."""

    now: datetime
    tasks: tuple[Task, ...] = ()
    jobs: tuple[Job, ...] = ()
    crons: tuple[CronTask, ...] = ()
    queues: frozenset[Key] = frozenset()
    """TaskQueues that are declared."""
    bus: Bus | None = None
    """None: NATS was not asked."""
    unread: tuple[str, ...] = ()
    """What could not be read, or was too much to be looked at: a sentence each."""

    @cached_property
    def task_of(self) -> Mapping[Key, Task]:
        """The Task of a name."""
        return {(task.namespace, task.name): task for task in self.tasks}

    @cached_property
    def uids(self) -> frozenset[str]:
        """Uids of the Tasks."""
        return frozenset(task.uid for task in self.tasks)

    @cached_property
    def job_names(self) -> frozenset[Key]:
        """The Jobs that there are."""
        return frozenset((job.namespace, job.name) for job in self.jobs)
