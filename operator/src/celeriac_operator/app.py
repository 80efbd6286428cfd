"""The only place where objects are made and wired to each other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import kopf
import structlog
from kopf._core.engines.peering import Identity

from celeriac_operator.clock_jumps import LOOK_SECONDS, ClockJumps
from celeriac_operator.core.cron.facts import CronKey
from celeriac_operator.core.facts import Key
from celeriac_operator.handlers.settings import kopf_settings
from celeriac_operator.handlers.watches import register_watches
from celeriac_operator.housekeeping import count_phases, keep_in_bounds
from celeriac_operator.http import serve
from celeriac_operator.kube.api import KubeApi
from celeriac_operator.kube.apply import Applier
from celeriac_operator.kube.apply_cron import CronApplier
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.metrics import QUEUE_DEPTH, QUEUE_OLDEST
from celeriac_operator.reconcile import TROUBLE, Reconciler
from celeriac_operator.reconcile_cron import CronReconciler
from celeriac_operator.settings import Settings
from celeriac_operator.watch import Watch
from celeriac_operator.workqueue import WorkQueue

log = structlog.get_logger()

HOUSEKEEPING_SECONDS = 30.0


def clock() -> datetime:
    """Now. Everything below takes it from here."""
    return datetime.now(UTC)


class App:
    """The operator's parts."""

    def __init__(self, settings: Settings, kube: KubeApi) -> None:
        self.settings, self.kube = settings, kube
        self.cache = Cache()
        self.queue: WorkQueue[WorkKey] = WorkQueue(clock)
        applier = Applier(kube, self.cache, settings.default_resources, self._changed)
        cron_applier = CronApplier(kube, self.cache, self._changed)
        crons = CronReconciler(self.cache, kube, self.queue, cron_applier, clock=clock)
        self.reconciler = Reconciler(self.cache, kube, self.queue, applier, settings.defaults, crons, clock=clock)
        self.watch = Watch(self.cache, kube, settings.namespaces, self._changed)
        self.clock_jumps = ClockJumps(clock, time.monotonic)
        self.ready = False
        self._unused_revisions: frozenset[Key] = frozenset()
        self._background: list[asyncio.Task[None]] = []

    def _changed(self, keys: set[WorkKey]) -> None:
        for key in keys:
            self.queue.add(key)

    async def run(self) -> None:
        """Run until a signal asks for the end."""
        registry = kopf.OperatorRegistry()
        register_watches(registry, self.watch)
        kopf.on.startup(registry=registry)(self._start)
        kopf.on.cleanup(registry=registry)(self._stop)
        kopf.on.login(registry=registry)(_login)
        namespaces = self.settings.namespaces
        await kopf.operator(
            registry=registry,
            settings=kopf_settings(),
            clusterwide=not namespaces,
            namespaces=namespaces,
            standalone=True,
            identity=Identity(self.settings.pod_name),  # kopf's own guess needs a user name, and our uid has none
        )

    async def _start(self, **_: Any) -> None:
        """Serve probes first, decide nothing before everything was listed."""
        self._server = await serve(
            self.settings.http_port, problems=self.problems, ready=lambda: self.ready, refresh=self._refresh
        )
        await self._until_done("filling the cache", self.watch.fill)
        self.ready = True
        log.info("started", tasks=len(self.cache.tasks.entries), namespaces=self.settings.namespaces or "all")
        for _worker in range(self.settings.concurrency):
            self._spawn(self.queue.work(self.reconciler.reconcile, self.reconciler.failed))
        self._spawn(self._every(self.settings.relist_seconds, "relist", self.watch.relist))
        self._spawn(self._every(HOUSEKEEPING_SECONDS, "housekeeping", self._keep_house))
        self._spawn(self._every(LOOK_SECONDS, "looking at the clock", self._look_at_the_clock))

    def _spawn(self, work: Any) -> None:
        self._background.append(asyncio.create_task(work))

    async def _stop(self, **_: Any) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._server.cleanup()

    async def _keep_house(self) -> None:
        limit = self.settings.max_finished_tasks
        self._unused_revisions = await keep_in_bounds(self.cache, self.kube, limit, self._unused_revisions)

    async def _look_at_the_clock(self) -> None:
        if jump := self.clock_jumps.look():
            log.warning("the clock has jumped: all CronTasks are looked at again", seconds=round(jump, 1))
            self._changed({CronKey(*key) for key in self.cache.crons.entries})

    async def _every(self, seconds: float, name: str, do: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._until_done(name, do)

    async def _until_done(self, name: str, do: Callable[[], Awaitable[None]]) -> None:
        """Try again while the API server does not answer: starting before it does is no reason to crash."""
        while True:
            try:
                return await do()
            except TROUBLE as error:
                log.warning("the API server does not answer as it should", doing=name, error=str(error))
                await asyncio.sleep(2)

    def _refresh(self) -> None:
        QUEUE_DEPTH.set(self.queue.depth)
        QUEUE_OLDEST.set(self.queue.oldest_seconds)
        count_phases(self.cache)

    def problems(self) -> list[str]:
        """What is wrong with this process, so that a restart would help."""
        found = [f"the watch of {kind} is dead: relists had to repair it again and again" for kind in self.watch.dead]
        if self.queue.oldest_seconds > self.settings.stuck_seconds:
            found.append(f"the work queue is stuck: a key waits since {self.queue.oldest_seconds:.0f} s")
        return found


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """The pod's service account, or the kubeconfig where there is none; as KubeApi does."""
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)
