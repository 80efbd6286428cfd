"""Dead letters: what the headers say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from celeriac.wire.message import MSG_ID
from celeriac.wire.names import (
    BANDS,
    DEAD_BAND,
    DEAD_MESSAGE,
    DEAD_NAME,
    DEAD_ORIGIN,
    DEAD_REASON,
    SUBMIT_TIME_HEADER,
    Band,
)

LONGEST_LINE = 2048
"""Of what a letter's header says for people, in bytes."""
_REASON = re.compile("[A-Za-z][A-Za-z0-9]{0,63}")
QUEUE_DELETED = "QueueDeleted"
"""Reason of messages that were left when their queue was purged."""
NAME_REUSED = "NameReused"
"""Reason of a message whose name another task has: what is recorded under the name is not about it."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter, without the message itself."""

    namespace: str
    queue: str
    reason: str
    message: str
    origin: str
    band: Band
    name: str | None
    submitted: datetime | None


def dead_headers(
    reason: str, message: str, *, origin: str, band: Band, submitted: datetime, name: str | None
) -> dict[str, str]:
    """The headers of a dead letter; its Nats-Msg-Id is its origin, so that a repeated burial adds nothing.

    They are bounded: with the message they have to fit into what a server takes.
    """
    line = " ".join(message.encode("ascii", "backslashreplace").decode().split())
    found = {
        MSG_ID: origin,
        DEAD_ORIGIN: origin,
        DEAD_REASON: reason if _REASON.fullmatch(reason) else "Unknown",
        DEAD_MESSAGE: line[:LONGEST_LINE],
        DEAD_BAND: band,
        SUBMIT_TIME_HEADER: submitted.isoformat(),
    }
    return found | ({DEAD_NAME: name} if name is not None else {})


def dead_letter(subject: str, headers: Mapping[str, str]) -> DeadLetter:
    """A dead letter as it was read. Raises ValueError where the subject is none of a dead letter's."""
    tokens = subject.split(".")
    if tokens[:2] != ["celeriac", "dead"] or len(tokens) != 4:
        raise ValueError(f"{subject} is no subject of dead letters")
    band = headers.get(DEAD_BAND)
    return DeadLetter(
        namespace=tokens[2],
        queue=tokens[3],
        reason=headers.get(DEAD_REASON, "Unknown"),
        message=headers.get(DEAD_MESSAGE, ""),
        origin=headers.get(DEAD_ORIGIN, ""),
        band=next((known for known in BANDS if known == band), "n"),
        name=headers.get(DEAD_NAME),
        submitted=_time(headers.get(SUBMIT_TIME_HEADER)),
    )


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
