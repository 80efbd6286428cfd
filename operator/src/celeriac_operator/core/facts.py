"""What was observed, as frozen values: the API's objects reduced to what deciding needs. No raw dict gets past here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from celeriac.api.v1alpha1 import (
    Defaults,
    DefinitionRevision,
    Effective,
    TaskDefinitionSpec,
    TaskQueueSpec,
    TaskSpec,
    TaskStatus,
)
from celeriac_operator.core.admission.standing import Slot, Unlimited
from celeriac_operator.core.records import Records

SHORTEST_DIGEST = 8
"""So much of a digest has to be given to name a content."""


class Key(NamedTuple):
    """Namespace and name of a Task."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Held:
    """The status of a Task is not stored yet; what it says of the attempt's beginning, the claim of its pod says."""

    stored: TaskStatus
    """What the API server has."""
    since: datetime


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """A Task."""

    key: Key
    uid: str
    version: str
    """resourceVersion."""
    generation: int
    created: datetime
    spec: TaskSpec
    status: TaskStatus = field(default_factory=TaskStatus)
    deleting: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    backfill: bool = False
    """It is a CronTask's run that a person asked for afterwards."""
    submission: str | None = None
    """Digest of the message that it came as; None: it was created as a resource, and NATS keeps no record of it."""
    submitted: datetime | None = None
    """When the stream took the message that it came as; None: it was created as a resource."""
    request_digest: str | None = None
    """Digest of what a client was asked for, which its record keeps."""
    definition_digest: str | None = None
    """Of the TaskDefinition's content that its message was made for; None: it takes the definition as it is."""
    held: Held | None = None
    """None: the status is as it is stored."""

    @property
    def as_stored(self) -> TaskFacts:
        """The same as the API server has it."""
        return self if self.held is None else replace(self, status=self.held.stored, held=None)

    @property
    def finished(self) -> bool:
        """A terminal condition is recorded; it never changes again."""
        condition = self.status.condition("Finished")
        return condition is not None and condition.status == "True"

    @property
    def awaits_a_pod(self) -> bool:
        """Nobody wants it to end, and its attempt under way, if one is recorded, has no pod yet and goes on."""
        last = self.status.attempts[-1] if self.status.attempts else None
        under_way = last is not None and last.finish_time is None
        bound_or_ending = under_way and last is not None and (last.pod_uid is not None or last.failure is not None)
        return self.spec.cancel is None and not self.deleting and not bound_or_ending


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a Task was accepted with: fixed from then on."""

    effective: Effective
    definition: DefinitionRevision | None = None


@dataclass(frozen=True, slots=True)
class JobFacts:
    """The Job of an attempt."""

    name: str
    uid: str
    owner_uid: str
    attempt: int
    created: datetime
    deleting: bool = False
    taken_up: bool = False
    """The Job controller has come to it: it has made the pod, or has said in an Event why not."""
    complete: bool = False
    failed: bool = False
    message: str = ""
    accepted: Accepted | None = None
    suspended: bool = False
    """Kueue has not admitted it, or has taken its quota back."""
    started: datetime | None = None
    """When the Job controller began with it, after a suspension anew."""

    @property
    def finished(self) -> bool:
        return self.complete or self.failed


@dataclass(frozen=True, slots=True)
class Waiting:
    """The container has not started."""

    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """The container runs."""

    start: datetime


@dataclass(frozen=True, slots=True)
class Terminated:
    """The container has ended."""

    exit_code: int
    reason: str = ""
    message: str = ""
    start: datetime | None = None
    finish: datetime | None = None


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod of an attempt's Job."""

    name: str
    uid: str
    job_uid: str
    created: datetime
    container: Waiting | Started | Terminated = field(default_factory=Waiting)
    node: str | None = None
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    deleted_at: datetime | None = None
    """When its deletion was asked for, the grace period taken off again."""
    disruption: str = ""
    """Reason of the DisruptionTarget condition."""
    unschedulable: str = ""
    """The scheduler's message, while no node fits."""
    job_name: str = ""
    """Of a pod that was started ahead: its Job."""
    definition: str = ""
    """Of the same: its TaskDefinition."""
    content: str = ""
    """Of the same: the first characters of the digest of the content that it was made from."""
    worker: bool = False
    """Of the same: it takes many tasks."""
    slots: int = 1
    """Of the same: so many at once."""

    @property
    def ended(self) -> bool:
        return isinstance(self.container, Terminated) or self.phase in ("Succeeded", "Failed")

    @property
    def begins_well(self) -> bool:
        """It is on its way to its start, and nothing is in its way."""
        trouble = (self.reason, self.message, self.disruption, self.unschedulable, self.deleted_at)
        return self.container == Waiting() and self.phase == "Pending" and not any(trouble)


@dataclass(frozen=True, slots=True)
class Revision:
    """A TaskDefinition's content, as it was at one generation."""

    name: str
    generation: int
    spec: TaskDefinitionSpec
    digest: str = ""
    stored: bool = False
    """It is kept as a ControllerRevision already."""

    def is_of(self, wanted: str) -> bool:
        """Whether that digest, or the beginning of one as it stands in a revision's name, is its content's."""
        short = wanted.removeprefix("sha256:")
        return len(short) >= SHORTEST_DIGEST and self.digest.startswith(short)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the API server said when a Job, or the Job's pod, was to be created."""

    reason: str
    """QuotaExceeded, InvalidPod or JobNameTaken."""
    message: str
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class World:
    """One snapshot of all that a decision about one Task needs."""

    task: TaskFacts
    job: JobFacts | None = None
    """The Job of the attempt that is under way."""
    pod: PodFacts | None = None
    """The pod that the attempt is bound to."""
    strays: tuple[PodFacts, ...] = ()
    """Other pods of the Task that have not ended."""
    live: Revision | None = None
    """The TaskDefinition as it is now."""
    pinned: Revision | None = None
    """The revision that the Task was accepted with."""
    refusal: Refusal | None = None
    defaults: Defaults = field(default_factory=Defaults)
    queue_name: str = "default"
    queue: TaskQueueSpec = field(default_factory=TaskQueueSpec)
    """What the Task's queue says; the operator's defaults where nobody declared it."""
    slot: Slot = field(default_factory=Unlimited)
    """What the queue answers to the Task."""
    company: int = 0
    """How many Tasks of the queue hold a slot."""
    records: Records = field(default_factory=Records)
    """What NATS has recorded."""
    waiting_pod: PodFacts | None = None
    """A pod that waits for just such a Task, and for no other."""
    heard: bool = True
    """Whether the pod that the attempt was assigned to is known to listen, or may be."""
    crowd: int | None = None
    """How many Tasks wait for a worker of its definition; None: it need not wait for one."""
    told_to_stop: datetime | None = None
    """When its worker was first told that the attempt under way is to end."""
    inherited: bool = False
    """Another process of the operator may have told a waiting pod of the Task, and not have said so in its status."""
