"""The queues of the running operator: admission joined with the cache, the work queue and the API server.

A Task's standing is told after its plan was carried out, and whoever gets a slot by that is looked at next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from celeriac.api.v1alpha1 import Defaults, TaskQueueSpec, TaskQueueStatus
from celeriac_operator.core.acceptance import queue_name
from celeriac_operator.core.admission.admission import Admission
from celeriac_operator.core.admission.rate import replayed
from celeriac_operator.core.admission.standing import Holds, QueueKey, Standing
from celeriac_operator.core.admission.status import PAUSE_SECONDS, QueueFacts, next_growth, queue_status
from celeriac_operator.core.conditions import whole_second
from celeriac_operator.core.facts import Key, TaskFacts, World
from celeriac_operator.core.intake.stream import UNKNOWN, StreamState
from celeriac_operator.core.intake.waiting import Waiting, waits_in
from celeriac_operator.kube import api
from celeriac_operator.kube.api import ApiError, KubeApi
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.metrics import QUEUE_TASKS
from celeriac_operator.workqueue import WorkQueue

SETTLE_SECONDS = 0.2
"""A task in a pod that waited takes less from its beginning to its end."""
MOST_QUEUES = 500
"""So many queues have metrics of their own; the fullest come first."""


class Queues:
    """Gives out slots, and keeps the status of the queues that are declared.

    Args:
        defaults: the spec of queues that nobody declared.
        clock: now, as an aware datetime.
    """

    def __init__(
        self,
        cache: Cache,
        kube: KubeApi,
        work: WorkQueue[WorkKey],
        defaults: TaskQueueSpec,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._cache, self._kube, self._work, self._clock = cache, kube, work, clock
        self.admission = Admission(defaults)
        self.waiting = Waiting()
        self.stream: Callable[[QueueKey], StreamState | None] = lambda _: None
        """What is known of a queue's stream of messages; by default there is none."""
        self.news: Callable[[QueueKey], object] = lambda _: None
        """Is told of queues that were looked at, or have room for more messages."""
        self._written: dict[QueueKey, datetime] = {}
        self._undeclared: set[QueueKey] = set()
        """The API server was asked for them, and has none."""

    # --- a Task's turn ---

    async def find(self, world: World) -> None:
        """Ask the API server for a queue that no watch has told of: it may be declared just before its Tasks.

        Watches tell of kinds in no order, and the start of a Task whose queue is held cannot be taken back.
        """
        name = queue_name(world.task, world.job, world.live, world.defaults)
        queue = QueueKey(world.task.key.namespace, name)
        if world.task.finished or queue in self._undeclared or self._declared(queue) is not None:
            return
        raw = await self._kube.get(api.QUEUES, queue.namespace, name)
        if raw is None:
            self._undeclared.add(queue)
        else:
            for key in self._cache.put("queues", raw):  # its watch will have nothing new to tell
                self._work.add(key)

    def place(self, world: World) -> World:
        """The snapshot with what the Task's queue says to it."""
        task = world.task
        name = queue_name(task, world.job, world.live, world.defaults)
        queue = QueueKey(task.key.namespace, name)
        self._configure(queue)
        slot = self.admission.slot(task.key, queue, task.spec.concurrency_key)
        company = self.admission.counts(queue).running
        return replace(world, queue_name=name, queue=self.admission.spec(queue), slot=slot, company=company)

    def tell(self, task: Key, standing: Standing | None) -> None:
        """Say where a Task stands now, and have whoever gets a slot by that looked at."""
        self._count_waiting(task, standing)
        for queue in self.admission.set(task, standing):
            self._give_out(queue)
            if self._declared(queue) is not None:
                self._work.add_at(queue, self._next_write(queue))

    def _next_write(self, queue: QueueKey) -> datetime:
        """When the queue's status may be written: a task that is over before was in no number that anybody saw."""
        settled = self._clock() + timedelta(seconds=SETTLE_SECONDS)
        last = self._written.get(queue)
        return settled if last is None else max(last + timedelta(seconds=PAUSE_SECONDS), settled)

    def _count_waiting(self, task: Key, standing: Standing | None) -> None:
        facts = self._cache.tasks.get(task)
        known = facts if isinstance(facts, TaskFacts) else None
        name = queue_name(known, None, None, Defaults()) if known is not None else ""
        freed = self.waiting.put(task, waits_in(known, standing, QueueKey(task.namespace, name)))
        if freed is not None:
            self.news(freed)

    def looked_at(self, task: Key) -> None:
        """A Task was looked at, whatever came of it."""
        if self.admission.looked_at(task):
            for queue in [queue for queue in self.admission if queue.namespace == task.namespace]:
                self._give_out(queue)

    def _give_out(self, queue: QueueKey) -> None:
        grants = self.admission.grants(queue, self._clock())
        for name in grants.tasks:
            self._work.add(Key(queue.namespace, name))
        if grants.look_again is not None:
            self._work.add_at(queue, grants.look_again)

    # --- a queue's turn ---

    async def reconcile(self, queue: QueueKey) -> None:
        """Follow the queue's spec, give out what there is, and write its status if it is time."""
        self._undeclared.discard(queue)
        self._configure(queue)
        self._give_out(queue)
        self.news(queue)
        facts = self._declared(queue)
        if facts is None:
            self._written.pop(queue, None)
        else:
            await self._keep_status(facts)

    async def _keep_status(self, facts: QueueFacts) -> None:
        queue, now, stream = facts.key, self._clock(), self.stream(facts.key)
        if stream is UNKNOWN and not facts.status.conditions:
            return  # the first status would be without it for as long as one may not be written again
        counts, arrival = self.admission.counts(queue), self.admission.arrival(queue)
        status = queue_status(facts, counts, arrival, now, stream)
        if status.oldest_queued_seconds is not None:
            self._work.add_at(queue, now + timedelta(seconds=next_growth(status.oldest_queued_seconds)))
        if status == facts.status:
            return
        due = self._written.get(queue, now - timedelta(seconds=PAUSE_SECONDS)) + timedelta(seconds=PAUSE_SECONDS)
        if now < due <= now + timedelta(seconds=PAUSE_SECONDS):
            self._work.add_at(queue, due)
            return
        self._written[queue] = now
        await self._write_status(facts, status)

    async def _write_status(self, facts: QueueFacts, status: TaskQueueStatus) -> None:
        namespace, name, _ = facts.key
        try:
            raw = await self._kube.write_status(api.QUEUES, namespace, name, facts.version, status.to_wire())
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            return  # it has changed meanwhile, and its watch will tell
        self._cache.put("queues", raw)

    def _declared(self, queue: QueueKey) -> QueueFacts | None:
        return self._cache.queues.get(Key(queue.namespace, queue.queue))

    def _configure(self, queue: QueueKey) -> None:
        """Where the spec is news, everybody who stands in the queue is looked at: a limit, a stop, a reason changed."""
        facts = self._declared(queue)
        if self.admission.configure(queue, facts.spec if facts is not None else None):
            for task in self.admission.standing_in(queue):
                self._work.add(task)
            self._give_out(queue)

    # --- starting up ---

    def begin(self, ours: Callable[[str], bool] = lambda _: True) -> None:
        """Take up namespaces, from what the cache holds: nothing is given out before each Task was looked at.

        To be called once the cache is filled, Jobs too, and before the first reconcile there.

        Args:
            ours: whether a namespace is one of those that are about to be worked on.
        """
        tasks = (entry.facts for key, entry in self._cache.tasks.entries.items() if ours(key.namespace))
        unfinished = [task for task in tasks if isinstance(task, TaskFacts) and not task.finished]
        keys: dict[str, list[Key]] = {queue.namespace: [] for queue in self.admission if ours(queue.namespace)}
        for task in unfinished:
            keys.setdefault(task.key.namespace, []).append(task.key)
        self.waiting.forget(ours)
        for namespace, tasks_there in keys.items():
            self.admission.begin(namespace, tasks_there)
        self._replay(ours)
        for task in unfinished:
            self._adopt(task)

    def _adopt(self, task: TaskFacts) -> None:
        """Who has an attempt under way, recorded or not, holds a slot from the first moment."""
        number = (task.status.attempt_count or 0) + 1
        job = next((job for job in self._cache.jobs.owned_by(task.uid) if job.attempt == number), None)
        queue = QueueKey(task.key.namespace, queue_name(task, job, None, Defaults()))
        last = task.status.attempts[-1] if task.status.attempts else None
        if job is not None or (last is not None and last.finish_time is None):
            self.admission.set(task.key, Holds(queue, task.spec.concurrency_key, task.labels))
        else:
            self.waiting.put(task.key, waits_in(task, None, queue))

    def _replay(self, ours: Callable[[str], bool]) -> None:
        """Bring rate limits forward by the Jobs that are younger than what was written of them."""
        starts: dict[QueueKey, list[datetime]] = {}
        for key, entry in self._cache.jobs.entries.items():
            if ours(key.namespace) and entry.facts is not None and entry.facts.accepted is not None:
                queue = QueueKey(key.namespace, entry.facts.accepted.effective.queue_name)
                starts.setdefault(queue, []).append(entry.facts.created)
        declared = {QueueKey(*key) for key in self._cache.queues.entries if ours(key.namespace)}
        for queue in {*starts, *declared}:
            self._configure(queue)
            self._replay_one(queue, starts.get(queue, []))

    def _replay_one(self, queue: QueueKey, starts: list[datetime]) -> None:
        limit, facts = self.admission.spec(queue).rate_limit, self._declared(queue)
        if limit is None:
            return
        written = facts.status.rate_limit if facts is not None else None
        since = self._clock() - timedelta(seconds=limit.period_seconds)
        if written is not None:
            since = max(since, whole_second(written.observed_time))  # creation times have no fractions
        arrival = written.theoretical_arrival_time if written is not None else None
        self.admission.replay(queue, replayed(limit, arrival, (start for start in starts if start >= since)))

    # --- what others ask ---

    def history(self, task: TaskFacts) -> tuple[QueueKey, int | None]:
        """A finished Task's queue, and how many finished Tasks that keeps."""
        queue = QueueKey(task.key.namespace, queue_name(task, None, None, Defaults()))
        return queue, self.spec(queue).history_limit

    def spec(self, queue: QueueKey) -> TaskQueueSpec:
        """What the queue follows, also where nothing stands in it and the admission has forgotten it."""
        facts = self._declared(queue)
        return facts.spec if facts is not None else self.admission.defaults

    def count(self, ours: Callable[[str], bool] = lambda _: True) -> None:
        """Refresh the gauge of Tasks by queue: a bounded number of series, however many queues users think of."""
        counts = {queue: self.admission.counts(queue) for queue in self.admission if ours(queue.namespace)}
        largest = sorted(counts, key=lambda queue: (-counts[queue].queued - counts[queue].running, queue))
        QUEUE_TASKS.clear()
        for place, queue in enumerate(largest):
            namespace, name = queue[:2] if place < MOST_QUEUES else ("", "")
            QUEUE_TASKS.labels(namespace, name, "queued").inc(counts[queue].queued)
            QUEUE_TASKS.labels(namespace, name, "running").inc(counts[queue].running)

    def forget_idle(self) -> None:
        """Forget what nothing stands in: a declaration is in the cache."""
        self.admission.forget_idle(self._clock())
        self._undeclared.intersection_update(self.admission)
