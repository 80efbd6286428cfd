"""The door: who takes in which queue's messages. One intake for each declared queue of the namespaces that are ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.background import end
from celeriac_operator.bus.connection import Bus, closings_are_errors, reason_of
from celeriac_operator.bus.intake import TROUBLE, Intake, Settings
from celeriac_operator.bus.lanes import Lanes
from celeriac_operator.bus.maker import Tools
from celeriac_operator.bus.streams import Streams
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.metrics import RECONCILE_ERRORS

log = structlog.get_logger()

LOOK_SECONDS = 5.0
SHORTEST_SECONDS = 0.2
"""Looks that news ask for are so far apart."""


class Door:
    """Keeps the streams as they should be and an intake at each, while NATS is there and this replica leads.

    Args:
        spec: what a queue says now; None: nobody declares it, or it is not ours.
        look: seconds between two looks at the streams.
    """

    def __init__(
        self,
        bus: Bus,
        streams: Streams,
        tools: Tools,
        spec: Callable[[QueueKey], TaskQueueSpec | None],
        *,
        look: float = LOOK_SECONDS,
        settings: Settings | None = None,
    ) -> None:
        self._bus, self._streams, self._tools, self._spec = bus, streams, tools, spec
        self._look_seconds, self._settings = look, settings
        self._lanes = Lanes()
        self._intakes: dict[QueueKey, tuple[Intake, asyncio.Task[None]]] = {}
        self._news = asyncio.Event()
        self._was: tuple[bool, bool] | None = None
        """Whether NATS was there at the last look, and whether that was known."""
        self._shared = False
        """What all queues share is there: who finds a queue's stream finds the records, too."""
        bus.on_connect(self._connected)

    async def _connected(self) -> None:
        """On a new connection everything begins anew: what was asked for on the old one is not answered any more."""
        self._shared = False
        try:
            await self._streams.share()
        except TROUBLE as error:
            self._streams.failed(reason_of(error))
            raise
        self._shared = True
        await self._stop(set(self._intakes))
        self._news.set()

    def tell(self, queue: QueueKey) -> None:
        """Something of a queue has changed: its spec, or the room in its window."""
        if self._streams.outdated(queue):
            self._news.set()
        if queue in self._intakes:
            self._intakes[queue][0].kick()

    async def run(self) -> None:
        """For ever; a background duty. When it is cancelled, what is in hand is put down."""
        try:
            while True:
                self._news.clear()
                await self._look_and_go_on()
                await asyncio.sleep(SHORTEST_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._look_seconds):
                        await self._news.wait()
        finally:
            await self._stop(set(self._intakes))

    async def _look_and_go_on(self) -> None:
        try:
            with closings_are_errors():
                await self._look()
        except TROUBLE as error:
            log.warning("the streams cannot be looked at", error=reason_of(error))
            self._streams.failed(reason_of(error))
        except Exception as error:
            RECONCILE_ERRORS.labels("bug").inc()
            log.error("looking at the streams raised, trying again", exc_info=error)

    async def _look(self) -> None:
        if (standing := (self._bus.connected, self._bus.tried)) != self._was:
            self._was = standing
            self._streams.tell_all()
        if self._bus.connected and self._shared:
            await self._streams.look()
        wanted = dict(self._streams.created) if self._bus.connected else {}
        ended = {queue for queue, (_, task) in self._intakes.items() if task.done()}
        moved = {queue for queue, (intake, _) in self._intakes.items() if wanted.get(queue) != intake.created}
        await self._stop(ended | moved)
        for queue in wanted.keys() - self._intakes.keys():
            self._start(queue)

    def _start(self, queue: QueueKey) -> None:
        def spec() -> TaskQueueSpec:
            return self._spec(queue) or TaskQueueSpec(stop_policy="Hold")  # it was deleted just now

        created = self._streams.created[queue]
        intake = Intake(queue, created, self._bus, self._tools, spec, self._lanes, self._settings)
        self._intakes[queue] = intake, asyncio.create_task(self._take_in(intake))

    async def _take_in(self, intake: Intake) -> None:
        """Whatever ends it, the next look begins it anew."""
        try:
            await intake.run()
        except TROUBLE as error:
            log.warning("intake is interrupted", queue=str(intake.queue), error=reason_of(error))
        except Exception as error:
            RECONCILE_ERRORS.labels("bug").inc()
            log.error("intake raised, trying again", queue=str(intake.queue), exc_info=error)

    async def _stop(self, queues: set[QueueKey]) -> None:
        stopped = [self._intakes.pop(queue) for queue in queues]
        for intake, _ in stopped:
            intake.end()
        await end(task for _, task in stopped)
