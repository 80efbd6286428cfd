"""What is to be done, as values: ``decide`` returns a Plan, ``kube/apply.py`` carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from celeriac.api.v1alpha1 import Failure, TaskStatus
from celeriac.wire.records import AttemptRecord, StopNotice, TaskRecord
from celeriac_operator.core.admission.standing import Asks, Standing
from celeriac_operator.core.facts import Accepted, Revision


@dataclass(frozen=True, slots=True)
class CreateRevision:
    """Keep the TaskDefinition's content, so that the Task can run from it whatever happens to the definition."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Start an attempt."""

    attempt: int
    accepted: Accepted
    revision: Revision | None
    kueue_queue: str | None = None
    """The Job is made suspended, for this LocalQueue of Kueue to admit."""


@dataclass(frozen=True, slots=True)
class TellRunner:
    """Let the function of an attempt know why it is stopped, if NATS answers at once."""

    attempt: int
    notice: StopNotice


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Stop a pod: SIGTERM, its grace period, SIGKILL."""

    name: str
    uid: str
    grace_seconds: int | None = None
    """Where the pod was made before it was known what it would run; None: as the pod says."""
    first: TellRunner | None = None


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Take back a Job that has no pod yet."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DeleteTask:
    """Remove a finished Task, and its Jobs with it."""


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event about the Task."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class RecordAttempt:
    """Create the attempt's record with the operator's verdict, unless its runner was first; then decide again."""

    record: AttemptRecord


@dataclass(frozen=True, slots=True)
class RecordTask:
    """Create the task's record, in the place of a request to cancel it; where another one stands, decide again."""

    record: TaskRecord


@dataclass(frozen=True, slots=True)
class RevokeClaim:
    """Have the pod never run the attempt, unless it has claimed it; then decide again, from what is known then."""

    attempt: int
    pod_uid: str
    expect: int
    """Revision of the claim's key; 0: there is none."""
    time: datetime


@dataclass(frozen=True, slots=True)
class Assign:
    """Tell a waiting pod of its attempt, which the status names. Told again, it changes nothing."""

    attempt: int
    pod_uid: str
    expect: int
    """Revision of the claim's key that the pod has to claim against; 0: there is none."""
    accepted: Accepted
    again: bool = False
    """It was told before."""


@dataclass(frozen=True, slots=True)
class StopAttempt:
    """Tell a worker that the attempt is to end: SIGTERM, its grace period, SIGKILL. Told again, it changes nothing."""

    attempt: int
    pod_uid: str
    failure: Failure
    message: str
    grace_seconds: int
    first: TellRunner | None = None


Create = CreateRevision | CreateJob
Record = RecordAttempt | RecordTask | RevokeClaim
Delete = DeletePod | DeleteJob | DeleteTask | StopAttempt


@dataclass(frozen=True, slots=True)
class Plan:
    """Creates first, then records, then one status write, then events and deletes; and when to look again."""

    create: tuple[Create, ...] = ()
    cancel: str | None = None
    """Set ``spec.cancel``, for this reason: a client asked for it by a record."""
    record: tuple[Record, ...] = ()
    status: TaskStatus | None = None
    hold: bool = False
    """The status need not be written now: see ``core/warm/holding.py``."""
    assign: Assign | None = None
    """Goes out once the status is written."""
    events: tuple[Event, ...] = ()
    see: bool = False
    """Note that the spec was seen, in the status of a Task that is over, and nothing else."""
    delete: tuple[Delete, ...] = ()
    look_again: datetime | None = None
    worker: Asks | None = None
    """What the Task asks of the workers of its definition, where none is free."""
    standing: Standing | None = None
    """Where the Task stands with its queue then; None: it has no slot and wants none."""

    @property
    def acts(self) -> bool:
        """Something is to be done now, rather than waited for."""
        written = (self.create, self.record, self.status, self.events, self.delete)
        return self.cancel is not None or self.see or any(written)

    @property
    def starts(self) -> bool:
        """An attempt begins: in a waiting pod, or with a Job of its own."""
        return self.assign is not None or any(isinstance(create, CreateJob) for create in self.create)

    @property
    def ends(self) -> bool:
        """The Task has finished then."""
        return self.status is not None and self.status.finish_time is not None
