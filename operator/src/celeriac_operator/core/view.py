"""One Task's situation: the snapshot, read. Pure; every rule of ``decide`` starts from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from celeriac.api.v1alpha1 import DISRUPTIONS, Attempt, Deadlines, Effective
from celeriac.wire.records import AttemptRecord
from celeriac.wire.runner import runs_runner
from celeriac_operator.core.acceptance import Rejected, accept, effective
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.attempt_record import counts, decided
from celeriac_operator.core.clocks import DEFINITION_GRACE_SECONDS, Clocks, after, clocks, earliest, origin
from celeriac_operator.core.facts import Accepted, Revision, TaskFacts, World
from celeriac_operator.core.names import QUOTA_EXCEEDED
from celeriac_operator.core.outcome import Ended, Outcome, Running, outcome
from celeriac_operator.core.retry import Failures
from celeriac_operator.core.runner import told_by_exit_code
from celeriac_operator.core.warm.claim import claimed, is_assigned, of_assigned, own_end, taken_back
from celeriac_operator.core.warm.worker import of_worker


@dataclass(frozen=True)
class View:
    """The world at a moment, with what follows from it."""

    world: World
    now: datetime

    @property
    def task(self) -> TaskFacts:
        return self.world.task

    @cached_property
    def acceptance(self) -> Accepted | Rejected | None:
        """What the Task was or would be accepted with; None while its TaskDefinition is not there."""
        status, job = self.task.status, self.world.job
        if status.effective is not None:
            return Accepted(status.effective, status.definition)
        if job is not None and job.accepted is not None:
            return job.accepted
        if self.task.spec.definition_name is not None and self.world.live is None:
            return None
        world = self.world
        return accept(self.task.spec, world.live, world.defaults, world.queue, self.task.key.namespace)

    @property
    def accepted(self) -> Accepted | None:
        return self.acceptance if isinstance(self.acceptance, Accepted) else None

    @cached_property
    def policy(self) -> Effective:
        """What the Task runs under; before or without acceptance, what it and the operator say."""
        return self.accepted.effective if self.accepted else effective(self.task.spec, [self.world.defaults])

    @property
    def queue(self) -> QueueKey:
        """The queue that the Task stands in."""
        return QueueKey(self.task.key.namespace, self.world.queue_name)

    @property
    def deadlines(self) -> Deadlines:
        """The effective deadlines; before acceptance the Task's own."""
        return self.accepted.effective.deadlines if self.accepted else self.task.spec.deadlines or Deadlines()

    @property
    def revision(self) -> Revision | None:
        """The content that the Task runs from, as far as it can still be found."""
        accepted, live = self.accepted, self.world.live
        if accepted is None or accepted.definition is None:
            return None
        if self.world.pinned is not None:
            return self.world.pinned
        return live if live is not None and live.name == accepted.definition.revision else None

    @cached_property
    def attempts(self) -> tuple[Attempt, ...]:
        """The recorded attempts that have begun, or may have: without one that was taken back from its pod."""
        known, records = self.task.status.attempts, self.world.records
        last = known[-1] if known else None
        if last is None or last.finish_time is not None or not is_assigned(last):
            return known
        decided_already = records.attempt is not None and counts(records.attempt, self.task.uid, last)
        return known[:-1] if taken_back(last, records.claim) and not decided_already else known

    @property
    def _last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def assigned(self) -> bool:
        """The attempt under way was given to a pod that waited."""
        return self.recorded is not None and is_assigned(self.recorded)

    @property
    def in_worker(self) -> bool:
        """The same, and that pod takes many tasks: of what it does, nothing but a record tells of this attempt."""
        pod, revision = self.world.pod, self.revision
        of_definition = revision is not None and revision.spec.isolation == "Worker"
        return self.assigned and (pod.worker if pod is not None else of_definition)

    @property
    def unclaimed(self) -> bool:
        """The same, and that pod has not claimed it: it may, or may not."""
        return self.assigned and self.record is None and not claimed(self.world.records.claim)

    @property
    def claim_revision(self) -> int:
        """What the next who writes the claim's key has to know."""
        claim = self.world.records.claim
        return claim.revision if claim is not None else 0

    @cached_property
    def recorded(self) -> Attempt | None:
        """The attempt under way as it was last recorded, or as its Job shows it where it was not recorded yet."""
        last = self._last
        if last is not None and last.finish_time is None:
            return last
        job = self.world.job
        if job is None or job.attempt != self.next_number:
            return None
        return Attempt(number=job.attempt, job_name=job.name, create_time=job.created)

    @cached_property
    def outcome(self) -> Outcome | None:
        """What became of the attempt under way; None where there is none."""
        if self.recorded is None:
            return None
        job = self.world.job
        replaced = job is not None and any(pod.job_uid == job.uid for pod in self.world.strays)
        pod = self.world.pod
        if self.assigned:
            pod = own_end(pod, self.task.uid, self.recorded.number)
        found = outcome(self.recorded, job, pod, replaced=replaced)
        if self.in_worker:
            found = of_worker(self.recorded, found, self.world.records.bus, self.now)
        if self.assigned:
            found = of_assigned(self.recorded, self.world.records.claim, found, self.world.records.bus, self.now)
        if self.record is not None:
            ended = decided(self.record, found)
            return replace(ended, lingers=False) if self.in_worker else ended  # it is recorded after its process
        return told_by_exit_code(found) if self.has_runner else found

    @property
    def image(self) -> str:
        """The image that the Task runs, as far as its content can still be found."""
        container = self.revision.spec.container if self.revision is not None else self.task.spec.container
        return container.image if container is not None else ""

    @cached_property
    def record(self) -> AttemptRecord | None:
        """The record that decides the attempt under way; one of another pod does not count."""
        record = self.world.records.attempt
        if record is None or self.recorded is None:
            return None
        return record if counts(record, self.task.uid, self.recorded) else None

    @property
    def has_runner(self) -> bool:
        """Whether attempts of the Task have records, as far as its content can still be found."""
        revision = self.revision
        return runs_runner(revision.spec.container if revision is not None else self.task.spec.container)

    @cached_property
    def attempt(self) -> Attempt | None:
        """The attempt under way, with what is known of it now."""
        if self.recorded is None:
            return None
        pod, known = self.world.pod, dict[str, str | None]()
        if pod is not None:
            known = {"pod_name": pod.name, "pod_uid": pod.uid, "node_name": pod.node or self.recorded.node_name}
        elif self.record is not None and self.recorded.pod_uid is None:
            known = {"pod_uid": self.record.pod_uid}
        start = self.outcome.start if isinstance(self.outcome, Running | Ended) else None
        return self.recorded.model_copy(update={**known, "start_time": start or self.recorded.start_time})

    @property
    def withdrawn(self) -> bool:
        """The status names an attempt that was taken back from its pod."""
        return len(self.attempts) < len(self.task.status.attempts)

    @property
    def next_number(self) -> int:
        return (self.task.status.attempt_count or 0) + 1 - self.withdrawn

    @property
    def first_start(self) -> datetime | None:
        """When the Task's first container started."""
        return self.task.status.start_time or (self.attempt.start_time if self.attempt else None)

    @cached_property
    def clocks(self) -> Clocks:
        """The deadlines that are running."""
        attempt = self.attempt
        return clocks(
            self.task,
            self.deadlines,
            first_start=self.first_start,
            job_created=self._starting_since,
            started=attempt.start_time if attempt else None,
        )

    @property
    def _starting_since(self) -> datetime | None:
        """From when startSeconds count; while a quota or Kueue keeps the pod away they do not, and then begin anew."""
        attempt, pod, job, refusal = self.attempt, self.world.pod, self.world.job, self.world.refusal
        if attempt is None or self.kueue_pending:
            return None
        if pod is None and refusal is not None and refusal.reason == QUOTA_EXCEEDED:
            return None
        if self.assigned:
            return attempt.create_time
        if pod is not None:
            return pod.created
        return job.started if job is not None and job.started is not None else attempt.create_time

    @property
    def kueue_pending(self) -> bool:
        """The Job is there, and Kueue has not admitted it."""
        return self.world.job is not None and self.world.job.suspended and self.world.pod is None

    @property
    def expired(self) -> bool:
        """No container started within queueSeconds: not yet, or only while the attempt was being stopped for it."""
        deadline = after(origin(self.task), self.deadlines.queue_seconds)
        stopping = self.recorded is not None and self.recorded.failure is not None
        if deadline is None or (self.first_start is not None and not stopping):
            return False
        return (self.first_start or self.now) >= deadline

    @property
    def out_of_time(self) -> bool:
        """totalSeconds have passed."""
        return self.clocks.total is not None and self.now >= self.clocks.total

    @property
    def definition_deadline(self) -> tuple[datetime, str]:
        """Until when a missing TaskDefinition is waited for, and how long that is."""
        seconds = self.deadlines.queue_seconds
        if seconds is not None:
            return origin(self.task) + timedelta(seconds=seconds), f"queueSeconds ({seconds} s)"
        return self.task.created + timedelta(seconds=DEFINITION_GRACE_SECONDS), "10 minutes"

    @property
    def waiting_since(self) -> datetime:
        """When the present wait began, as far as it can be told from what is recorded."""
        last = self._last
        return max(self.task.created, last.finish_time) if last and last.finish_time else self.task.created

    def used(self, failed: Attempt) -> Failures:
        """What has been used up once that attempt is counted."""
        disruptions = (self.task.status.disruption_count or 0) + (failed.failure in DISRUPTIONS)
        return Failures(own=failed.number - disruptions, disruptions=disruptions)

    def next_deadline(self, *others: datetime | None) -> datetime | None:
        """When something can change by itself: the next deadline, or one of the other moments."""
        pending = [moment for moment in (*self.clocks.all, *others) if moment is not None and moment > self.now]
        return earliest(*pending)

    def soon(self, seconds: float) -> datetime:
        """The moment so many seconds from now."""
        return self.now + timedelta(seconds=seconds)
