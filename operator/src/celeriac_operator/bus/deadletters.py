"""Dead letters: what could not become a Task, kept with its reason, and a record for who waits for the result."""

from __future__ import annotations

from datetime import datetime

from nats.js.errors import KeyNotFoundError
from nats.js.kv import KeyValue

from celeriac._burial import dead_record, put_dead_record, read_record
from celeriac.wire.dead import NAME_REUSED, dead_headers
from celeriac.wire.names import RESULTS_BUCKET, dead_subject, record_key
from celeriac.wire.records import TaskRecord
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.room import Room
from celeriac_operator.core.intake.arrival import Arrival
from celeriac_operator.core.intake.verdict import Bury


class DeadLetters:
    """The stream of dead letters and the records that point at it."""

    def __init__(self, bus: Bus, room: Room) -> None:
        self._bus, self._room = bus, room

    async def record_of(self, arrival: Arrival) -> TaskRecord | None:
        """What was recorded of this very message; None: nothing, or of another of its name.

        Raises:
            nats.errors.Error, TimeoutError, BusDown: it cannot be known now.
        """
        if arrival.name is None:
            return None
        try:
            entry = await (await self._records()).get(record_key(arrival.queue.namespace, arrival.name))
        except KeyNotFoundError:
            return None
        record = read_record(entry)
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
        record = dead_record(arrival.digest, why.reason, why.message, arrival.submitted, now)
        await put_dead_record(self._bus.js, arrival.queue.namespace, name, record)

    async def _records(self) -> KeyValue:
        return await self._bus.js.key_value(RESULTS_BUCKET)
