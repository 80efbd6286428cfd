"""One frozen snapshot of all that a decision about a Task needs.

It comes from the cache, and from the API server where the cache cannot be trusted with the answer (an object that is
missing) or does not hold it (why a pod was refused).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from celeriac.api.v1alpha1 import Attempt, Defaults, Failure
from celeriac_operator.core import names
from celeriac_operator.core.definition import DefinitionKey
from celeriac_operator.core.facts import JobFacts, Key, PodFacts, Refusal, Revision, TaskFacts, World
from celeriac_operator.core.records import BusState, Records
from celeriac_operator.core.view import View
from celeriac_operator.core.warm.claim import assigned, claimed, is_assigned, taken_back, under_way
from celeriac_operator.core.warm.decide import AHEAD
from celeriac_operator.kube import api
from celeriac_operator.kube.api import KubeApi
from celeriac_operator.kube.cache import Cache
from celeriac_operator.kube.parse import revision_from

POD_PATIENCE = timedelta(seconds=3)
"""So long a Job may be without a pod before it is asked why."""
REFUSED_POD_RETRY = timedelta(seconds=5)


class LooksUp(Protocol):
    """Knows what NATS has recorded; see ``bus/records.py``."""

    async def about(self, task: TaskFacts, attempt: int | None, *, runner: bool, claim: bool = False) -> Records: ...
    def made_here(self, task: TaskFacts) -> bool: ...
    @property
    def bus(self) -> BusState: ...


async def observe(
    task: TaskFacts,
    cache: Cache,
    kube: KubeApi,
    book: LooksUp,
    refusal: Refusal | None,
    defaults: Defaults,
    now: datetime,
) -> World:
    """The snapshot for one Task.

    Args:
        refusal: what was said when the attempt's Job was last to be created.
    """
    given = assigned(task)
    job = await _job(task, cache, kube) if given is None else cache.jobs.get(_job_key(task, given))
    known = World(
        task=task, job=job, live=_live(task, cache), pinned=await _pinned(task, job, cache, kube), defaults=defaults
    )
    inherited = _may_have_been_told(known, cache, book)
    records = await _records(known, book, now, inherited=inherited)
    if inherited and claimed(records.claim):
        return replace(known, pod=await _claimant(task, records, cache, kube), records=records, inherited=True)
    if given is not None and not taken_back(given, records.claim):
        pod, job = await _assigned_pod(task, given, records, cache, kube)
        return replace(known, job=job, pod=pod, records=records)
    if given is not None:
        job = await _job(task, cache, kube)  # it may have begun with a Job of its own since
        known = replace(known, job=job)
    bound = (_bound(task) if given is None else None) or _bound_by(records, task)
    pods = _pods(task, job, cache)
    pod = _pod_of(pods, bound, job)
    if _pod_is_missing(pod, bound, job, now):
        job = await _ask_for(task, job, cache, kube)
        pods = _pods(task, job, cache)
        pod = _pod_of(pods, bound, job)
    if job is not None and pod is None and not job.finished:
        waited = now - job.created > POD_PATIENCE
        silent = bound is None and job.taken_up and not job.suspended and waited
        refusal = await _why_no_pod(task.key, job, kube, now) if silent else None
    return replace(
        known,
        job=job,
        pod=pod,
        strays=tuple(other for other in pods if other != pod and not other.ended and other.deleted_at is None),
        refusal=refusal,
        records=records,
        inherited=inherited,
    )


def _job_key(task: TaskFacts, attempt: Attempt) -> Key:
    return Key(task.key.namespace, attempt.job_name)


async def _assigned_pod(
    task: TaskFacts, attempt: Attempt, records: Records, cache: Cache, kube: KubeApi
) -> tuple[PodFacts | None, JobFacts | None]:
    """The pod that the attempt was given to, or that has claimed it, and its Job: asked for where it is not there."""
    claim, name, job_key = records.claim, attempt.pod_name or "", _job_key(task, attempt)
    uid = claim.pod_uid if claim is not None and not claim.revoked else attempt.pod_uid
    claimant = cache.pod_ahead(uid) if uid is not None and uid != attempt.pod_uid else None
    name = claimant.name if claimant is not None else name
    key = Key(task.key.namespace, name)
    pod = cache.pods.get(key)
    if pod is not None and pod.uid == uid and pod.deleted_at is None:
        return pod, cache.jobs.get(job_key)
    raw = await kube.get(api.PODS, *key) if name else None
    if raw is not None:
        cache.put("pods", raw)
        pod = cache.pods.get(key)
    elif pod is not None and not pod.ended:
        pod = None  # how it ended was never told
    return (pod if pod is not None and pod.uid == uid else None), await _job_now(job_key, cache, kube)


async def _records(known: World, book: LooksUp, now: datetime, *, inherited: bool) -> Records:
    if inherited:
        return await book.about(known.task, 1, runner=True, claim=True)
    view = View(known, now)
    attempt = view.recorded.number if view.recorded is not None else None
    told = any(each.number == attempt and is_assigned(each) for each in known.task.status.attempts)
    runner = attempt is not None and view.has_runner  # to accept a Task is work, and before an attempt nobody asks
    return await book.about(known.task, attempt, runner=runner, claim=told)


def _may_have_been_told(known: World, cache: Cache, book: LooksUp) -> bool:
    """A process that is gone may have told a waiting pod of the Task, which no status says: see ``warm/holding.py``."""
    task, name = known.task, known.task.spec.definition_name
    begun = task.status.attempts or known.job is not None or task.finished
    if begun or name is None or task.submission is None or book.bus == "Off" or book.made_here(task):
        return False
    ahead = any(each is not None and each.spec.isolation in AHEAD for each in (known.live, known.pinned))
    return ahead or cache.ahead.any_of(DefinitionKey(task.key.namespace, name))


async def _claimant(task: TaskFacts, records: Records, cache: Cache, kube: KubeApi) -> PodFacts | None:
    """The pod that has claimed the first attempt, if it is there."""
    labels = f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY},{names.DEFINITION_LABEL}={task.spec.definition_name}"
    async for raw in kube.list(api.PODS, task.key.namespace, labels=labels):
        cache.put("pods", raw)
    return cache.pod_ahead(records.claim.pod_uid) if records.claim is not None else None


def _bound_by(records: Records, task: TaskFacts) -> str | None:
    """The pod that the attempt's record is of: what is recorded first binds the attempt."""
    record = records.attempt
    return record.pod_uid if record is not None and record.task_uid == task.uid else None


def _bound(task: TaskFacts) -> str | None:
    """The uid of the pod that the attempt under way is bound to."""
    last = task.status.attempts[-1] if task.status.attempts else None
    return last.pod_uid if last is not None and last.finish_time is None else None


async def ask_for_job(task: TaskFacts, cache: Cache, kube: KubeApi) -> None:
    """Ask for the Job that the Task's attempt has or would have: a create that was not answered may have made it."""
    await _job_now(_own_job(task), cache, kube)


def _own_job(task: TaskFacts) -> Key:
    """The Job of the attempt under way; or of the next, which may exist without being recorded yet."""
    attempt = under_way(task)
    number = attempt.number if attempt is not None else (task.status.attempt_count or 0) + 1
    return Key(task.key.namespace, names.job_name(task.key.name, task.uid, number))


async def _job(task: TaskFacts, cache: Cache, kube: KubeApi) -> JobFacts | None:
    key = _own_job(task)
    job = cache.jobs.get(key)
    if job is not None and job.suspended:
        return await _job_now(key, cache, kube)  # Kueue admits it, or a person does, and no watch tells
    if job is None and under_way(task) is not None and assigned(task) is None:
        # A Job that was recorded and is not in the cache is either lost or late: only the API server knows.
        job = await _job_now(key, cache, kube)
    return job if job is not None and job.owner_uid == task.uid else None


async def _job_now(key: Key, cache: Cache, kube: KubeApi) -> JobFacts | None:
    """The Job as the API server has it. Jobs are not watched, so what is known of one may be old."""
    raw = await kube.get(api.JOBS, *key)
    if raw is None:
        cache.drop("jobs", key)
        return None
    cache.put("jobs", raw)
    return cache.jobs.get(key)


def _pod_is_missing(pod: PodFacts | None, bound: str | None, job: JobFacts | None, now: datetime) -> bool:
    """The pod is gone or going, or has not come in the usual time: what its Job says matters now."""
    if pod is not None:
        return pod.deleted_at is not None
    if job is not None and job.suspended and bound is None:
        return False  # it has none to miss, and the Job was asked just now
    return bound is not None or (job is not None and (job.finished or now - job.created > POD_PATIENCE))


async def _ask_for(task: TaskFacts, job: JobFacts | None, cache: Cache, kube: KubeApi) -> JobFacts | None:
    """The Job and the pods as they are now: what a pod that is missing has achieved is lost with it.

    The Job is asked first: if it is over, its pod was so before, and the list of pods shows how.
    """
    fresh = await _job_now(Key(task.key.namespace, job.name), cache, kube) if job is not None else None
    if fresh is not None and not fresh.finished and not fresh.taken_up and _bound(task) is None:
        # There can be no pod yet. To search for it in a backlog of thousands costs the API server thousands each time.
        return fresh
    labels = f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY},{names.TASK_LABEL}={task.key.name}"
    async for raw in kube.list(api.PODS, task.key.namespace, labels=labels):
        cache.put("pods", raw)
    return fresh


def _pods(task: TaskFacts, job: JobFacts | None, cache: Cache) -> list[PodFacts]:
    """The pods of the attempt under way, and those of any attempt that still go on."""
    pods = set(cache.pods.owned_by(job.uid)) if job is not None else set()
    going_on = [pod for pod in cache.pods.going_on(task.key) if pod not in pods]
    if going_on:
        ours = {owned.uid for owned in cache.jobs.owned_by(task.uid)}
        pods |= {pod for pod in going_on if pod.job_uid in ours}
    last = task.status.attempts[-1] if task.status.attempts else None
    if job is None and last is not None and last.pod_name is not None and assigned(task) is None:
        orphan = cache.pods.get(Key(task.key.namespace, last.pod_name))
        if orphan is not None and orphan.uid == last.pod_uid and not orphan.worker:  # others may run there
            pods.add(orphan)
    return sorted(pods, key=lambda pod: (pod.created, pod.name))


def _pod_of(pods: list[PodFacts], bound: str | None, job: JobFacts | None) -> PodFacts | None:
    """The pod that the attempt is bound to, else the first of its Job."""
    if bound is not None:
        return next((pod for pod in pods if pod.uid == bound), None)
    return next((pod for pod in pods if job is not None and pod.job_uid == job.uid), None)


async def _why_no_pod(key: Key, job: JobFacts, kube: KubeApi, now: datetime) -> Refusal | None:
    """The Job controller tells only in Events why it could not create a pod."""
    fields = f"involvedObject.uid={job.uid},reason=FailedCreate"
    events = [raw async for raw in kube.list(api.EVENTS, key.namespace, fields=fields)]
    if not events:
        return None
    latest = max(events, key=lambda raw: raw.get("lastTimestamp") or raw.get("eventTime") or "")
    message = latest.get("message", "").removeprefix("Error creating: ")
    return Refusal(refusal_reason(message), message, now + REFUSED_POD_RETRY)


def refusal_reason(message: str) -> str:
    """What a refusal means: a full quota is waited for, a policy's no is final, anything else may pass."""
    if "exceeded quota" in message:
        return names.QUOTA_EXCEEDED
    if "violates PodSecurity" in message or "denied" in message or "is invalid" in message:
        return Failure.INVALID_POD
    return names.REFUSED


def _live(task: TaskFacts, cache: Cache) -> Revision | None:
    """What the Task would run from: the definition as it is, or as it was when the Task's message was made for it."""
    name, wanted = task.spec.definition_name, task.definition_digest
    definition = cache.definitions.get(Key(task.key.namespace, name)) if name else None
    if name and wanted is not None:
        contents = cache.contents_of(Key(task.key.namespace, name))
        return next((revision for revision in contents if revision.is_of(wanted)), None)
    if definition is None:
        return None
    revision = definition.revision
    return cache.revisions.get(Key(task.key.namespace, revision.name), revision)


async def _pinned(task: TaskFacts, job: JobFacts | None, cache: Cache, kube: KubeApi) -> Revision | None:
    pin = task.status.definition or (job.accepted.definition if job and job.accepted else None)
    if pin is None or task.finished:
        return None
    key = Key(task.key.namespace, pin.revision)
    if key not in cache.revisions:
        raw = await kube.get(api.REVISIONS, *key)
        if raw is None:
            return None
        cache.revisions[key] = revision_from(raw)
    return cache.revisions[key]
