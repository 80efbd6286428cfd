"""A message as it was delivered, and what is known where it is judged. Values only."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime

from celeriac.api.v1alpha1.model import DNS_LABEL
from celeriac.wire.message import MalformedMessage, TaskMessage, decode
from celeriac.wire.names import Band, name_of_unnamed
from celeriac_operator.core.admission.standing import QueueKey

LONGEST_NAME = 63


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
        if isinstance(self.message, MalformedMessage):
            name = self.message_id.rpartition(".")[0]
        else:
            name = self.message.name if self.message.name is not None else name_of_unnamed(self.origin)
        return name if valid_name(name) else None

    @property
    def digest(self) -> str:
        """The digest of the message; of a malformed one that of its bytes, as the client may have sent it."""
        if isinstance(self.message, MalformedMessage):
            return f"sha256:{hashlib.sha256(self.data).hexdigest()}"
        return self.message.digest

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
    try:
        message: TaskMessage | MalformedMessage = decode(data)
    except MalformedMessage as problem:
        message = problem
    return Arrival(queue, band, origin, submitted, message, data, message_id=message_id, delayed=delayed)


def valid_name(name: str) -> bool:
    """Whether a Task can have the name: a DNS label."""
    return len(name) <= LONGEST_NAME and re.fullmatch(DNS_LABEL, name) is not None
