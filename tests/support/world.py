"""The operator as it runs, on servers that do what a test says: its own loop, work queue, workers, watches and intake.

``tests/support/process.py`` has one reconcile after the other; here they meet at every await, and so do lives of the
operator: what a dead one has sent may still be carried out while the next is starting.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NoReturn, TypeVar, cast

from tests.support.clock import Clock
from tests.support.cluster import NAMESPACE, Cluster
from tests.support.fake_kube import FakeKube
from tests.support.jetstream import FakeBus, KeptStreams, SteppedBucket
from tests.support.jetstream_server import Server
from tests.support.objects import Raw
from tests.support.process import run, wired
from tests.support.stepped import Fate, Network, SteppedLoop

from celeriac.api.v1alpha1 import Defaults, TaskQueueSpec
from celeriac_operator.background import Background
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.deadletters import DeadLetters
from celeriac_operator.bus.door import Door
from celeriac_operator.bus.maker import Tools
from celeriac_operator.bus.records import RecordBook
from celeriac_operator.bus.room import Bounds, dead_room, delayed_room
from celeriac_operator.bus.streams import Streams
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.facts import Key
from celeriac_operator.duties import Duties
from celeriac_operator.kube.api import ApiError, KubeApi, Resource, unfenced
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.metrics import RECONCILE_ERRORS
from celeriac_operator.watch import WATCHED, Watch
from celeriac_operator.workqueue import WorkQueue

T = TypeVar("T")

QUEUE = QueueKey(NAMESPACE, "default")
WORKERS = 4
MOST_REQUESTS = 3000
"""A world that asks more than this without time passing goes round in circles."""


class SteppedKube(FakeKube):
    """One life's connection to the API server, over the network."""

    def __init__(self, cluster: Cluster, network: Network) -> None:
        super().__init__(cluster)
        self._network, self._life = network, network.life

    async def _ask(self, what: str, do: Callable[[], Coroutine[Any, Any, T]]) -> T:
        refused, lost = ApiError(500, "InternalError", "etcd is busy"), ConnectionError(what)
        answer: T = await self._network.ask("api", what, lambda: run(do()), life=self._life, refused=refused, lost=lost)
        return answer

    async def get(self, resource: Resource, namespace: str, name: str) -> Raw | None:
        return await self._ask(f"get {name}", lambda: FakeKube.get(self, resource, namespace, name))

    async def pages(
        self, resource: Resource, namespace: str | None, *, labels: str = "", fields: str = ""
    ) -> AsyncIterator[Raw]:
        async def pages() -> list[Raw]:
            return [page async for page in FakeKube.pages(self, resource, namespace, labels=labels, fields=fields)]

        for page in await self._ask(f"list {resource.plural}", pages):
            yield page

    async def create(self, resource: Resource, namespace: str, manifest: Raw, *, strict: bool = False) -> Raw:
        what = f"create {resource.plural} {manifest['metadata']['name']}"
        return await self._ask(what, lambda: FakeKube.create(self, resource, namespace, manifest, strict=strict))

    async def write_status(self, resource: Resource, namespace: str, name: str, version: str, status: Raw) -> Raw:
        return await self._ask(
            f"status {name}", lambda: FakeKube.write_status(self, resource, namespace, name, version, status)
        )

    async def merge(self, resource: Resource, namespace: str, name: str, uid: str, patch: Raw) -> Raw:
        return await self._ask(f"merge {name}", lambda: FakeKube.merge(self, resource, namespace, name, uid, patch))

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        uid: str,
        *,
        propagation: str = "Background",
        grace_seconds: int | None = None,
    ) -> None:
        how: dict[str, Any] = {"propagation": propagation, "grace_seconds": grace_seconds}
        await self._ask(f"delete {name}", lambda: FakeKube.delete(self, resource, namespace, name, uid, **how))


class Life:
    """One life of the operator."""

    def __init__(self, world: World) -> None:
        cluster, network = world.cluster, world.network
        self.cache = Cache()
        self.queue: WorkQueue[WorkKey] = WorkQueue(world.clock)
        kube = SteppedKube(cluster, network)
        self.kube = cast(KubeApi, kube)
        self.bus = FakeBus(world.server, cluster.bucket, network)
        bus = cast(Bus, self.bus)
        self.book = RecordBook(SteppedBucket(cluster.bucket, self.bus), lambda keys: self._changed(set(keys)), unfenced)
        self.queues, _, applier, self.reconciler = wired(
            cluster, kube, self.queue, self.cache, self.book, self._changed, Defaults(), TaskQueueSpec()
        )
        self.watch = Watch(self.cache, self.kube, [NAMESPACE], self._changed)
        self.background = Background(_die)
        self.duties = Duties(
            1,
            self.cache,
            self.watch,
            self.queue.add,
            self.background,
            begin=self.queues.begin,
            end=applier.write_held,
        )
        streams = KeptStreams(QUEUE)
        tools = Tools(
            self.kube,
            self.cache,
            self._changed,
            self.queues.waiting,
            DeadLetters(bus, dead_room(bus, Bounds())),
            unfenced,
            world.clock,
            delayed_room(bus, Bounds()),
            streams.trouble,
            self.book,
        )
        self.door = Door(bus, cast(Streams, streams), tools, self._spec)
        self.queues.news = self.door.tell
        self.heard = {kind: len(cluster.log[kind]) for kind in WATCHED}
        self.heard_records, cluster.bucket.live = len(cluster.bucket.log), network.up["bus"]

    def _spec(self, queue: QueueKey) -> TaskQueueSpec | None:
        facts = self.cache.queues.get(Key(queue.namespace, queue.queue))
        return facts.spec if facts is not None and self.duties.ours(queue.namespace) else None

    def _changed(self, keys: set[WorkKey]) -> None:
        for key in sorted(keys):
            if self.duties.ours(key.namespace):
                self.queue.add(key)

    async def run(self) -> None:
        """As ``app.py`` starts it."""
        await self.background.until_done("filling the cache", self.watch.fill)
        for _worker in range(WORKERS):
            self.background.spawn(self.queue.work(self.reconciler.reconcile, self.reconciler.failed))
        self.background.spawn(self.door.run())
        self.duties.take_up(0)


def _die(why: str) -> NoReturn:
    raise AssertionError(why)


class World:
    """Servers, one life of the operator after the other, and time."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cluster = Cluster(self.clock)
        self.loop = SteppedLoop(self.clock)
        self.network = Network(self.loop)
        self.cluster.late = lambda: self.network.late
        self.cluster.given_up = lambda: self.network.given_up
        self.server = Server(self.clock, self.cluster.facts.append)
        self.errors: list[str] = []
        self.loop.set_exception_handler(lambda _, context: self.errors.append(str(context)))
        self._bugs = _bugs()
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """Leave nothing behind."""
        self.network.end_life(in_flight=False)
        self.loop.close()

    def start(self) -> None:
        """A life begins."""
        self.life = Life(self)
        self._spawn(self.life.run())
        self.loop.settle()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """The loop itself keeps no task alive."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def die(self, *, in_flight: bool) -> None:
        """The operator is killed, wherever it is, and started again."""
        self.network.end_life(in_flight=in_flight)
        self.start()

    # --- what the operator hears ---

    def hear(self, kind: str, events: int | None = None, *, swallowed: bool = False) -> None:
        """The watch of a kind delivers so many events, or all; or loses them."""
        log, life = self.cluster.log[kind], self.life
        end = len(log) if events is None else min(life.heard[kind] + events, len(log))
        if end == life.heard[kind]:
            return
        for event, raw in log[life.heard[kind] : end] if not swallowed else ():
            self.loop.call_soon(life.watch.saw, kind, event, raw)
        life.heard[kind] = end
        self.loop.settle()

    def hear_records(self, news: int | None = None) -> None:
        """News of so many changes of records come, or of all. Where NATS was away they begin anew."""
        bucket, life = self.cluster.bucket, self.life
        if not self.network.up["bus"]:
            return
        if not bucket.live:
            life.heard_records, bucket.live = len(bucket.log), True
            self.loop.call_soon(life.book.begin)
        end = len(bucket.log) if news is None else min(life.heard_records + news, len(bucket.log))
        for key, entry in bucket.log[life.heard_records : end]:
            self.loop.call_soon(life.book.told, key, entry)
        life.heard_records = end
        self.loop.settle()

    def relist(self) -> None:
        """A relist begins."""
        life = self.life
        self._spawn(life.background.until_done("relist", life.watch.relist))
        self.loop.settle()

    def turn_bus(self, up: bool) -> None:
        """NATS goes, or comes back and has forgotten what was only in memory."""
        if up and not self.network.up["bus"]:
            self.server.restart()
            self.network.up["bus"] = True
            for callback in self.life.bus.callbacks:
                self._spawn(callback())
            self.loop.settle()
        self.network.up["bus"] = up
        self.cluster.bucket.live = self.cluster.bucket.live and up

    # --- what happens to requests ---

    def go_on(self, pick: int, fate: Fate = Fate.ANSWERED) -> None:
        """Something happens to one of the requests that are under way, if there is any."""
        possible = self.network.possible()
        if possible:
            self.network.go_on(possible[pick % len(possible)], fate)

    def flow(self) -> None:
        """Whatever was asked is answered, until nobody asks any more."""
        for _ in range(MOST_REQUESTS):
            possible = self.network.possible()
            if not possible:
                return
            self.network.go_on(possible[0])
        raise AssertionError(f"it goes round in circles: {[request.what for request in self.network.possible()]}")

    def settle(self) -> None:
        """Everybody hears everything and does what they should."""
        self.turn_bus(True)
        for _ in range(2):
            self.hear_records()
            for kind in WATCHED:
                self.hear(kind)
            self.flow()
            self.cluster.run_controllers()
            for pod in self.cluster.all("pods"):
                self.cluster.kubelet(pod, "stops", 143)
                self.cluster.kubelet(pod, "starts")

    @property
    def bugs(self) -> list[str]:
        """What nobody has caught, or what was caught as a bug of the operator's."""
        found = _bugs() - self._bugs
        return [*self.errors, *([f"{found:.0f} errors that are the operator's own, see its log"] if found else [])]


def _bugs() -> float:
    return RECONCILE_ERRORS.labels("bug")._value.get()
