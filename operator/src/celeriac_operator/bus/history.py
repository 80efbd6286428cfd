"""The history of tasks: an event to NATS for each change of phase. It never holds anything up, and may lose some."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from celeriac.api.v1alpha1 import TaskStatus
from celeriac.wire.events import TaskEvent
from celeriac.wire.message import MSG_ID
from celeriac.wire.names import EVENTS_STREAM, event_kind, event_subject
from celeriac_operator.bus.connection import TROUBLE, Bus, BusDown
from celeriac_operator.core.facts import TaskFacts
from celeriac_operator.core.text import clipped
from celeriac_operator.metrics import HISTORY_LOST

log = structlog.get_logger()

WAITING = 10_000
"""So many events wait for NATS at most; a later one is lost."""
TRIES = 3
LONGEST_MESSAGE = 4096
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Published:
    """An event as it goes to NATS."""

    subject: str
    id: str
    """Its Nats-Msg-Id: told again, it adds nothing while the server remembers. It has the time in it, so that nobody
    knows it before: the stream is of all namespaces, and what another had published under it would take its place."""
    data: bytes


class History:
    """Publishes what happens to Tasks.

    Args:
        clock: now, as an aware datetime.
        waiting: how many events may wait.
    """

    def __init__(self, bus: Bus, clock: Callable[[], datetime], waiting: int = WAITING) -> None:
        self._bus, self._clock = bus, clock
        self._events: asyncio.Queue[Published] = asyncio.Queue(waiting)

    def tell(self, task: TaskFacts, status: TaskStatus) -> None:
        """Take note of a status that was written. It returns at once, also where nobody can hear it."""
        if not self._bus.enabled or status.phase is None or status.phase == task.status.phase:
            return
        try:
            self._events.put_nowait(event_of(task, status, self._clock()))
        except asyncio.QueueFull:
            HISTORY_LOST.inc()

    async def run(self) -> None:
        """Publish for ever; a background duty."""
        while True:
            event = await self._events.get()
            if not await self._published(event):
                HISTORY_LOST.inc()

    async def _published(self, event: Published) -> bool:
        tries = 0
        while tries < TRIES:
            try:
                await self._bus.publish(event.subject, event.data, stream=EVENTS_STREAM, headers={MSG_ID: event.id})
                return True
            except BusDown:
                await asyncio.sleep(PAUSE_SECONDS)  # it waits for NATS, as all after it do, up to their bound
            except TROUBLE as error:
                tries += 1
                log.debug("an event is not taken", subject=event.subject, error=str(error))
        return False


def event_of(task: TaskFacts, status: TaskStatus, now: datetime) -> Published:
    """The event of a change of phase."""
    phase, attempt = str(status.phase), status.attempts[-1].number if status.attempts else None
    event = TaskEvent(
        time=now,
        task_uid=task.uid,
        phase=phase,
        reason=status.reason or "",
        message=clipped(status.message or "", LONGEST_MESSAGE),
        attempt=attempt,
    )
    subject = event_subject(task.key.namespace, task.key.name, event_kind(phase, attempt))
    data = event.to_json()
    return Published(subject, hashlib.sha256(data).hexdigest()[:32], data)
