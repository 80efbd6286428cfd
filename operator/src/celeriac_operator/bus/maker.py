"""One message becomes what it is to become: a Task, a delayed message or a dead letter; only then NATS may forget it.

The order is what nothing can be lost or doubled by, whenever the process ends: something durable first, then the
acknowledgement. Each step done twice is done once: a Task's name, a letter's origin and a record's key are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac.wire.message import TaskMessage
from celeriac.wire.names import SUBMISSION
from celeriac.wire.records import RecordKind
from celeriac_operator.bus.carried import Carried
from celeriac_operator.bus.deadletters import DeadLetters
from celeriac_operator.bus.delayed import Delayed
from celeriac_operator.bus.room import NoRoom, Room
from celeriac_operator.bus.same_name import SameName
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.facts import Key
from celeriac_operator.core.intake.answer import Again, Duplicate, name_taken, refused
from celeriac_operator.core.intake.arrival import Arrival
from celeriac_operator.core.intake.verdict import REASONS, Bury, Create, Delay, Known, verdict
from celeriac_operator.core.intake.waiting import Waiting
from celeriac_operator.core.names import DEAD_LETTERS_FULL, DELAYED_FULL
from celeriac_operator.kube import api
from celeriac_operator.kube.api import ApiError, KubeApi, Permit
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.kube.parse import Raw
from celeriac_operator.metrics import DEAD_LETTERS, INTAKE, NO_ROOM

log = structlog.get_logger()

FULL_SECONDS = 30.0
"""What found no room in a stream is tried again after so long."""


class RegistersTasks(Protocol):
    """Is told of Tasks that are made; see ``records.py``."""

    def seeking(self, key: Key) -> AbstractContextManager[None]: ...
    def made(self, key: Key, uid: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What making something of a message needs, for all queues."""

    kube: KubeApi
    cache: Cache
    changed: Callable[[set[WorkKey]], None]
    """Is told which keys to look at again."""
    waiting: Waiting
    dead: DeadLetters
    permit: Permit
    """The fence: who does not lead any more buries nothing."""
    clock: Callable[[], datetime]
    """Now, as an aware datetime."""
    delayed: Room
    """The room for delayed messages."""
    trouble: Callable[[QueueKey, str, str | None], None]
    """Is told why some messages of a queue cannot go on: a reason and a sentence; None: they can."""
    book: RegistersTasks
    same_name: SameName = field(default_factory=SameName)


class Maker:
    """Makes what messages of one queue are to become.

    Args:
        spec: what the queue says now.
        most_delayed: so many messages of the queue may wait for their time.
    """

    def __init__(
        self,
        tools: Tools,
        delayed: Delayed,
        spec: Callable[[], TaskQueueSpec],
        most_delayed: Callable[[], int],
    ) -> None:
        self._tools, self._delayed, self._spec, self._most_delayed = tools, delayed, spec, most_delayed
        self._tries = 0

    async def make(self, carried: Carried) -> float:
        """Make something of a message, and have NATS forget it.

        Returns:
            Seconds for which the queue should pause, where something is wrong that is not the message's fault; else 0.

        Raises:
            ApiError, OSError, nats.errors.Error, BusDown, NotLeading: the message is still there.
        """
        arrival, now = carried.arrival, self._tools.clock()
        found = await self._remembered(carried) or verdict(arrival, self._known(arrival), now)
        match found:
            case Create():
                return await self._create(carried, found, now)
            case Delay(minute):
                return await self._delay(carried, minute)
            case Bury():
                return await self._bury(carried, found, now)

    def stays_message(self, arrival: Arrival) -> bool:
        """Whether it would become anything but a Task now."""
        return not isinstance(verdict(arrival, self._known(arrival), self._tools.clock()), Create)

    async def bury(self, carried: Carried, why: Bury) -> float:
        """Make a dead letter of it, whatever it is.

        Raises:
            As ``make``.
        """
        return await self._bury(carried, why, self._tools.clock())

    async def _remembered(self, carried: Carried) -> Bury | None:
        """A burial that was begun is ended, though the queue may have become more generous since."""
        if not carried.redelivered:
            return None
        record = await self._tools.dead.record_of(carried.arrival)
        if record is None or record.kind is not RecordKind.DEAD or record.outcome not in REASONS:
            return None  # others may write records, too, and a reason of theirs is none
        return Bury(record.outcome, record.message)

    def _known(self, arrival: Arrival) -> Known:
        message = arrival.message
        wanted = message.definition_digest if isinstance(message, TaskMessage) else None
        if wanted is None or not isinstance(message, TaskMessage):
            return Known(self._spec())
        name = message.spec.get("definitionName")
        named = name if isinstance(name, str) else ""
        return Known(self._spec(), self._tools.cache.contents_of(Key(arrival.queue.namespace, named)))

    # --- a Task ---

    async def _create(self, carried: Carried, create: Create, now: datetime) -> float:
        tools, queue = self._tools, carried.arrival.queue
        key = Key(queue.namespace, create.name)
        try:
            with tools.cache.writing(key, tools.changed), tools.book.seeking(key):
                raw = await tools.kube.create(api.TASKS, queue.namespace, create.manifest, strict=True)
                self._made(key, queue, raw)
        except ApiError as error:
            return await self._follow(carried, await self._answer(error, carried, create), now)
        return await self._end(carried, "created")

    def _made(self, key: Key, queue: QueueKey, raw: Raw) -> None:
        tools = self._tools
        self._tries = 0
        tools.book.made(key, raw["metadata"]["uid"])
        if tools.cache.tasks.get(key) is None:  # else it is known better where it waits
            tools.waiting.put(key, queue)
        tools.changed(tools.cache.put("tasks", raw))

    async def _answer(self, error: ApiError, carried: Carried, create: Create) -> Duplicate | Bury | Again:
        if error.status != 409:
            self._tries += 1
            return refused(error.status, error.message, self._tries)
        found = await self._tools.kube.get(api.TASKS, carried.arrival.queue.namespace, create.name)
        theirs = found["metadata"].get("annotations") or {} if found is not None else None
        return name_taken(create.manifest["metadata"]["annotations"], theirs)

    async def _follow(self, carried: Carried, answer: Duplicate | Bury | Again, now: datetime) -> float:
        match answer:
            case Duplicate():
                return await self._end(carried, "duplicate")
            case Bury():
                return await self._bury(carried, answer, now)
            case Again(seconds, why):
                log.warning("messages wait", queue=str(carried.arrival.queue), seconds=seconds, why=why)
                await self.again(carried, seconds)
                return seconds

    # --- later ---

    async def _delay(self, carried: Carried, minute: int) -> float:
        try:
            await self._delayed.keep(carried.arrival, minute, self._most_delayed())
        except NoRoom as full:
            return await self._stays(carried, full)
        self._tools.trouble(carried.arrival.queue, DELAYED_FULL, None)
        return await self._end(carried, "delayed")

    async def _stays(self, carried: Carried, full: NoRoom) -> float:
        """It waits in its queue's stream, and the others of the queue go on."""
        self._tools.trouble(carried.arrival.queue, full.reason, str(full))
        NO_ROOM.labels(full.reason).inc()
        await self.again(carried, FULL_SECONDS)
        return 0

    # --- the end ---

    async def _bury(self, carried: Carried, why: Bury, now: datetime) -> float:
        arrival, tools = carried.arrival, self._tools
        theirs = await self._task_of_that_name(arrival)
        if theirs is not None and theirs.get(SUBMISSION) == arrival.digest:
            return await self._end(carried, "duplicate")  # it was taken in before, and its acknowledgement was lost
        record = await tools.dead.record_of(arrival)
        if record is not None and record.kind is RecordKind.FINISHED:
            return await self._end(carried, "duplicate")
        with tools.permit(arrival.queue.namespace):
            try:
                await tools.dead.bury(arrival, why, now, others=theirs is not None)
            except NoRoom as full:
                return await self._stays(carried, full)
        tools.trouble(arrival.queue, DEAD_LETTERS_FULL, None)
        DEAD_LETTERS.labels(why.reason).inc()
        log.warning(
            "a message became a dead letter", queue=str(arrival.queue), origin=arrival.origin, reason=why.reason
        )
        return await self._end(carried, "dead")

    async def _task_of_that_name(self, arrival: Arrival) -> dict[str, str] | None:
        """Its annotations; asked of the API server, since it may be new."""
        if arrival.name is None:
            return None
        found = await self._tools.kube.get(api.TASKS, arrival.queue.namespace, arrival.name)
        return found["metadata"].get("annotations") or {} if found is not None else None

    async def again(self, carried: Carried, seconds: float) -> None:
        """Put it down, to be delivered again."""
        INTAKE.labels("again").inc()
        await carried.again(seconds)

    async def _end(self, carried: Carried, result: str) -> float:
        await carried.done()
        INTAKE.labels(result).inc()
        return 0
