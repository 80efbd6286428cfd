"""The messages of a stream, one after the other, without a consumer: little is in memory, nobody is disturbed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from celeriac_operator.bus.connection import Bus


async def messages(bus: Bus, stream: str, subject: str, first: int = 1) -> AsyncIterator[RawStreamMsg]:
    """The messages of these subjects from that sequence on, without those under wildcards, which no part of ours sends.

    Raises:
        nats.errors.Error, OSError, BusDown: NATS does not answer.
    """
    while True:
        try:
            found = await bus.js.get_msg(stream, seq=first, subject=subject, next=True, direct=False)
        except NotFoundError:
            return
        if is_one(found.subject or ""):
            yield found
        first = (found.seq or first) + 1


def is_one(subject: str) -> bool:
    """Whether it is one subject. The server takes messages under subjects with wildcards, too, from whoever may publish
    to all that these match; to purge such a one would be to purge all of those."""
    return not {"*", ">"} & set(subject.split("."))


def stored_at(found: RawStreamMsg) -> datetime:
    """When the stream took the message."""
    assert found.time is not None  # noqa: S101  the server always says it
    return found.time
