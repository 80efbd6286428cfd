"""A message in the operator's hands: how it is put down again. There are two kinds, and intake treats them alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from nats.aio.msg import Msg

from celeriac.wire.message import MSG_ID
from celeriac.wire.names import Band, origin_of, stream_of
from celeriac_operator.bus.connection import ANSWER_SECONDS
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.intake.arrival import Arrival, arrival


class Carried(Protocol):
    """A message that was delivered and has not become anything yet."""

    @property
    def arrival(self) -> Arrival:
        """What it says."""

    @property
    def redelivered(self) -> bool:
        """It was delivered before, so something may have become of it. False says nothing."""

    async def done(self) -> None:
        """Something has become of it: NATS is to forget it, and says that it has.

        Raises:
            nats.errors.Error, TimeoutError: it may come again.
        """

    async def again(self, seconds: float) -> None:
        """It is to be delivered again, after so long."""


@dataclass(frozen=True, slots=True)
class FromQueue:
    """A message of a queue's stream."""

    arrival: Arrival
    message: Msg

    @property
    def redelivered(self) -> bool:
        """The server may have forgotten that it was: a kill right after a delivery makes it the first again."""
        return self.message.metadata.num_delivered > 1

    async def done(self) -> None:
        """Acknowledge it, and wait for the answer: a plain acknowledgement may be lost without anybody knowing."""
        await self.message.ack_sync(timeout=ANSWER_SECONDS)

    async def again(self, seconds: float) -> None:
        """Lost, it comes again all the same when the time to acknowledge is over."""
        await self.message.nak(delay=seconds or None)


def from_queue(queue: QueueKey, band: Band, created: datetime, message: Msg) -> FromQueue:
    """A message as it was delivered.

    Args:
        created: when the stream was made.
    """
    metadata = message.metadata
    origin = origin_of(stream_of(queue.namespace, queue.queue), created, metadata.sequence.stream)
    message_id = (message.headers or {}).get(MSG_ID, "")
    return FromQueue(arrival(queue, band, origin, metadata.timestamp, message.data, message_id=message_id), message)
