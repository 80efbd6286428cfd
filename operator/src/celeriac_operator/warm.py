"""Pods that wait for tasks: what the cache and NATS know of them, joined; who gets which, and how many there are."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from celeriac.api.v1alpha1 import Resources
from celeriac_operator.core.definition import DefinitionFacts, DefinitionKey
from celeriac_operator.core.facts import JobFacts, Key, PodFacts, Started, TaskFacts, Terminated, World
from celeriac_operator.core.plan import CreateJob, Plan, RevokeClaim
from celeriac_operator.core.records import BusState
from celeriac_operator.core.text import safe
from celeriac_operator.core.warm.claim import is_assigned, taken_back
from celeriac_operator.core.warm.crowd import Crowd, Kind, kind_of
from celeriac_operator.core.warm.decide import AHEAD, FAILING, PoolPlan, decide_pool, unavailable
from celeriac_operator.core.warm.facts import Ahead, Pool, Trouble, next_to_take, room_of
from celeriac_operator.core.warm.holding import NOBODY
from celeriac_operator.kube import api
from celeriac_operator.kube.api import ApiError, KubeApi
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.manifests.runner import RunnerAccess
from celeriac_operator.manifests.warm_job import build_warm_job, content_label
from celeriac_operator.metrics import WARM_ATTEMPTS, WARM_PODS
from celeriac_operator.workqueue import WorkQueue

SILENT_SECONDS = 120.0
"""A pod that runs and says nothing for so long is replaced; it says that it waits every 10 s."""
REPLACE_AFTER_SECONDS = 0.1
"""A pod that was taken is replaced at once, and a quick task is let through before."""
WORKERS_SECONDS = 1.0
"""How often at the most the workers of a TaskDefinition are counted because of a Task."""
REMEMBERED = 1000
"""So many of the last attempts count for rate and hit rate."""
LONGEST_MESSAGE = 512
MOST_HEARD = 10_000
"""Beyond so many, pods that nobody has seen are not remembered: they say it again, and anybody may say it of any."""


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
        self._crowd = Crowd()
        self._lefts: dict[str, int] = {}
        """How many more tasks a pod takes, as it has said, without those that it was given since."""
        self._used: dict[str, datetime] = {}
        """When a pod was last seen to have a task, or first seen at all."""
        self._told_to_stop: dict[Key, tuple[int, datetime]] = {}

    # --- what the pods say ---

    def heard(self, namespace: str, pod_uid: str, left: int = 1) -> None:
        """A pod says that it waits, or how many more tasks it takes; of one elsewhere nobody can say it there."""
        definition = self._cache.ahead.definition_of(pod_uid)
        elsewhere = definition is not None and definition.namespace != namespace
        if elsewhere or (definition is None and len(self._heard) >= MOST_HEARD):
            return
        news = pod_uid not in self._heard or left == 0
        self._heard[pod_uid], self._lefts[pod_uid] = self._clock(), left
        self._deaf.discard(pod_uid)
        if definition is None:
            return
        if news:
            self._of(definition).trouble = Trouble()
            self._work.add(definition)
        self._call(definition)

    def unheard(self, pod_uid: str) -> None:
        """Nobody listened where a pod was told of its task."""
        self._heard.pop(pod_uid, None)
        self._deaf.add(pod_uid)
        for task in self._cache.open_in_pods.get(pod_uid, ()):
            self._work.add(task)

    def namespaces(self) -> set[str]:
        """Where pods may wait."""
        return {definition.namespace for definition in self._cache.ahead}

    # --- a Task's turn ---

    def place(self, world: World) -> World:
        """The snapshot with the pod that waits for such a Task, if one does, or with the crowd that waits for one."""
        task = world.task
        last = task.status.attempts[-1] if task.status.attempts else None
        if last is not None and last.finish_time is None and is_assigned(last):
            told = self._since_told(task.key, last.number) if last.failure is not None else None
            world = replace(world, heard=last.pod_uid not in self._deaf, told_to_stop=told)
            if not taken_back(last, world.records.claim):
                return world
        kind = kind_of(world)
        revision = world.pinned or world.live  # what it is accepted with, if it is
        if kind is None or revision is None or revision.spec.isolation not in AHEAD:
            return world
        pods = self._takers(kind)
        free = self._free(pods)
        if revision.spec.isolation == "Worker" and not self._crowd.may_go(task.key, kind, room_of(free)):
            return replace(world, crowd=self._crowd.count(kind) if pods or self._come(kind) else None)
        return replace(world, waiting_pod=next_to_take(free, last=world.records.had_by))

    def _since_told(self, task: Key, attempt: int) -> datetime:
        """When the attempt's pod was first told to end it."""
        if self._told_to_stop.get(task, (0, None))[0] != attempt:
            self._told_to_stop[task] = attempt, self._clock()
        return self._told_to_stop[task][1]

    def _takers(self, kind: Kind) -> list[Ahead]:
        """The pods that take such Tasks, now or later."""
        pods = self._cache.pods_ahead(kind.definition)
        ours = (pod for pod in pods if kind.digest.startswith(pod.content) and pod.uid not in self._left)
        now = self._clock()
        found = (self._ahead(pod, kind.definition, now) for pod in ours if self._is_ours(pod, kind.definition))
        return [pod for pod in found if pod.stays]

    def _free(self, pods: Iterable[Ahead]) -> list[Ahead]:
        """Those that can be given a task now: without NATS none can be told of one."""
        return [pod for pod in pods if pod.ready] if self._bus() == "Up" else []

    def _come(self, kind: Kind) -> bool:
        """Whether there will be workers for such Tasks."""
        facts = self._cache.definitions.get(Key(*kind.definition[:2]))
        if facts is None or facts.revision.spec.isolation != "Worker" or facts.revision.digest != kind.digest:
            return False
        why = unavailable(facts, self._bus(), self._of(kind.definition).trouble)
        return why is None or why[0] == "NATSDown"

    def _is_ours(self, pod: PodFacts, definition: DefinitionKey) -> bool:
        """Whether its Job is the TaskDefinition's: anybody may write a label."""
        facts = self._cache.definitions.get(Key(*definition[:2]))
        job = self._cache.jobs.get(Key(definition.namespace, pod.job_name))
        return facts is not None and job is not None and (job.uid, job.owner_uid) == (pod.job_uid, facts.uid)

    def reserve(self, task: Key, plan: Plan) -> None:
        """Nobody else gets the pod that the plan binds the Task to; there is no await between decision and this."""
        if plan.assign is None or plan.assign.again:
            return
        pod = plan.assign.pod_uid
        self._reserved[task] = pod
        self._spent.add(pod)
        self._used[pod] = self._clock()
        self._lefts[pod] = self._lefts.get(pod, 1) - 1
        if self._lefts[pod] <= 0:
            self._heard.pop(pod, None)  # it says so where it takes another one all the same

    def take_up(self, ours: Callable[[str], bool]) -> None:
        """Other replicas may have worked on these namespaces until now: what Tasks are bound to, their statuses say."""
        self._reserved = {task: pod for task, pod in self._reserved.items() if not ours(task.namespace)}

    def release(self, task: Key) -> None:
        """What the Task is bound to is in the cache."""
        self._reserved.pop(task, None)

    def forget(self, task: Key) -> None:
        """The Task is gone, or nobody can read it."""
        self._reserved.pop(task, None)
        self._told_to_stop.pop(task, None)
        self._crowd.drop(task)

    def took(self, world: World, plan: Plan, *, done: bool) -> None:
        """A plan was carried out: take note of attempts that began, and of who waits for a worker.

        Args:
            done: its status was written.
        """
        task, kind = world.task, kind_of(world)
        if done and plan.worker is not None and kind is not None:
            self._crowd.put(task.key, kind, plan.worker)
            self._work.add_at(kind.definition, self._clock() + timedelta(seconds=REPLACE_AFTER_SECONDS))
        elif done:
            self._crowd.drop(task.key)
        self._count(task, plan, done=done)
        if kind is not None:
            self._call(kind.definition)

    def _call(self, definition: DefinitionKey) -> None:
        """Have as many looked at as there are free slots that nobody was called for."""
        for kind in self._crowd.kinds_of(definition):
            for task in self._crowd.call(kind, room_of(self._free(self._takers(kind)))):
                self._work.add(task)

    def gone(self, definition: DefinitionKey) -> None:
        """A TaskDefinition is no more, or has no workers: whoever waits for one is looked at."""
        for kind in self._crowd.kinds_of(definition):
            if not self._takers(kind) and not self._come(kind):
                for task in self._crowd.all_of(kind):
                    self._work.add(task)

    def _count(self, task: TaskFacts, plan: Plan, *, done: bool) -> None:
        if any(isinstance(record, RevokeClaim) and record.pod_uid != NOBODY for record in plan.record):
            WARM_ATTEMPTS.labels("taken_back").inc()
        hit = plan.assign is not None and not plan.assign.again
        began = hit or any(isinstance(create, CreateJob) for create in plan.create)
        if not done or not (began or plan.status) or task.spec.definition_name is None:
            return
        key = DefinitionKey(task.key.namespace, task.spec.definition_name)
        facts = self._cache.definitions.get(Key(*key[:2]))
        if facts is None or facts.revision.spec.isolation not in AHEAD:
            return
        if facts.revision.spec.isolation == "Worker":  # one has begun there, or ended: no pod tells of that
            self._work.add_at(key, self._clock() + timedelta(seconds=WORKERS_SECONDS))
        elif began:
            history = self._of(key)
            history.arrivals.append(self._clock())
            history.hits.append(hit)
            WARM_ATTEMPTS.labels("hit" if hit else "miss").inc()
            self._work.add_at(key, self._clock() + timedelta(seconds=REPLACE_AFTER_SECONDS))

    def _of(self, key: DefinitionKey) -> _History:
        return self._history.setdefault(key, _History())

    # --- a TaskDefinition's turn ---

    async def keep(self, definition: DefinitionFacts, *, known: Callable[[str], bool]) -> tuple[Pool, datetime | None]:
        """Keep as many pods waiting as there should be; what is seen of them, and when to look again."""
        await self._adopt(definition)
        now = self._clock()
        pool = replace(self._pool(definition, now), known=known(definition.namespace))
        plan = decide_pool(pool, now)
        await self._apply(plan, pool, now)
        self._call(definition.key)
        self.gone(definition.key)
        return pool, plan.look_again

    async def _adopt(self, definition: DefinitionFacts) -> None:
        """A Job whose creation was not answered is known by its pod."""
        for pod in self._cache.pods_ahead(definition.key):
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
        jobs = self._jobs(definition)
        pods = [pod for pod in self._cache.pods_ahead(key) if pod.job_uid in jobs]
        for pod in pods:
            self._count_trouble(pod, history, now)
        with_pod = {pod.job_uid for pod in pods}
        arrivals = tuple(history.arrivals)
        return Pool(
            definition=definition,
            content=content,
            pods=[self._ahead(pod, key, now) for pod in pods],
            jobs=self._not_needed([job for uid, job in jobs.items() if uid not in with_pod]),
            arrivals=arrivals,
            active=max((each for each in (*arrivals[-1:], definition.created) if each is not None), default=None),
            trouble=history.trouble,
            bus=self._bus(),
            backlog=self._crowd.count(Kind(key, definition.revision.digest)),
            hits=sum(history.hits),
            attempts=len(history.hits),
        )

    def _jobs(self, definition: DefinitionFacts) -> dict[str, JobFacts]:
        """The definition's Jobs by their uids, without those whose pods are there only to be read."""
        keys = self._cache.jobs.keys_owned_by(definition.uid) - self._cache.ahead.jobs_to_read(definition.key)
        return {job.uid: job for job in map(self._cache.jobs.get, keys) if job is not None}

    def _not_needed(self, jobs: list[JobFacts]) -> list[JobFacts]:
        """Those that no attempt under way is bound to: where its pod is gone, its Job says how it ended."""
        if not jobs:
            return []
        going = (self._cache.tasks.get(key) for keys in self._cache.open_in_pods.values() for key in keys)
        needed = {task.status.attempts[-1].job_name for task in going if isinstance(task, TaskFacts)}
        return [job for job in jobs if job.name not in needed]

    def _ahead(self, pod: PodFacts, definition: DefinitionKey, now: datetime) -> Ahead:
        reserved = (task for task, uid in self._reserved.items() if uid == pod.uid)
        given = len({*self._cache.open_in_pods.get(pod.uid, ()), *reserved})
        named = pod.uid in self._cache.tasks_of_pods
        if given:
            self._used[pod.uid] = now
        kinds = self._crowd.kinds_of(definition) if pod.worker else ()
        return Ahead(
            pod,
            pod.job_uid,
            heard=pod.uid in self._heard and isinstance(pod.container, Started),
            given=given,
            named=named,
            slots=pod.slots,
            left=0 if named and not pod.worker else self._lefts.get(pod.uid, 1),
            silent=self._is_silent(pod, now),
            wanted=any(kind.digest.startswith(pod.content) for kind in kinds),
            idle_since=self._used.setdefault(pod.uid, now) if pod.worker else None,
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
        container = pod.container
        had_enough = pod.worker and isinstance(container, Terminated) and container.exit_code == 0
        counted = pod.uid in self._spent or not pod.ended or pod.content != history.content or had_enough
        if counted or pod.deleted_at is not None or pod.disruption:
            return
        self._spent.add(pod.uid)
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
        for definition in self._cache.ahead:
            for pod in self._cache.pods_ahead(definition) if ours(definition.namespace) else ():
                found = self._ahead(pod, definition, now)
                if found.room or (found.given and not pod.ended):
                    counts["claimed" if found.given else "ready" if found.ready else "starting"] += 1
        for state in ("starting", "ready", "claimed"):
            WARM_PODS.labels(state).set(counts[state])

    def forget_gone(self) -> None:
        """Forget what is remembered of pods and TaskDefinitions that are no more."""
        known, limit = self._cache.ahead, self._clock() - timedelta(seconds=SILENT_SECONDS)
        for uid in [uid for uid, last in self._heard.items() if uid not in known and last < limit]:
            del self._heard[uid]  # a pod may be heard before it is seen
        for pods in (self._deaf, self._left, self._spent):
            pods.intersection_update([uid for uid in pods if uid in known])
        for told in (self._lefts, self._used):
            for uid in [uid for uid in told if uid not in known and uid not in self._heard]:
                del told[uid]
        for key in [key for key in self._history if Key(*key[:2]) not in self._cache.definitions.entries]:
            del self._history[key]
