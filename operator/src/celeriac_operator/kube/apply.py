"""Carry out a Plan: creates, records, one status write, events and deletes. The only place that changes anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, assert_never

from celeriac.api.v1alpha1 import Failure, Resources, TaskStatus
from celeriac.wire.records import AttemptRecord, TaskRecord
from celeriac_operator.core import names
from celeriac_operator.core.facts import Key, Refusal, Revision, TaskFacts, World
from celeriac_operator.core.plan import (
    Assign,
    Create,
    CreateJob,
    CreateRevision,
    Delete,
    DeleteJob,
    DeletePod,
    DeleteTask,
    Plan,
    Record,
    RecordAttempt,
    RecordTask,
    RevokeClaim,
    StopAttempt,
    TellRunner,
)
from celeriac_operator.core.quota import never_fits
from celeriac_operator.core.records import Claim
from celeriac_operator.core.stopping import stop_of_deleted
from celeriac_operator.core.warm.claim import assigned
from celeriac_operator.kube import api
from celeriac_operator.kube.api import ApiError, KubeApi
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.kube.events import post
from celeriac_operator.kube.observe import refusal_reason
from celeriac_operator.kube.parse import controller_uid
from celeriac_operator.manifests.assignment import build_assignment, build_stop
from celeriac_operator.manifests.job import build_job
from celeriac_operator.manifests.revision import build_revision
from celeriac_operator.manifests.runner import NO_ACCESS, RunnerAccess
from celeriac_operator.measure import measure

REFUSED_JOB_RETRY = timedelta(seconds=5)
NEVER_FITS_RETRY = timedelta(seconds=30)
"""A quota that is too small as a whole has to be changed by a person first, who then wants to see the task go on."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a plan."""

    refusal: Refusal | None = None
    """What the API server refused."""
    stale: bool = False
    """The Task has changed since it was observed: the rest of the plan was dropped, and it is looked at again."""
    world: World | None = None
    """What was observed, with the attempt that was started and the status that was written; None: nothing of both."""


class Records(Protocol):
    """Writes to NATS what outlives a Task; see ``bus/records.py``."""

    def expect(self, task: TaskFacts, attempt: int, claim: Claim | None) -> None: ...
    async def decide(self, task: TaskFacts, record: AttemptRecord) -> bool: ...
    async def revoke(self, task: TaskFacts, revocation: RevokeClaim) -> None: ...
    async def finish(self, task: TaskFacts, record: TaskRecord) -> bool: ...
    async def tell(self, task: TaskFacts, told: TellRunner) -> None: ...


class Pods(Protocol):
    """Tells pods that were started ahead what they are to do; see ``bus/assignments.py``."""

    async def tell(self, namespace: str, pod_uid: str, message: Mapping[str, Any]) -> None: ...


class NoPods:
    """Where no pod waits."""

    async def tell(self, namespace: str, pod_uid: str, message: Mapping[str, Any]) -> None:
        """Nobody is told: an assignment that nobody claims is taken back."""


@dataclass(frozen=True, slots=True)
class Applier:
    """What carrying out needs."""

    kube: KubeApi
    cache: Cache
    resources: Resources
    """Requests and limits of containers that give none."""
    changed: Callable[[set[WorkKey]], None]
    """Is told which keys to look at again."""
    book: Records
    """Writes records."""
    history: Callable[[TaskFacts, TaskStatus], None]
    """Is told of each status that was written, and what it was before."""
    access: RunnerAccess = NO_ACCESS
    """How the pods' runner reaches NATS."""
    pods: Pods = field(default_factory=NoPods)
    """The pods that wait."""
    works_on: Callable[[str], bool] = lambda _: True
    """Whether this replica goes on to work on a namespace: else no status is held there."""

    async def apply(self, plan: Plan, world: World, now: datetime) -> Applied:
        """Carry it out. What the API server refused comes back, to be decided upon."""
        task = world.task
        for create in plan.create:
            refusal = await self._create(create, task, now)
            if refusal is not None:
                return Applied(refusal)
        if plan.cancel is not None:
            await self._cancel(task, plan.cancel)
        for record in plan.record:
            if not await self._record(record, task):
                self.changed({task.key})
                return Applied(stale=True)  # something else is decided now: decide again, from that
        stored = None
        if plan.status is not None:
            is_stored = task.held is not None and plan.status == task.held.stored
            may_hold = is_stored or (plan.hold and self.works_on(task.key.namespace))
            held = self.cache.hold(task, plan.status, now) if may_hold else None
            stored = held or await self.write_status(task, plan.status)
            if stored is None:
                return Applied(stale=True)  # it was decided from an old state: what it would delete may be wanted
        await self._follow_up(plan, stored or task, world, now)
        return Applied(world=self._after(plan, world, stored))

    async def _follow_up(self, plan: Plan, task: TaskFacts, world: World, now: datetime) -> None:
        """What comes once the status is written."""
        if plan.assign is not None:
            await self._assign(plan.assign, task, world, now)
        if plan.see:
            await self._see(task)
        for event in plan.events:
            await post(self.kube, task, event, now)
        for delete in plan.delete:
            await self._delete(delete, task)

    def _after(self, plan: Plan, world: World, stored: TaskFacts | None) -> World | None:
        """The snapshot as it is now, as far as the plan changed what the next decision is made from."""
        started = next((create.attempt for create in plan.create if isinstance(create, CreateJob)), None)
        if plan.assign is not None and world.waiting_pod is not None:
            world = replace(world, pod=world.waiting_pod)
        if started is None:
            return replace(world, task=stored) if stored is not None else None
        namespace, name = world.task.key
        job = self.cache.jobs.get(Key(namespace, names.job_name(name, world.task.uid, started)))
        return replace(world, task=stored or world.task, job=job, refusal=None)

    async def _create(self, create: Create, task: TaskFacts, now: datetime) -> Refusal | None:
        match create:
            case CreateRevision(revision):
                try:
                    await self.keep(task.key.namespace, revision)
                except ApiError as error:
                    return _refusal(error, now)
                return None
            case CreateJob():
                return await self._create_job(create, task, now)
            case _ as never:
                assert_never(never)

    async def keep(self, namespace: str, revision: Revision) -> None:
        """Store a TaskDefinition's content, once. Raises ApiError."""
        try:
            await self.kube.create(api.REVISIONS, namespace, build_revision(namespace, revision))
        except ApiError as error:
            if error.status != 409:
                raise
        self.cache.revisions[Key(namespace, revision.name)] = replace(revision, stored=True)

    async def _create_job(self, create: CreateJob, task: TaskFacts, now: datetime) -> Refusal | None:
        manifest = build_job(task, create, self.resources, now, self.access)
        try:
            raw = await self.kube.create(api.JOBS, task.key.namespace, manifest)
        except ApiError as error:
            if error.status != 409:
                return _refusal(error, now)
            # It was created before, by us, and we did not see it: adopt it.
            name = manifest["metadata"]["name"]
            found = await self.kube.get(api.JOBS, task.key.namespace, name)
            if found is None:
                raise  # it went meanwhile: try again
            if controller_uid(found) != task.uid:
                taken = f"Job {name} exists and is not this Task's: delete it"
                return Refusal(names.JOB_NAME_TAKEN, taken, now + REFUSED_JOB_RETRY)
            self.changed(self.cache.put("jobs", found) | {task.key})  # its pod may have ended long ago
            return None
        self.cache.put("jobs", raw)
        return None

    async def _assign(self, assign: Assign, task: TaskFacts, world: World, now: datetime) -> None:
        """Have the pod told; from before that on the news of its claim and its end are listened to."""
        self.book.expect(task, assign.attempt, world.records.claim)
        message = build_assignment(task, assign, now)
        await self.pods.tell(task.key.namespace, assign.pod_uid, message)

    async def stop_deleted(self, task: TaskFacts) -> None:
        """The Task is gone: what goes on for it in a pod that is not its own is to end, too."""
        given = assigned(task)
        pod = self.cache.pod_ahead(given.pod_uid) if given is not None and given.pod_uid is not None else None
        stop = stop_of_deleted(task, pod)
        if stop is not None:
            await self._delete(stop, task)

    async def _cancel(self, task: TaskFacts, reason: str) -> None:
        try:
            raw = await self.kube.merge(api.TASKS, *task.key, task.uid, {"spec": {"cancel": {"reason": reason}}})
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            return  # it is gone
        self.changed(self.cache.put("tasks", raw))

    async def _record(self, record: Record, task: TaskFacts) -> bool:
        """Write it, unless somebody else was first."""
        match record:
            case RecordAttempt(found):
                return await self.book.decide(task, found)
            case RecordTask(found):
                return await self.book.finish(task, found)
            case RevokeClaim():
                await self.book.revoke(task, record)
                return False
            case _ as never:
                assert_never(never)

    async def write_status(self, task: TaskFacts, status: TaskStatus) -> TaskFacts | None:
        """Write the status, if the Task is still as it was observed; else have it observed again.

        Returns:
            The Task as it is stored now; what follows from it is the caller's to find out.
        """
        with self.cache.writing(task.key, self.changed):
            if not await self._written(task, status):
                return None
        stored = self.cache.tasks.get(task.key)
        return stored if isinstance(stored, TaskFacts) else None

    async def write_held(self, ours: Callable[[str], bool]) -> None:
        """Write the statuses that are held in these namespaces: an operator of another release may follow, which knows
        of none that is not stored.

        Raises:
            ApiError, OSError, TimeoutError: the API server does not take them.
            NotLeading: another replica works on the namespaces.
        """
        while held := self.cache.held(ours):
            for task in held:
                await self.write_status(task, task.status)

    async def _see(self, task: TaskFacts) -> None:
        """In the status as it is stored: the operator does not keep all of it in memory. One that is too old stays."""
        raw = await self.kube.get(api.TASKS, *task.key)
        if raw is None or raw["metadata"]["uid"] != task.uid:
            return
        version, seen = raw["metadata"]["resourceVersion"], {"observedGeneration": raw["metadata"]["generation"]}
        conditions = [{**each, **seen} for each in raw["status"]["conditions"]]
        try:
            raw = await self.kube.write_status(
                api.TASKS, *task.key, version, {**raw["status"], **seen, "conditions": conditions}
            )
        except ApiError as error:
            if error.status not in (404, 409, 422):
                raise
            return
        self.changed(self.cache.put("tasks", raw) - {task.key})

    async def _written(self, task: TaskFacts, status: TaskStatus) -> bool:
        namespace, name = task.key
        try:
            raw = await self.kube.write_status(api.TASKS, namespace, name, task.version, status.to_wire())
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            fresh = await self.kube.get(api.TASKS, namespace, name)
            changed = self.cache.put("tasks", fresh) if fresh else self.cache.drop("tasks", task.key)
            self.changed(changed | {task.key})
            return False
        measure(task.as_stored, status)
        self.history(task.as_stored, status)
        self.changed(self.cache.put("tasks", raw) - {task.key})
        return True

    async def _delete(self, delete: Delete, task: TaskFacts) -> None:
        namespace = task.key.namespace
        match delete:
            case DeletePod(name, uid, grace_seconds, first):
                if first is not None:
                    await self.book.tell(task, first)
                await self.kube.delete(api.PODS, namespace, name, uid, grace_seconds=grace_seconds)
            case StopAttempt(pod_uid=pod_uid, first=first):
                if first is not None:
                    await self.book.tell(task, first)
                await self.pods.tell(namespace, pod_uid, build_stop(task, delete))
            case DeleteJob(name, uid):
                # In the foreground: the Job is there until its pods are gone, so no attempt overlaps the next.
                await self.kube.delete(api.JOBS, namespace, name, uid, propagation="Foreground")
            case DeleteTask():
                await self.kube.delete(api.TASKS, namespace, task.key.name, task.uid)
            case _ as never:
                assert_never(never)


def _refusal(error: ApiError, now: datetime) -> Refusal:
    """What a refused create means.

    Raises:
        ApiError: it means nothing about the Task; the work queue tries again.
    """
    if error.status not in (400, 403, 422):
        raise error
    reason = Failure.INVALID_POD if error.status != 403 else refusal_reason(error.message)
    pause = NEVER_FITS_RETRY if never_fits(error.message) else REFUSED_JOB_RETRY
    return Refusal(reason, error.message, now + pause)
