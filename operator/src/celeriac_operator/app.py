"""The only place where objects are made and wired to each other."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, NoReturn

import kopf
import structlog
from kopf._core.engines.peering import Identity

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.background import Background
from celeriac_operator.bus.assignments import Assignments
from celeriac_operator.bus.connection import TROUBLE as NATS_TROUBLE
from celeriac_operator.bus.connection import Bus, BusDown
from celeriac_operator.bus.deadletters import DeadLetters
from celeriac_operator.bus.door import Door
from celeriac_operator.bus.keeping import Keeping
from celeriac_operator.bus.maker import Tools
from celeriac_operator.bus.room import dead_room, delayed_room
from celeriac_operator.bus.streams import Streams, StreamSettings
from celeriac_operator.clock_jumps import LOOK_SECONDS, ClockJumps
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.cron.facts import CronKey
from celeriac_operator.core.election import Candidate
from celeriac_operator.core.facts import Key
from celeriac_operator.duties import Duties
from celeriac_operator.election import Elector, Work
from celeriac_operator.election_thread import ElectionThread
from celeriac_operator.fence import Fence, NotLeading, boot_time
from celeriac_operator.handlers.login import Login
from celeriac_operator.handlers.settings import kopf_settings
from celeriac_operator.handlers.watches import register_watches
from celeriac_operator.housekeeping import count_phases, delete_surplus, delete_unused_revisions
from celeriac_operator.http import serve
from celeriac_operator.http_queues import queue_routes
from celeriac_operator.kube import credentials
from celeriac_operator.kube.api import KubeApi
from celeriac_operator.kube.apply import Applier
from celeriac_operator.kube.apply_cron import CronApplier
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.kube.leases import Leases
from celeriac_operator.metrics import ASYNCIO_TASKS, QUEUE_DEPTH, QUEUE_OLDEST
from celeriac_operator.queues import Queues
from celeriac_operator.reconcile import TROUBLE, Reconciler
from celeriac_operator.reconcile_cron import CronReconciler
from celeriac_operator.settings import Settings
from celeriac_operator.warm import WarmPools
from celeriac_operator.watch import Watch
from celeriac_operator.workqueue import WorkQueue

log = structlog.get_logger()

HOUSEKEEPING_SECONDS = 30.0
DEPOSED = 3
"""Exit code of a process that must not go on."""


def clock() -> datetime:
    """Now. Everything below takes it from here."""
    return datetime.now(UTC)


def die(reason: str) -> NoReturn:
    """End the process at once: no clean-up, no handler, nothing that could still write."""
    log.critical("exiting at once", reason=reason)
    logging.shutdown()
    os._exit(DEPOSED)


class App:
    """The operator's parts.

    Args:
        kube: the connection for everything but the Leases; its writes pass the fence.
    """

    def __init__(self, settings: Settings, kube: KubeApi, fence: Fence) -> None:
        self.settings, self.kube = settings, kube
        self.cache = Cache()
        self.queue: WorkQueue[WorkKey] = WorkQueue(clock)
        self.bus = Bus(settings.nats, settings.pod_name)
        self.keeping = Keeping(self.bus, self.cache, settings, fence.permit, self._changed, self._works_on, clock=clock)
        book = self.keeping.book
        self.warm = WarmPools(
            self.cache,
            kube,
            self.queue,
            lambda: book.bus,
            settings.default_resources,
            settings.runner_access,
            clock=clock,
        )
        pods = Assignments(self.bus, self.warm.namespaces, self.warm.heard, self.warm.unheard)
        self.applier = Applier(
            kube,
            self.cache,
            settings.default_resources,
            self._changed,
            book,
            self.keeping.history.tell,
            settings.runner_access,
            pods,
            self._works_on,
        )
        self.queues = Queues(self.cache, kube, self.queue, settings.queue_defaults, clock=clock)
        crons = CronReconciler(self.cache, kube, self.queue, CronApplier(kube, self.cache, self._changed), clock=clock)
        self.reconciler = Reconciler(
            self.cache,
            kube,
            self.queue,
            self.applier,
            self.queues,
            settings.defaults,
            crons,
            book,
            self.warm,
            clock=clock,
        )
        self.watch = Watch(self.cache, kube, settings.namespaces, self._changed)
        self._authority = credentials.authority()
        self.clock_jumps = ClockJumps(clock, time.monotonic)
        self.background = Background(die)
        self.duties = Duties(
            settings.shards,
            self.cache,
            self.watch,
            self.queue.add,
            self.background,
            begin=self._begin,
            end=self._end,
        )
        self.election = ElectionThread(partial(_elector, settings, fence), self.duties, fence, die)
        self.streams: Streams | None = None
        self.door = self._build_door(fence) if self.bus.enabled else None
        self.ready = False
        self._unused_revisions: frozenset[Key] = frozenset()
        self._stop_asked, self._stop_now = asyncio.Event(), asyncio.Event()

    def _build_door(self, fence: Fence) -> Door:
        """What takes messages in."""

        def declared() -> dict[QueueKey, TaskQueueSpec]:
            entries = self.cache.queues.entries.items()
            ours = ((key, entry.facts) for key, entry in entries if self.duties.ours(key.namespace))
            return {QueueKey(*key): facts.spec for key, facts in ours if facts is not None}

        def spec(queue: QueueKey) -> TaskQueueSpec | None:
            facts = self.cache.queues.get(Key(queue.namespace, queue.queue))
            return facts.spec if facts is not None and self.duties.ours(queue.namespace) else None

        bounds = self.settings.nats_bounds
        self.streams = streams = Streams(
            self.bus,
            declared,
            self._keeps_streams_of,
            self.queue.add,
            fence.permit,
            StreamSettings(self.settings.nats_replicas, bounds),
        )
        tools = Tools(
            self.kube,
            self.cache,
            self._changed,
            self.queues.waiting,
            DeadLetters(self.bus, dead_room(self.bus, bounds), self.settings.record_retention),
            fence.permit,
            clock,
            delayed_room(self.bus, bounds),
            streams.trouble,
            self.keeping.book,
        )
        door = Door(self.bus, streams, tools, spec)
        self.queues.stream, self.queues.news = streams.state, door.tell
        return door

    def _begin(self, ours: Callable[[str], bool]) -> None:
        """Others may have worked on these namespaces until now."""
        self.cache.forget_held(ours)
        self.keeping.book.take_up(ours)
        self.warm.take_up(ours)
        self.queues.begin(ours)

    async def _end(self, ours: Callable[[str], bool]) -> None:
        """Others may work on these namespaces from now on. What is not written now, they find out by NATS."""
        try:
            await self.applier.write_held(ours)
        except (*TROUBLE, NotLeading) as error:
            log.warning("statuses that were held are not written", error=str(error) or type(error).__name__)

    def _keeps_streams_of(self, namespace: str) -> bool:
        """A stream whose queue is not seen here is closed only where it would be: another operator may share NATS."""
        watched = not self.settings.namespaces or namespace in self.settings.namespaces
        return watched and self.duties.ours(namespace)

    def _works_on(self, namespace: str) -> bool:
        return self.duties.ours(namespace)

    def _changed(self, keys: set[WorkKey]) -> None:
        for key in keys:
            if self.duties.ours(key.namespace):
                self.queue.add(key)

    async def _work_on(self, key: WorkKey) -> None:
        """What is not ours is dropped: whoever takes it up looks at everything there."""
        if self.duties.ours(key.namespace):
            await self.reconciler.reconcile(key)

    async def run(self) -> None:
        """Run until a signal asks for the end."""
        registry = kopf.OperatorRegistry()
        register_watches(registry, self.watch)
        kopf.on.startup(registry=registry)(self._start)
        kopf.on.cleanup(registry=registry)(self._stop)
        kopf.on.login(registry=registry)(Login().log_in)
        namespaces = self.settings.namespaces
        await kopf.operator(
            registry=registry,
            settings=kopf_settings(),
            clusterwide=not namespaces,
            namespaces=namespaces,
            standalone=True,
            identity=Identity(self.settings.pod_name),  # kopf's own guess needs a user name, and our uid has none
            stop_flag=self._stop_now,
        )

    async def _start(self, **_: Any) -> None:
        """Serve probes first, take part in the election once everything was listed."""
        self._server = await serve(
            self.settings.http_port,
            problems=self.problems,
            ready=lambda: self.ready,
            refresh=self._refresh,
            routes=queue_routes(self.queues, self.cache, self.duties.ours),
        )
        await self.background.until_done("filling the cache", self.watch.fill)
        self.ready = True
        log.info("started", tasks=len(self.cache.tasks.entries), namespaces=self.settings.namespaces or "all")
        for watch in self.watch.follow():
            self.background.spawn(watch)
        for _worker in range(self.settings.concurrency):
            self.background.spawn(self.queue.work(self._work_on, self.reconciler.failed))
        self.background.spawn(self.background.every(self.settings.relist_seconds, "relist", self.watch.relist))
        self.background.spawn(self.background.every(HOUSEKEEPING_SECONDS, "housekeeping", self._keep_house))
        self.background.spawn(self.background.every(LOOK_SECONDS, "looking at the clock", self._look_at_the_clock))
        self.background.spawn(self.bus.run())
        if self.door is not None:
            self.background.spawn(self.door.run())
        for duty in self.keeping.duties():
            self.background.spawn(duty)
        self.election.start()
        self._give_leases_back_first()

    def _give_leases_back_first(self) -> None:
        """Before kopf ends its watches, which takes seconds: another replica shall go on at once."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop_asked.set)
        self.background.spawn(self._resign_when_asked())

    async def _resign_when_asked(self) -> None:
        await self._stop_asked.wait()
        await self.election.resign()
        self._stop_now.set()

    async def _stop(self, **_: Any) -> None:
        await self.election.resign()
        await self.background.stop()
        await self.bus.close()
        await self._server.cleanup()

    async def _keep_house(self) -> None:
        limit, history = self.settings.max_finished_tasks, self.queues.history
        self.queues.forget_idle()
        self.warm.forget_gone()
        await delete_surplus(self.cache, self.kube, limit, history, self.duties.ours, self.keeping.recorded)
        self._unused_revisions = await delete_unused_revisions(
            self.cache, self.kube, self._unused_revisions, self.duties.ours, self._messages_wait
        )

    async def _messages_wait(self, namespace: str) -> bool:
        try:
            return self.streams is not None and await self.streams.messages_wait(namespace)
        except (*NATS_TROUBLE, BusDown):
            return True  # nobody knows

    async def _look_at_the_clock(self) -> None:
        if jump := self.clock_jumps.look():
            log.warning("the clock has jumped: timers are set anew, CronTasks looked at again", seconds=round(jump, 1))
            self.queue.set_timers_anew()
            self._changed({CronKey(*key) for key in self.cache.crons.entries})

    def _refresh(self) -> None:
        ASYNCIO_TASKS.set(len(asyncio.all_tasks()))
        QUEUE_DEPTH.set(self.queue.depth)
        QUEUE_OLDEST.set(self.queue.oldest_seconds)
        count_phases(self.cache, self.duties.ours)
        self.queues.count(self.duties.ours)
        self.warm.count(self.duties.ours)

    def problems(self) -> list[str]:
        """What is wrong with this process, so that a restart would help."""
        found = [f"the watch of {kind} is dead: relists had to repair it again and again" for kind in self.watch.dead]
        if self.queue.oldest_seconds > self.settings.stuck_seconds:
            found.append(f"the work queue is stuck: a key waits since {self.queue.oldest_seconds:.0f} s")
        if credentials.authority() != self._authority:
            found.append("ca.crt has changed: this process trusts only the authorities that were in it as it started")
        return found


@asynccontextmanager
async def _elector(settings: Settings, fence: Fence, work: Work) -> AsyncIterator[Elector]:
    """On a connection of its own, which belongs to the event loop that it was made on."""
    kube = await KubeApi.connect()
    patience = settings.renew_deadline_seconds / 3  # a call that hangs leaves time for another look and renewal
    leases = Leases(kube, settings.operator_namespace, settings.lease_name, patience)
    me = Candidate(settings.identity, settings.shards, settings.timing)
    try:
        yield Elector(leases, fence, work, me, clock=boot_time, wall=clock, die=die)
    finally:
        await kube.close()
