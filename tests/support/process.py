"""The operator's process on the simulated cluster: its own cache, observe, decide and apply, in steps."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from tests.support.cluster import NAMESPACE, PLURALS, Cluster
from tests.support.crash import OperatorDied
from tests.support.fake_kube import FakeKube

from celeriac.api.v1alpha1 import Defaults, Resources, TaskQueueSpec, TaskStatus
from celeriac_operator.bus.records import RecordBook
from celeriac_operator.core.facts import Key, TaskFacts
from celeriac_operator.kube.api import KubeApi, unfenced
from celeriac_operator.kube.apply import Applier
from celeriac_operator.kube.apply_cron import CronApplier
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.manifests.runner import NO_ACCESS
from celeriac_operator.queues import Queues
from celeriac_operator.reconcile import TROUBLE, Reconciler
from celeriac_operator.reconcile_cron import CronReconciler
from celeriac_operator.warm import WarmPools
from celeriac_operator.watch import LISTED, WATCHED
from celeriac_operator.workqueue import WorkQueue

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never really waits; what limits its time needs a task of an event loop all the same."""
    if asyncio._get_running_loop() is None:
        return _in_a_task(coroutine)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast(T, stop.value)
    raise AssertionError(WAITS)


def _in_a_task(coroutine: Coroutine[Any, Any, T]) -> T:
    loop = _loop()
    task = loop.create_task(coroutine)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert task.done(), WAITS
    return task.result()


WAITS = "it waits for something that the simulation does not have"
_loop = functools.cache(asyncio.new_event_loop)


class Queue:
    """The work queue's face towards the reconciler, with timers that a test's clock moves."""

    def __init__(self) -> None:
        self.ready: dict[WorkKey, None] = {}
        self.timers: dict[WorkKey, datetime] = {}

    def add(self, key: WorkKey) -> None:
        self.ready[key] = None

    def add_at(self, key: WorkKey, when: datetime) -> None:
        self.timers[key] = min(when, self.timers.get(key, when))

    def look_at(self, key: WorkKey, when: datetime | None) -> None:
        self.timers.pop(key, None)
        if when is not None:
            self.timers[key] = when

    def forget(self, key: WorkKey) -> None:
        self.timers.pop(key, None)

    def wake(self, now: datetime) -> None:
        for key in [key for key, when in self.timers.items() if when <= now]:
            del self.timers[key]
            self.add(key)


class Pods:
    """What waiting pods are told: it is kept until a test lets it arrive, or loses it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def tell(self, namespace: str, pod_uid: str, message: Mapping[str, Any]) -> None:
        self._cluster.assignments.append((pod_uid, dict(message)))


def wired(  # noqa: PLR0917  as many as there are parts
    cluster: Cluster,
    kube: FakeKube,
    queue: Queue | WorkQueue[WorkKey],
    cache: Cache,
    book: RecordBook,
    changed: Callable[[set[WorkKey]], None],
    defaults: Defaults,
    queue_defaults: TaskQueueSpec,
) -> tuple[Queues, WarmPools, Applier, Reconciler]:
    """What decides and what does, as ``app.py`` puts it together."""
    clock, api, work = cluster.clock, cast(KubeApi, kube), cast("WorkQueue[WorkKey]", queue)

    def history(task: TaskFacts, status: TaskStatus) -> None:
        cluster.history.append((task.key.name, str(status.phase), status.reason or ""))

    applier = Applier(api, cache, Resources(), changed, book, history, pods=Pods(cluster))
    queues = Queues(cache, api, work, queue_defaults, clock=clock)
    warm = WarmPools(cache, api, work, lambda: book.bus, Resources(), NO_ACCESS, clock=clock)
    crons = CronReconciler(cache, api, work, CronApplier(api, cache, changed), clock=clock)
    reconciler = Reconciler(cache, api, work, applier, queues, defaults, crons, book, warm, clock=clock)
    return queues, warm, applier, reconciler


class Process:
    """One life of the operator after another: memory is lost in between, the cluster is not."""

    def __init__(
        self, cluster: Cluster, defaults: Defaults | None = None, queue_defaults: TaskQueueSpec | None = None
    ) -> None:
        self.cluster, self.defaults = cluster, defaults or Defaults()
        self.queue_defaults = queue_defaults or TaskQueueSpec()
        self.starts = 0
        self.start()

    def start(self) -> None:
        """A new process: it lists everything before it decides anything."""
        self.starts += 1
        self.cache, self.queue, self.errors = Cache(), Queue(), dict[WorkKey, int]()
        self.kube = FakeKube(self.cluster)
        self.book = RecordBook(self.cluster.bucket, self._records_changed, unfenced)
        self.queues, self.warm, self.applier, self.reconciler = wired(
            self.cluster,
            self.kube,
            self.queue,
            self.cache,
            self.book,
            self._changed,
            self.defaults,
            self.queue_defaults,
        )
        self.heard_records, self.cluster.bucket.live = len(self.cluster.bucket.log), self.cluster.bucket.up
        self.heard = {}
        for kind in LISTED:
            for raw in self.cluster.all(PLURALS[kind]):
                self._changed(self.cache.put(kind, raw))
        self.cache.forget_orphans()
        self.queues.begin()
        for kind in WATCHED:
            self.heard[kind] = len(self.cluster.log[kind])

    def take_up(self) -> None:
        """As a replica that leads again after another one has; see ``app.py`` and ``duties.py``."""
        for kind in ("tasks", "jobs"):
            there = {Key(NAMESPACE, raw["metadata"]["name"]): raw for raw in self.cluster.all(kind)}
            for key in [key for key in self.cache.kind(kind).entries if key not in there]:
                self.cache.drop(kind, key)
            for raw in there.values():
                self.cache.put(kind, raw)
        self.cache.forget_orphans()
        self.cache.forget_held(lambda _: True)
        self.book.take_up(lambda _: True)
        self.warm.take_up(lambda _: True)
        self.queues.begin()
        self._changed(self.cache.work_keys(lambda _: True))

    def leave(self) -> None:
        """As a leader that is stopped, or gives a shard away."""
        with suppress(*TROUBLE, OperatorDied):
            run(self.applier.write_held(lambda _: True))

    def _records_changed(self, keys: Iterable[Key]) -> None:
        self._changed(set(keys))

    def hear_records(self, news: int | None = None) -> None:
        """News of so many changes of records come, or of all. Where NATS was away they begin anew."""
        bucket = self.cluster.bucket
        if not bucket.up:
            return
        if not bucket.live:
            self.heard_records, bucket.live = len(bucket.log), True
            self.book.begin()
        end = len(bucket.log) if news is None else min(self.heard_records + news, len(bucket.log))
        for key, entry in bucket.log[self.heard_records : end]:
            self.book.told(key, entry)
        self.heard_records = end

    def _changed(self, keys: set[WorkKey]) -> None:
        for key in sorted(keys):
            self.queue.add(key)

    def hear(self, kind: str, events: int | None = None) -> None:
        """The watch of a kind delivers so many events, or all."""
        log = self.cluster.log[kind]
        end = len(log) if events is None else min(self.heard[kind] + events, len(log))
        for event, raw in log[self.heard[kind] : end]:
            if event == "DELETED":
                self._changed(self.cache.drop(kind, Key(NAMESPACE, raw["metadata"]["name"])))
            else:
                self._changed(self.cache.put(kind, raw))
        self.heard[kind] = end

    def work(self) -> bool:
        """One reconcile, if there is something to do."""
        now = self.cluster.clock.now
        self.queue.wake(now)
        if not self.queue.ready:
            return False
        key = next(iter(self.queue.ready))
        del self.queue.ready[key]
        before = self.cluster.writes.total()
        try:
            run(self.reconciler.reconcile(key))
        except OperatorDied:
            self.start()
        except TROUBLE as error:
            count = self.errors[key] = self.errors.get(key, 0) + 1
            self.reconciler.failed(key, error, count)
            self.queue.add_at(key, now + timedelta(seconds=min(0.05 * 2**count, 60)))
        else:
            self.errors.pop(key, None)
            again = self.queue.timers.get(key)
            quiet = self.cluster.writes.total() == before
            assert not (quiet and again is not None and again <= now), f"a hot loop: look again at {again}, now {now}"
        return True

    def work_off(self, limit: int = 50) -> None:
        """All that there is to do now."""
        for _ in range(limit):
            if not self.work():
                return
        raise AssertionError(f"a hot loop: still work to do after {limit} reconciles at {self.cluster.clock.now}")
