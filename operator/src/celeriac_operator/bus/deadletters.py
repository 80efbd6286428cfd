"""Dead letters: what could not become a Task, kept with its reason, and a record for who waits for the result."""

from __future__ import annotations

from datetime import datetime, timedelta

from celeriac._burial import dead_record, find_record, put_dead_record
from celeriac.wire.dead import NAME_REUSED, dead_headers
from celeriac.wire.names import dead_subject
from celeriac.wire.records import TaskRecord
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.room import Room
from celeriac_operator.core.intake.arrival import Arrival
from celeriac_operator.core.intake.verdict import Bury
from celeriac_operator.core.records import RETENTION


class DeadLetters:
    """The stream of dead letters and the records that point at it.

    Args:
        retention: how long their submitters can learn of them.
    """

    def __init__(self, bus: Bus, room: Room, retention: timedelta = RETENTION) -> None:
        self._bus, self._room, self._retention = bus, room, retention

    async def record_of(self, arrival: Arrival) -> TaskRecord | None:
        """What was recorded of this very message; None: nothing, or of another of its name.

        Raises:
            nats.errors.Error, TimeoutError, BusDown: it cannot be known now.
        """
        if arrival.name is None:
            return None
        record = await find_record(self._bus.js, arrival.queue.namespace, arrival.name)
        return record if record is not None and record.submission == arrival.digest else None

    async def bury(self, arrival: Arrival, why: Bury, now: datetime, *, others: bool) -> None:
        """Record the end, then keep the letter. Done twice, both are there once.

        Args:
            others: whether a Task of that name is there: what is recorded under the name is then that one's.

        Raises:
            NoRoom: its end is recorded, and its letter finds no room: the message has to stay where it is.
        """
        if arrival.name is not None and why.reason != NAME_REUSED and not others:
            await self._record(arrival, arrival.name, why, now)
        queue = arrival.queue
        headers = dead_headers(
            why.reason,
            why.message,
            origin=arrival.origin,
            band=arrival.band,
            submitted=arrival.submitted,
            name=arrival.name,
        )
        subject = dead_subject(queue.namespace, queue.queue)
        await self._room.publish(queue.namespace, subject, arrival.data, headers)

    async def _record(self, arrival: Arrival, name: str, why: Bury, now: datetime) -> None:
        record = dead_record(
            arrival.message, arrival.data, why.reason, why.message, arrival.submitted, now, self._retention
        )
        await put_dead_record(self._bus.js, arrival.queue.namespace, name, record)
