"""The intake of one queue: as many messages as its window has room for, the higher bands first.

While there are messages they are taken without waiting. Once there are none, one request for one message waits for each
band, so that the next one is there at once; ``LEAST_ROOM`` keeps room for what these deliver.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from celeriac._pull import pull
from celeriac.api.v1alpha1 import Failure, TaskQueueSpec
from celeriac.wire.names import BANDS, Band, consumer_of, stream_of, submit_subject
from celeriac_operator.background import end
from celeriac_operator.bus.carried import Carried, FromQueue, from_queue
from celeriac_operator.bus.connection import Bus, BusDown, closings_are_errors, reason_of
from celeriac_operator.bus.delayed import NEAR, Delayed
from celeriac_operator.bus.lanes import Lane, Lanes
from celeriac_operator.bus.maker import Maker, Tools
from celeriac_operator.bus.streams import most_tasks
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.intake.answer import pause
from celeriac_operator.core.intake.verdict import Bury, max_age
from celeriac_operator.core.intake.window import held, room
from celeriac_operator.core.poison import TRIES
from celeriac_operator.core.text import cut
from celeriac_operator.fence import NotLeading
from celeriac_operator.kube.api import ApiError
from celeriac_operator.metrics import RECONCILE_ERRORS

log = structlog.get_logger()

TROUBLE = (ApiError, BusDown, NotLeading, nats.errors.Error, OSError, TimeoutError)
ACK_SECONDS = 30.0
"""What was delivered and not acknowledged comes again after so long: the operator may have died."""
LINGER_SECONDS = 30.0
SWEEP_SECONDS = 60.0
SWEPT = 16
WHOLE_MINUTE = timedelta(seconds=60) + NEAR
"""So long after delayed messages come near, the last of their minute is due."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How long things take; tests are in more of a hurry."""

    ack: float = ACK_SECONDS
    linger: float = LINGER_SECONDS
    sweep: float = SWEEP_SECONDS


class Intake:
    """Takes in the messages of one queue, until it is cancelled or NATS is gone.

    Args:
        created: when the queue's stream was made.
        spec: what the queue says now.
        lanes: are shared by all queues.
    """

    def __init__(
        self,
        queue: QueueKey,
        created: datetime,
        bus: Bus,
        tools: Tools,
        spec: Callable[[], TaskQueueSpec],
        lanes: Lanes,
        settings: Settings | None = None,
    ) -> None:
        self.queue, self.created = queue, created
        self._bus, self._tools, self._spec, self._lane = bus, tools, spec, Lane(lanes)
        self._settings = settings or Settings()
        self._delayed = Delayed(bus, queue, tools.delayed)
        self._maker = Maker(tools, self._delayed, spec, self._most_delayed)
        self._stream = stream_of(queue.namespace, queue.queue)
        self._news = asyncio.Event()
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._lingering: dict[Band, asyncio.Task[list[Msg]]] = {}
        self._raised: Counter[str] = Counter()
        self._drained, self._failures, self._paused_until = False, 0, 0.0
        self._ended = False

    def kick(self) -> None:
        """Something has changed: there may be room, or the queue goes on."""
        self._news.set()

    def end(self) -> None:
        """Begin no further turn. To be said before it is cancelled: a cancellation may be swallowed."""
        self._ended = True
        self._news.set()

    async def run(self) -> None:
        """Take in until the end.

        Raises:
            nats.errors.Error, TimeoutError, BusDown: NATS does not answer; nothing is lost, begin again.
        """
        try:
            await self._begin()
            while not self._ended:
                self._news.clear()
                await self._turn()
        finally:
            await self._put_all_down()

    async def _begin(self) -> None:
        for band in BANDS:
            await self._bus.js.add_consumer(self._stream, consumer_config(self.queue, band, self._settings.ack))
        await self._delayed.load()

    async def _turn(self) -> None:
        """One look at what there is to do, and the wait for the next."""
        spec = self._spec()
        if held(spec):
            await self._stop_lingering()
        await self._receive(spec)
        left = room(spec, self._tools.waiting.count(self.queue), len(self._in_hand) + len(self._lingering))
        paused = self._paused_until - asyncio.get_running_loop().time()
        if left == 0:
            await self._wait(await self._sweep(spec))
        elif paused > 0:
            await self._wait(paused)
        elif self._drained and not self._delayed_is_due():
            self._linger()
            await self._wait(self._until_due())
        elif not await self._take(left):
            self._drained = True

    # --- taking ---

    async def _take(self, left: int) -> bool:
        """Take what is there, the higher bands first, what is delayed before what was sent later."""
        taken = 0
        for band in BANDS:
            if taken < left:
                found: list[Carried] = list(await self._delayed.due(band, left - taken, self._tools.clock()))
                taken += len(found)
                if taken < left:
                    messages = await pull(self._bus.client, self._stream, consumer_of(band), left - taken)
                    found += self._carried(band, messages)
                    taken += len(messages)
                self._make_all(found)
        return taken > 0

    def _carried(self, band: Band, messages: list[Msg]) -> list[FromQueue]:
        return [from_queue(self.queue, band, self.created, message) for message in messages]

    def _linger(self) -> None:
        for band in BANDS:
            if band not in self._lingering:
                asked = pull(self._bus.client, self._stream, consumer_of(band), 1, seconds=self._settings.linger)
                self._lingering[band] = task = asyncio.create_task(asked)
                task.add_done_callback(lambda _: self._news.set())

    async def _receive(self, spec: TaskQueueSpec) -> None:
        """What the requests that waited have brought; where one brought something, there may be more."""
        for band in [band for band, task in self._lingering.items() if task.done()]:
            found = self._carried(band, self._lingering.pop(band).result())
            self._drained = self._drained and not found
            if held(spec):
                for carried in found:
                    await carried.again(0)
            else:
                self._make_all(found)

    async def _stop_lingering(self) -> None:
        """A message that comes just now is not lost: it comes again when the time to acknowledge it is over."""
        await end(self._lingering.values())
        self._lingering = {band: task for band, task in self._lingering.items() if not task.cancelled()}
        self._drained = False

    # --- making ---

    def _make_all(self, found: list[Carried] | list[FromQueue]) -> None:
        for carried in found:
            origin = carried.arrival.origin
            if origin not in self._in_hand:  # one that comes again while it is in hand comes once more, if need be
                self._in_hand[origin] = task = asyncio.create_task(self._make(carried))
                task.add_done_callback(lambda _, origin=origin: self._laid_down(origin))  # type: ignore[misc]

    def _laid_down(self, origin: str) -> None:
        self._in_hand.pop(origin, None)
        self._news.set()

    async def _make(self, carried: Carried) -> None:
        async with self._tools.same_name.turn(carried.arrival), self._lane.turn():  # who waits for its like is not slow
            try:
                with closings_are_errors():
                    seconds = await self._maker.make(carried)
                self._failures = 0
            except TROUBLE as error:
                self._failures += 1
                seconds = await self._fails(carried, reason_of(error))
            except Exception as error:
                RECONCILE_ERRORS.labels("bug").inc()
                log.error("a message made the operator raise", queue=str(self.queue), exc_info=error)
                seconds = await self._raises(carried, error)
        if seconds:
            self._paused_until = asyncio.get_running_loop().time() + seconds

    async def _raises(self, carried: Carried, error: Exception) -> float:
        """One that keeps making the operator fail becomes a dead letter, so that the others go on."""
        origin = carried.arrival.origin
        self._raised[origin] += 1
        if self._raised[origin] < TRIES:
            return await self._fails(carried, type(error).__name__)
        del self._raised[origin]
        why = Bury(Failure.INTERNAL_ERROR, f"The operator failed over it {TRIES} times: {type(error).__name__}")
        try:
            return await self._maker.bury(carried, why)
        except TROUBLE as trouble:
            return await self._fails(carried, cut(str(trouble), 512))

    async def _fails(self, carried: Carried, why: str) -> float:
        seconds = pause(self._failures)
        log.warning("a message could not be taken in, and comes again", queue=str(self.queue), seconds=seconds, why=why)
        try:
            with closings_are_errors():
                await self._maker.again(carried, seconds)
        except (nats.errors.Error, OSError, TimeoutError):
            log.info("it comes again when the time to acknowledge it is over", queue=str(self.queue))
        return seconds

    # --- what waits ---

    async def _sweep(self, spec: TaskQueueSpec) -> float:
        """Report messages that are too old while none are taken in; seconds until the next may be."""
        limit = max_age(spec)
        if limit is None or self._in_hand:
            return self._settings.sweep
        waits = [await self._sweep_band(band, limit) for band in BANDS]
        waits.append(await self._sweep_delayed(limit))
        return max(min(waits), 0.05)

    async def _sweep_band(self, band: Band, limit: timedelta) -> float:
        subject = submit_subject(self.queue.namespace, self.queue.queue, band)
        while True:
            try:
                head = await self._bus.js.get_msg(self._stream, seq=1, subject=subject, next=True)
            except NotFoundError:
                return self._settings.sweep
            assert head.time is not None  # noqa: S101  the server always says it
            left = (head.time + limit - self._tools.clock()).total_seconds()
            if left >= 0:
                return min(left + 0.05, self._settings.sweep)
            if not await self._bury_old(band):
                return self._settings.sweep

    async def _sweep_delayed(self, limit: timedelta) -> float:
        """The same for messages whose time has come, minute by minute: each of them waits since its startTime."""
        while True:
            past, before = self._tools.clock() - limit - WHOLE_MINUTE, self._delayed.total
            for band in BANDS:
                for carried in await self._delayed.due(band, SWEPT, past):
                    await (self._make(carried) if self._maker.stays_message(carried.arrival) else carried.again(0))
            if self._delayed.total == before:
                break
        first = self._delayed.next_due()
        left = (first - past).total_seconds() if first is not None else self._settings.sweep
        return left if 0 < left < self._settings.sweep else self._settings.sweep

    async def _bury_old(self, band: Band) -> bool:
        """Take the oldest ones; those that are not too old go back."""
        messages = await pull(self._bus.client, self._stream, consumer_of(band), SWEPT)
        old = False
        for carried in self._carried(band, messages):
            if self._maker.stays_message(carried.arrival):
                await self._make(carried)
                old = True
            else:
                await carried.again(0)
        return old

    # --- waiting ---

    def _most_delayed(self) -> int:
        return most_tasks(self._spec())

    def _delayed_is_due(self) -> bool:
        due = self._delayed.next_due()
        return due is not None and due <= self._tools.clock()

    def _until_due(self) -> float:
        due = self._delayed.next_due()
        left = (due - self._tools.clock()).total_seconds() if due is not None else self._settings.linger
        return min(max(left, 0.01), self._settings.linger)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _put_all_down(self) -> None:
        """What is in hand comes again: to the next replica, or to this one."""
        await end([*self._lingering.values(), *self._in_hand.values()])


def consumer_config(queue: QueueKey, band: Band, ack: float) -> ConsumerConfig:
    """A band's consumer. Deliveries have no limit: a message beyond it would lie in the stream unseen."""
    return ConsumerConfig(
        durable_name=consumer_of(band),
        filter_subject=submit_subject(queue.namespace, queue.queue, band),
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ack,
        max_deliver=-1,
        max_ack_pending=1000,
    )
