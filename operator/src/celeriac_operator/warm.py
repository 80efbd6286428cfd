"""Pods that wait for tasks: what the cache and NATS know of them, joined; who gets which, and how many there are."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from celeriac.api.v1alpha1 import Resources
from celeriac_operator.core.definition import DefinitionFacts, DefinitionKey
from celeriac_operator.core.facts import JobFacts, Key, PodFacts, Started, TaskFacts, Terminated, World
from celeriac_operator.core.plan import CreateJob, Plan, RevokeClaim
from celeriac_operator.core.records import BusState
from celeriac_operator.core.text import safe
from celeriac_operator.core.warm.claim import is_assigned
from celeriac_operator.core.warm.decide import FAILING, PoolPlan, decide_pool
from celeriac_operator.core.warm.facts import Ahead, Pool, Trouble
from celeriac_operator.kube import api
from celeriac_operator.kube.api import ApiError, KubeApi
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.manifests.runner import RunnerAccess
from celeriac_operator.manifests.warm_job import build_warm_job, content_label
from celeriac_operator.metrics import WARM_ATTEMPTS, WARM_PODS
from celeriac_operator.workqueue import WorkQueue

log = structlog.get_logger()

SILENT_SECONDS = 120.0
"""A pod that runs and says nothing for so long is replaced; it says that it waits every 10 s."""
REPLACE_AFTER_SECONDS = 0.1
"""A pod that was taken is replaced at once, and a quick task is let through before."""
REMEMBERED = 1000
"""So many of the last attempts count for rate and hit rate."""
LONGEST_MESSAGE = 512


@dataclass(slots=True)
class _History:
    """What is remembered of a TaskDefinition's attempts and pods; it begins anew with the process."""

    arrivals: deque[datetime] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    hits: deque[bool] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    trouble: Trouble = field(default_factory=Trouble)
    content: str = ""
    """What the trouble is about."""


class WarmPools:
    """The pods of all TaskDefinitions that are started ahead.

    Args:
        bus: whether NATS can be used.
        resources: requests and limits of containers that give none.
        access: how the pods' runner reaches NATS.
        clock: now, as an aware datetime.
    """

    def __init__(
        self,
        cache: Cache,
        kube: KubeApi,
        work: WorkQueue[WorkKey],
        bus: Callable[[], BusState],
        resources: Resources,
        access: RunnerAccess,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._cache, self._kube, self._work, self._bus = cache, kube, work, bus
        self._resources, self._access, self._clock = resources, access, clock
        self._began = clock()
        self._heard: dict[str, datetime] = {}
        self._deaf: set[str] = set()
        self._left: set[str] = set()
        self._spent: set[str] = set()
        """Pods that were given a task, or whose end was counted."""
        self._reserved: dict[Key, str] = {}
        """Pods that Tasks are about to be bound to: a status write is under way, or was not answered."""
        self._history: dict[DefinitionKey, _History] = {}

    # --- what the pods say ---

    def heard(self, pod_uid: str) -> None:
        """A pod says that it waits."""
        news = pod_uid not in self._heard
        self._heard[pod_uid] = self._clock()
        self._deaf.discard(pod_uid)
        definition = self._cache.waiting_uids.get(pod_uid)
        if news and definition is not None:
            self._of(definition).trouble = Trouble()
            self._work.add(definition)

    def unheard(self, pod_uid: str) -> None:
        """Nobody listened where a pod was told of its task."""
        self._heard.pop(pod_uid, None)
        self._deaf.add(pod_uid)
        task = self._cache.tasks_of_pods.get(pod_uid)
        if task is not None:
            self._work.add(task)

    def namespaces(self) -> set[str]:
        """Where pods may wait."""
        return {definition.namespace for definition in self._cache.waiting}

    # --- a Task's turn ---

    def place(self, world: World) -> World:
        """The snapshot with the pod that waits for such a Task, if one does."""
        task = world.task
        last = task.status.attempts[-1] if task.status.attempts else None
        if last is not None and last.finish_time is None and is_assigned(last):
            world = replace(world, heard=last.pod_uid not in self._deaf)
        if task.finished or task.spec.definition_name is None or self._bus() != "Up":
            return world
        definition = DefinitionKey(task.key.namespace, task.spec.definition_name)
        if definition not in self._cache.waiting:
            return world
        revision = world.pinned or world.live  # what it is accepted with, if it is
        if revision is None or revision.spec.isolation != "Warm":
            return world
        free = [pod for pod in self._cache.waiting_pods(definition) if self._is_free(pod, revision.digest)]
        return replace(world, waiting_pod=min(free, key=lambda pod: (pod.created, pod.name), default=None))

    def _is_free(self, pod: PodFacts, digest: str) -> bool:
        taken = pod.uid in self._left or pod.uid in self._reserved.values() or pod.uid in self._cache.tasks_of_pods
        listens = pod.uid in self._heard and isinstance(pod.container, Started) and pod.deleted_at is None
        return listens and not taken and digest.startswith(pod.content) and self._job_of(pod) is not None

    def _job_of(self, pod: PodFacts) -> JobFacts | None:
        """Its Job, if that is the TaskDefinition's: anybody may write a label."""
        namespace = self._key_of(pod).namespace
        definition = self._cache.definitions.get(Key(namespace, pod.definition))
        job = self._cache.jobs.get(Key(namespace, pod.job_name))
        owned = definition is not None and job is not None and job.owner_uid == definition.uid != ""
        return job if owned and job is not None and job.uid == pod.job_uid else None

    def _key_of(self, pod: PodFacts) -> DefinitionKey:
        return self._cache.waiting_uids[pod.uid]

    def reserve(self, task: Key, plan: Plan) -> None:
        """Nobody else gets the pod that the plan binds the Task to; there is no await between decision and this."""
        if plan.assign is not None and plan.status is not None:
            self._reserved[task] = plan.assign.pod_uid
            self._heard.pop(plan.assign.pod_uid, None)
            self._spent.add(plan.assign.pod_uid)

    def release(self, task: Key) -> None:
        """What the Task is bound to is in the cache."""
        self._reserved.pop(task, None)

    def took(self, task: TaskFacts, plan: Plan, *, done: bool) -> None:
        """A plan was carried out: take note of attempts that began.

        Args:
            done: its status was written.
        """
        if any(isinstance(record, RevokeClaim) for record in plan.record):
            WARM_ATTEMPTS.labels("taken_back").inc()
        hit = plan.assign is not None and plan.status is not None
        began = hit or any(isinstance(create, CreateJob) for create in plan.create)
        if not done or not began or task.spec.definition_name is None:
            return
        key = DefinitionKey(task.key.namespace, task.spec.definition_name)
        facts = self._cache.definitions.get(Key(*key[:2]))
        if facts is None or facts.revision.spec.isolation != "Warm":
            return
        history = self._of(key)
        history.arrivals.append(self._clock())
        history.hits.append(hit)
        WARM_ATTEMPTS.labels("hit" if hit else "miss").inc()
        self._work.add_at(key, self._clock() + timedelta(seconds=REPLACE_AFTER_SECONDS))

    def _of(self, key: DefinitionKey) -> _History:
        return self._history.setdefault(key, _History())

    # --- a TaskDefinition's turn ---

    async def keep(self, definition: DefinitionFacts) -> tuple[Pool, datetime | None]:
        """Keep as many pods waiting as there should be; what is seen of them, and when to look again."""
        await self._adopt(definition)
        now = self._clock()
        pool = self._pool(definition, now)
        plan = decide_pool(pool, now)
        await self._apply(plan, pool, now)
        return pool, plan.look_again

    async def _adopt(self, definition: DefinitionFacts) -> None:
        """A Job whose creation was not answered is known by its pod."""
        for pod in self._cache.waiting_pods(definition.key):
            key = Key(definition.namespace, pod.job_name)
            known = self._cache.jobs.get(key)
            if pod.deleted_at is None and (known is None or known.uid != pod.job_uid):
                raw = await self._kube.get(api.JOBS, *key)
                if raw is not None:
                    self._cache.put("jobs", raw)

    def _pool(self, definition: DefinitionFacts, now: datetime) -> Pool:
        key, content = definition.key, content_label(definition)
        history = self._of(key)
        if history.content != content:
            history.content, history.trouble = content, Trouble()
        jobs = {job.uid: job for job in self._cache.jobs.owned_by(definition.uid)} if definition.uid else {}
        pods = [pod for pod in self._cache.waiting_pods(key) if pod.job_uid in jobs]
        for pod in pods:
            self._count_trouble(pod, history, now)
        with_pod = {pod.job_uid for pod in pods}
        arrivals = tuple(history.arrivals)
        return Pool(
            definition=definition,
            content=content,
            pods=[self._ahead(pod, now) for pod in pods],
            jobs=self._not_needed([job for uid, job in jobs.items() if uid not in with_pod]),
            arrivals=arrivals,
            active=max((each for each in (*arrivals[-1:], definition.created) if each is not None), default=None),
            trouble=history.trouble,
            bus=self._bus(),
            hits=sum(history.hits),
            attempts=len(history.hits),
        )

    def _not_needed(self, jobs: list[JobFacts]) -> list[JobFacts]:
        """Those that no unfinished Task is bound to: where its pod is gone, its Job says how it ended."""
        if not jobs:
            return []
        tasks = (entry.facts for entry in self._cache.tasks.entries.values())
        going = (task for task in tasks if isinstance(task, TaskFacts) and not task.finished and task.status.attempts)
        needed = {task.status.attempts[-1].job_name for task in going}
        return [job for job in jobs if job.name not in needed]

    def _ahead(self, pod: PodFacts, now: datetime) -> Ahead:
        holder = self._cache.tasks_of_pods.get(pod.uid)
        task = self._cache.tasks.get(holder) if holder is not None else None
        given = (isinstance(task, TaskFacts) and not task.finished) or pod.uid in self._reserved.values()
        return Ahead(
            pod,
            pod.job_uid,
            heard=pod.uid in self._heard and isinstance(pod.container, Started),
            given=given,
            named=holder is not None,
            silent=self._is_silent(pod, now),
        )

    def _is_silent(self, pod: PodFacts, now: datetime) -> bool:
        if not isinstance(pod.container, Started) or self._bus() != "Up":
            return False
        since = max(self._heard.get(pod.uid, self._began), pod.container.start, self._began)
        return now - since > timedelta(seconds=SILENT_SECONDS)

    def _count_trouble(self, pod: PodFacts, history: _History, now: datetime) -> None:
        """A pod that ended by itself before it took a task; once."""
        if pod.uid in self._cache.tasks_of_pods:
            self._spent.add(pod.uid)
        counted = pod.uid in self._spent or not pod.ended or pod.content != history.content
        if counted or pod.deleted_at is not None or pod.disruption:
            return
        self._spent.add(pod.uid)
        container = pod.container
        said = safe(container.message, LONGEST_MESSAGE) if isinstance(container, Terminated) else pod.message
        code = f"exit code {container.exit_code}" if isinstance(container, Terminated) else pod.reason
        history.trouble = Trouble(history.trouble.count + 1, now, "PodsFail", f"{code}: {said}")

    async def _apply(self, plan: PoolPlan, pool: Pool, now: datetime) -> None:
        self._left.update(plan.leave)
        definition = pool.definition
        for gone in plan.delete:
            await self._kube.delete(api.JOBS, definition.namespace, gone.name, gone.uid)
            self._cache.drop("jobs", Key(definition.namespace, gone.name))
        for name in plan.create:
            manifest = build_warm_job(definition, name, self._resources, self._access)
            try:
                raw = await self._kube.create(api.JOBS, definition.namespace, manifest)
            except ApiError as error:
                if error.status not in (400, 403, 422):
                    raise  # of a Job that is there already, the next try has another name
                history = self._of(definition.key)
                count = max(history.trouble.count + 1, FAILING)
                history.trouble = Trouble(count, now, "PodsRefused", safe(error.message, LONGEST_MESSAGE))
                self._work.add(definition.key)
                return
            self._cache.put("jobs", raw)

    def count(self, ours: Callable[[str], bool]) -> None:
        """Refresh the gauge of pods by state."""
        now, counts = self._clock(), Counter[str]()
        for definition in self._cache.waiting:
            for pod in self._cache.waiting_pods(definition) if ours(definition.namespace) else ():
                found = self._ahead(pod, now)
                if found.waits or (found.given and not pod.ended):
                    counts["claimed" if found.given else "ready" if found.ready else "starting"] += 1
        for state in ("starting", "ready", "claimed"):
            WARM_PODS.labels(state).set(counts[state])

    def forget_gone(self) -> None:
        """Forget what is remembered of pods and TaskDefinitions that are no more."""
        known, limit = self._cache.waiting_uids, self._clock() - timedelta(seconds=SILENT_SECONDS)
        for uid in [uid for uid, last in self._heard.items() if uid not in known and last < limit]:
            del self._heard[uid]  # a pod may be heard before it is seen
        for pods in (self._deaf, self._left, self._spent):
            pods.intersection_update(known)
        for key in [key for key in self._history if Key(*key[:2]) not in self._cache.definitions.entries]:
            del self._history[key]
