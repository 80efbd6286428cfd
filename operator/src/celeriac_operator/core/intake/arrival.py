"""A message as it was delivered, and what is known where it is judged. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from celeriac.wire import identity
from celeriac.wire.message import MalformedMessage, TaskMessage
from celeriac.wire.names import Band
from celeriac_operator.core.admission.standing import QueueKey


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that was delivered."""

    queue: QueueKey
    """The queue of its subject. A namespace in the payload would mean nothing."""
    band: Band
    """The band of its subject."""
    origin: str
    """Its one place in the world; see ``wire.names.origin_of``."""
    submitted: datetime
    """When the queue's stream took it."""
    message: TaskMessage | MalformedMessage
    """What it says, or why it says nothing."""
    data: bytes = field(repr=False)
    """Its bytes: for the dead letters, never for a log."""
    message_id: str = ""
    """The client's Nats-Msg-Id, ``<name>.<digest>``; of a malformed message it may be all that says whose it was."""
    delayed: bool = False
    """It has waited for its startTime, which has come near."""

    @property
    def name(self) -> str | None:
        """The name that its Task has, or would have; None where it has no valid one."""
        return identity.name_of(self.message, self.origin, self.message_id)

    @property
    def digest(self) -> str:
        """The digest of the message; of a malformed one that of its bytes, as the client may have sent it."""
        return identity.digest_of(self.message, self.data)

    @property
    def request_digest(self) -> str | None:
        """The digest of what the client was asked for; None where it says none."""
        return identity.request_of(self.message.annotations) if isinstance(self.message, TaskMessage) else None

    @property
    def start_time(self) -> datetime | None:
        """Its startTime; None where there is none, or none that can be read: the API server says what is wrong."""
        given = self.message.spec.get("startTime") if isinstance(self.message, TaskMessage) else None
        try:
            moment = datetime.fromisoformat(given) if isinstance(given, str) else None
        except ValueError:
            return None
        return moment if moment is not None and moment.tzinfo is not None else None


def arrival(
    queue: QueueKey,
    band: Band,
    origin: str,
    submitted: datetime,
    data: bytes,
    *,
    message_id: str = "",
    delayed: bool = False,
) -> Arrival:
    """The arrival, whatever its bytes are."""
    message = identity.read(data)
    return Arrival(queue, band, origin, submitted, message, data, message_id=message_id, delayed=delayed)
