"""The operator's door on a real nats-server and the simulated cluster, to be killed at any step."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import nats
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError
from tests.support.cluster import NAMESPACE, Cluster
from tests.support.fake_kube import FakeKube
from tests.support.nats_server import NatsServer
from tests.support.objects import Raw

from celeriac._nats_options import NatsOptions
from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac.wire.dead import DeadLetter, dead_letter
from celeriac.wire.message import MSG_ID, encode, message_id
from celeriac.wire.names import DEAD_STREAM, DELAYED_STREAM, SUBMISSION, Band, stream_of, submit_subject
from celeriac_operator.background import end
from celeriac_operator.bus.connection import Bus, closings_are_errors
from celeriac_operator.bus.deadletters import DeadLetters
from celeriac_operator.bus.door import Door
from celeriac_operator.bus.intake import Settings
from celeriac_operator.bus.maker import Tools
from celeriac_operator.bus.room import Bounds, Room, dead_room, delayed_room
from celeriac_operator.bus.streams import Streams, StreamSettings
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.facts import Key
from celeriac_operator.core.intake.waiting import Waiting
from celeriac_operator.core.records import RETENTION
from celeriac_operator.kube.api import KubeApi, Permit, Resource, unfenced
from celeriac_operator.kube.cache import Cache

QUEUE = QueueKey(NAMESPACE, "default")
HASTE = Settings(ack=1.0, linger=2.0, sweep=0.2)

Step = Callable[[str], Awaitable[None]]


async def nothing(_: str) -> None:
    """No step is of interest."""


class NoBook:
    """Nobody works on the Tasks that are made."""

    def seeking(self, _key: Key) -> AbstractContextManager[None]:
        return nullcontext()

    def made(self, _key: Key, _uid: str) -> None:
        pass


class SteppedKube(FakeKube):
    """Tells of the steps before and after each create."""

    def __init__(self, cluster: Cluster, step: Step) -> None:
        super().__init__(cluster)
        self.step = step
        self.trouble: list[Exception] = []

    async def create(self, resource: Resource, namespace: str, manifest: Raw, *, strict: bool = False) -> Raw:
        await self.step("before create")
        if self.trouble:
            raise self.trouble.pop(0)
        raw = await super().create(resource, namespace, manifest, strict=strict)
        await self.step("after create")
        return raw


class SteppedLetters(DeadLetters):
    """Tells of the steps of a burial."""

    def __init__(self, bus: Bus, room: Room, retention: timedelta, step: Step) -> None:
        super().__init__(bus, room, retention)
        self.step = step

    async def bury(self, *args: Any, **kwargs: Any) -> None:
        await self.step("before burial")
        await super().bury(*args, **kwargs)
        await self.step("after burial")

    async def _record(self, *args: Any) -> None:
        await super()._record(*args)
        await self.step("after record")


@dataclass
class MovedClock:
    """Real time, and what a test adds to it."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Operator:
    """One life of the door: its memory is lost at the end, server and cluster are not."""

    def __init__(
        self,
        server: NatsServer,
        cluster: Cluster,
        *,
        step: Step = nothing,
        clock: MovedClock | None = None,
        settings: Settings = HASTE,
        bounds: Bounds | None = None,
        retention: timedelta = RETENTION,
        permit: Permit = unfenced,
        empty_seconds: float = 0.0,
    ) -> None:
        self.cluster, self.clock = cluster, clock or MovedClock()
        self.bus = Bus(NatsOptions(url=server.url), probe=0.1)
        self.cache, self.waiting = Cache(), Waiting()
        self.kube = SteppedKube(cluster, step)
        self.leads = True
        self.told: Counter[QueueKey] = Counter()
        for kind, plural in {"queues": "taskqueues", "tasks": "tasks", "definitions": "taskdefinitions"}.items():
            for raw in cluster.all(plural):
                self.cache.put(kind, raw)
        for raw in cluster.all("tasks"):
            self.waiting.put(Key(NAMESPACE, raw["metadata"]["name"]), QueueKey(NAMESPACE, raw["spec"]["queueName"]))
        bounds = bounds or Bounds()
        kept = StreamSettings(bounds=bounds, empty_seconds=empty_seconds)
        self.streams = Streams(self.bus, self.declared, lambda _: self.leads, self._told, permit, kept)
        tools = Tools(
            cast(KubeApi, self.kube),
            self.cache,
            lambda _: None,
            self.waiting,
            SteppedLetters(self.bus, dead_room(self.bus, bounds), retention, step),
            unfenced,
            self.clock,
            delayed_room(self.bus, bounds),
            self.streams.trouble,
            NoBook(),
        )
        self.door = Door(self.bus, self.streams, tools, self.spec, look=0.1, settings=settings)

    def _told(self, queue: QueueKey) -> None:
        self.told[queue] += 1

    def declared(self) -> dict[QueueKey, TaskQueueSpec]:
        entries = self.cache.queues.entries.items()
        return {QueueKey(*key): entry.facts.spec for key, entry in entries if entry.facts is not None and self.leads}

    def spec(self, queue: QueueKey) -> TaskQueueSpec | None:
        return self.declared().get(queue)

    def hear_of_queues(self) -> None:
        """What changed about TaskQueues reaches the cache."""
        there = {(raw["metadata"]["namespace"], raw["metadata"]["name"]): raw for raw in self.cluster.all("taskqueues")}
        for key in list(self.cache.queues.entries):
            if key not in there:
                self.cache.drop("queues", key)
        for raw in there.values():
            self.cache.put("queues", raw)
        for queue in {*self.declared(), QUEUE}:
            self.door.tell(queue)

    def finish(self, name: str) -> None:
        """A Task does not wait any more."""
        freed = self.waiting.put(Key(NAMESPACE, name), None)
        if freed is not None:
            self.door.tell(freed)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Operator]:
        """It runs; at the end it is gone at once, whatever it was doing."""
        tasks = [asyncio.create_task(self.bus.run()), asyncio.create_task(self.door.run())]
        try:
            yield self
        finally:
            await end(tasks)
            await self.bus.close()


class Client:
    """Who publishes, and who audits."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server
        self.acknowledged: dict[str, str] = {}
        """Name to digest, of every message that the server has taken."""

    @asynccontextmanager
    async def jetstream(self) -> AsyncIterator[JetStreamContext]:
        connection = await nats.connect(self._server.url)
        try:
            yield connection.jetstream()
        finally:
            await connection.close()

    async def publish(
        self, *messages: dict[str, Any], queue: str = "default", band: Band = "n", twice: bool = False
    ) -> None:
        """Publish messages; None of them is taken for published that was not acknowledged."""
        async with self.jetstream() as js:
            for message in messages:
                headers = {MSG_ID: message_id(message)} if not twice else {}
                await js.publish(submit_subject(NAMESPACE, queue, band), encode(message), headers=headers)

    async def publish_bytes(
        self, data: bytes, *, queue: str = "default", headers: dict[str, str] | None = None
    ) -> None:
        async with self.jetstream() as js:
            await js.publish(submit_subject(NAMESPACE, queue, "n"), data, headers=headers)

    async def left(self, queue: str = "default") -> int:
        """Messages in the queue's stream; -1: there is no stream."""
        async with self.jetstream() as js:
            try:
                return (await js.stream_info(stream_of(NAMESPACE, queue))).state.messages
            except NotFoundError:
                return -1

    async def letters(self) -> list[tuple[DeadLetter, bytes]]:
        return [(dead_letter(raw.subject, raw.headers or {}), raw.data) for raw in await self._all(DEAD_STREAM)]

    async def delayed(self) -> list[Raw]:
        return [json.loads(raw.data) for raw in await self._all(DELAYED_STREAM)]

    async def _all(self, stream: str) -> list[Any]:
        found: list[Any] = []
        async with self.jetstream() as js:
            sequence = 1
            while True:
                try:
                    raw = await js.get_msg(stream, seq=sequence, subject=">", next=True)
                except NotFoundError:
                    return found
                found.append(raw)
                sequence = (raw.seq or 0) + 1


def message(name: str | None, *, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """A message; by default for a TaskDefinition."""
    body = {"definitionName": "resize", **spec} if "container" not in spec else spec
    found: dict[str, Any] = {"name": name} if name is not None else {}
    return {**found, **({"labels": labels} if labels else {}), "spec": body}


def tasks_of(cluster: Cluster) -> list[str]:
    """Names of the Tasks that there are."""
    return [raw["metadata"]["name"] for raw in cluster.all("tasks")]


def submissions_of(cluster: Cluster) -> list[str]:
    """Their messages' digests."""
    return [raw["metadata"]["annotations"][SUBMISSION] for raw in cluster.all("tasks")]


def declare(cluster: Cluster, name: str = "default", **spec: Any) -> None:
    """A TaskQueue."""
    cluster.add("taskqueues", {"metadata": {"name": name}, "spec": spec})


async def until(holds: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Wait until it holds; trouble with the server on the way is none."""
    async with asyncio.timeout(60):
        while True:
            try:
                with closings_are_errors():
                    found = holds()
                    if found if isinstance(found, bool) else await found:
                        return
            except (APIError, OSError, TimeoutError, nats.errors.Error):
                pass
            await asyncio.sleep(0.02)
