"""Messages whose startTime is far away: in a stream that only the operator writes to, under the minute of their time.

What is in memory is a count for each minute, not for each message. A message is deleted there once something has become
of it; until then it is found again by whoever takes the queue up.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from celeriac.wire.message import MSG_ID
from celeriac.wire.names import (
    CLIENT_ID,
    DEAD_ORIGIN,
    DELAYED_STREAM,
    SUBMIT_TIME_HEADER,
    Band,
    delayed_subject,
    delayed_subjects,
)
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.streams import api_request
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.intake.arrival import Arrival, arrival

NEAR = timedelta(seconds=30)
"""A minute's messages are taken in so long before it begins: their Tasks wait 30 to 90 seconds."""

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
    """The delayed messages of one queue."""

    def __init__(self, bus: Bus, queue: QueueKey) -> None:
        self._bus, self._queue = bus, queue
        self._counts: Counter[Place] = Counter()
        self._next: dict[Place, int] = {}
        self._in_hand: dict[Place, set[int]] = {}

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
                band, minute = subject.split(".")[-2:]
                self._counts[band, int(minute)] += count
            offset += len(subjects)
            if not subjects or offset >= page.get("total", 0):
                return

    async def keep(self, arrival: Arrival, minute: int) -> None:
        """Have a message wait. Kept twice it becomes one Task all the same, as its name and its digest are the same."""
        queue, headers = (
            self._queue,
            {
                MSG_ID: arrival.origin,
                DEAD_ORIGIN: arrival.origin,
                SUBMIT_TIME_HEADER: arrival.submitted.isoformat(),
                CLIENT_ID: arrival.message_id,
            },
        )
        subject = delayed_subject(queue.namespace, queue.queue, arrival.band, minute)
        ack = await self._bus.js.publish(subject, arrival.data, stream=DELAYED_STREAM, headers=headers)
        if not ack.duplicate:
            self._counts[arrival.band, minute] += 1

    def next_due(self) -> datetime | None:
        """When the next message that is not in hand is near; None: there is none."""
        held = self._in_hand
        minutes = [place[1] for place, count in self._counts.items() if count > len(held.get(place, ()))]
        return _near(min(minutes)) if minutes else None

    async def due(self, band: Band, most: int, now: datetime) -> list[FromDelayed]:
        """Messages of a band whose time is near, at most so many, the earliest minute first."""
        places = sorted(place for place in self._counts if place[0] == band and _near(place[1]) <= now)
        found: list[FromDelayed] = []
        for place in places:
            while len(found) < most and (message := await self._take(place)) is not None:
                found.append(message)
        return found

    async def _take(self, place: Place) -> FromDelayed | None:
        """The next message of the minute that is not in hand."""
        in_hand = self._in_hand.setdefault(place, set())
        subject = delayed_subject(self._queue.namespace, self._queue.queue, *place)
        while True:
            try:
                raw = await self._bus.js.get_msg(
                    DELAYED_STREAM, seq=self._next.get(place, 1), subject=subject, next=True
                )
            except NotFoundError:
                if not in_hand:
                    self._forget(place)
                return None
            sequence = raw.seq or 0
            self._next[place] = sequence + 1
            if sequence not in in_hand:
                in_hand.add(sequence)
                return FromDelayed(_arrival(self._queue, place[0], raw), sequence, place, self)

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

    def _forget(self, place: Place) -> None:
        for known in (self._counts, self._next, self._in_hand):
            known.pop(place, None)


def _near(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC) - NEAR


def _arrival(queue: QueueKey, band: Band, raw: RawStreamMsg) -> Arrival:
    headers = raw.headers or {}
    submitted = datetime.fromisoformat(headers[SUBMIT_TIME_HEADER])
    message_id = headers.get(CLIENT_ID, "")
    return arrival(queue, band, headers[DEAD_ORIGIN], submitted, raw.data or b"", message_id=message_id, delayed=True)
