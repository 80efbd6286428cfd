"""Messages whose startTime is far away: in a stream that only the operator writes to, under the minute of their time.

What is in memory is a count for each minute, not for each message. A message is deleted there once something has become
of it; until then it is found again by whoever takes the queue up.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from celeriac.wire.delayed import kept
from celeriac.wire.message import MSG_ID
from celeriac.wire.names import (
    BANDS,
    CLIENT_ID,
    DEAD_ORIGIN,
    DELAYED_STREAM,
    SUBMIT_TIME_HEADER,
    Band,
    delayed_subject,
    delayed_subjects,
)
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.pages import stored_at
from celeriac_operator.bus.room import Room
from celeriac_operator.bus.streams import api_request
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.intake.arrival import Arrival, arrival

log = structlog.get_logger()

NEAR = timedelta(seconds=30)
"""A minute's messages are taken in so long before it begins: their Tasks wait 30 to 90 seconds."""

_LAST_SECOND = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())

Place = tuple[Band, int]
"""Band and minute."""


@dataclass(frozen=True, slots=True)
class FromDelayed:
    """A message whose time has come near."""

    arrival: Arrival
    sequence: int
    place: Place
    store: Delayed
    redelivered: bool = True

    async def done(self) -> None:
        """Delete it, and wait for the answer."""
        await self.store.delete(self)

    async def again(self, seconds: float) -> None:
        """It is where it was."""
        self.store.put_back(self)


class Delayed:
    """The delayed messages of one queue.

    Args:
        room: is shared by all queues.
    """

    def __init__(self, bus: Bus, queue: QueueKey, room: Room) -> None:
        self._bus, self._queue, self._room = bus, queue, room
        self._counts: Counter[Place] = Counter()
        self._next: dict[Place, int] = {}
        self._in_hand: dict[Place, set[int]] = {}
        self._moved: set[Place] = set()
        """Minutes that were kept in or put back to since the look through them began."""

    @property
    def total(self) -> int:
        """How many there are."""
        return self._counts.total()

    async def load(self) -> None:
        """Count what is there."""
        self._counts.clear()
        offset = 0
        while True:
            ask = {"subjects_filter": delayed_subjects(self._queue.namespace, self._queue.queue), "offset": offset}
            page = await api_request(self._bus.client, f"STREAM.INFO.{DELAYED_STREAM}", ask)
            subjects = page["state"].get("subjects") or {}
            for subject, count in subjects.items():
                self._load(subject, count)
            offset += len(subjects)
            if not subjects or offset >= page.get("total", 0):
                return

    def _load(self, subject: str, count: int) -> None:
        """Whatever else is there is an administrator's, and stays as it is."""
        *_, band, minute = subject.split(".")
        place = next(((known, int(minute)) for known in BANDS if known == band and minute.isdecimal()), None)
        if place is None:
            log.warning("a delayed message has a subject that no operator gave it", subject=subject)
        else:
            self._counts[place] += count

    async def keep(self, arrival: Arrival, minute: int, most: int) -> None:
        """Have a message wait. Kept twice it becomes one Task all the same, as its name and its digest are the same.

        Args:
            most: so many of the queue may wait: else its bounds would be none for messages of the year 3000.

        Raises:
            NoRoom: it has to stay where it is.
        """
        if self.total >= most:
            why = f"queue {self._queue.queue} has {most:,} (its spec.backlog.maxTasks)"
            raise self._room.full(self._queue.namespace, why)
        queue, headers = (
            self._queue,
            {
                MSG_ID: arrival.origin,
                DEAD_ORIGIN: arrival.origin,
                SUBMIT_TIME_HEADER: arrival.submitted.isoformat(),
                CLIENT_ID: arrival.message_id,
            },
        )
        place = (arrival.band, minute)
        subject = delayed_subject(queue.namespace, queue.queue, *place)
        ack = await self._room.publish(queue.namespace, subject, arrival.data, headers)
        # The first answer may have been lost, and it not counted: a count that is too high is found out, no other is.
        self._counts[place] = max(self._counts[place], 1) if ack.duplicate else self._counts[place] + 1
        self._moved.add(place)

    def next_due(self) -> datetime | None:
        """When the next message that is not in hand is near; None: there is none."""
        held = self._in_hand
        minutes = [place[1] for place, count in self._counts.items() if count > len(held.get(place, ()))]
        return _near(min(minutes)) if minutes else None

    async def due(self, band: Band, most: int, now: datetime) -> list[FromDelayed]:
        """Messages of a band whose time is near, at most so many, the earliest minute first."""
        places = sorted(place for place in list(self._counts) if place[0] == band and _near(place[1]) <= now)
        found: list[FromDelayed] = []
        for place in places:
            while len(found) < most and (message := await self._take(place)) is not None:
                found.append(message)
        return found

    async def _take(self, place: Place) -> FromDelayed | None:
        """The next message of the minute that is not in hand."""
        in_hand = self._in_hand.setdefault(place, set())
        whole = False
        while True:
            first = self._next.get(place, 1)
            if first == 1:
                whole = True
                self._moved.discard(place)
            raw = await self._next_of(place, first)
            if raw is None:
                self._next.pop(place, None)
                if whole:
                    self._nothing_else(place)
                    return None
                continue
            sequence = raw.seq or 0
            if self._next.get(place, 1) == first:  # else one was put back meanwhile: begin again
                self._next[place] = sequence + 1
            if sequence not in in_hand:
                in_hand.add(sequence)
                return FromDelayed(_arrival(self._queue, place[0], raw), sequence, place, self)

    async def _next_of(self, place: Place, first: int) -> RawStreamMsg | None:
        subject = delayed_subject(self._queue.namespace, self._queue.queue, *place)
        try:
            return await self._bus.js.get_msg(DELAYED_STREAM, seq=first, subject=subject, next=True)
        except NotFoundError:
            return None

    async def delete(self, message: FromDelayed) -> None:
        """Something has become of it."""
        try:
            await self._bus.js.delete_msg(DELAYED_STREAM, message.sequence)
        except BaseException:
            self.put_back(message)
            raise
        self._in_hand.get(message.place, set()).discard(message.sequence)
        self._counts[message.place] = max(self._counts[message.place] - 1, 0)

    def put_back(self, message: FromDelayed) -> None:
        """Read its minute from the beginning again."""
        self._in_hand.get(message.place, set()).discard(message.sequence)
        self._next.pop(message.place, None)
        self._moved.add(message.place)

    def _nothing_else(self, place: Place) -> None:
        """All of the minute was looked through, and what is in hand is all there was."""
        in_hand = len(self._in_hand.get(place, ()))
        if place not in self._moved:
            self._counts[place] = in_hand
        if not self._counts[place]:
            self._moved.discard(place)
            for known in (self._counts, self._next, self._in_hand):
                known.pop(place, None)


def _near(minute: int) -> datetime:
    """A time may be beyond what can be told: the last hours of the year 9999 are in the year 10000 elsewhere."""
    return datetime.fromtimestamp(min(minute * 60, _LAST_SECOND), UTC) - NEAR


def _arrival(queue: QueueKey, band: Band, raw: RawStreamMsg) -> Arrival:
    found = kept(raw.headers or {}, stored_at(raw), raw.seq or 0)
    data = raw.data or b""
    return arrival(queue, band, found.origin, found.submitted, data, message_id=found.message_id, delayed=True)
