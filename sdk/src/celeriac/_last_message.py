"""The last message of a subject, as a user of one namespace may read it."""

from __future__ import annotations

from typing import NamedTuple

from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError


class LastMessage(NamedTuple):
    """The last message of a subject."""

    revision: int
    """Its sequence in the stream."""
    data: bytes


async def last_message(js: JetStreamContext, stream: str, subject: str) -> LastMessage | None:
    """The last message; None: there is none. Any other read than by its subject would be of the whole stream.

    Of a stream with replicas any of them answers, also one that is behind.

    Raises:
        nats.errors.Error: NATS does not answer, or refuses.
    """
    try:
        try:
            found = await js.get_last_msg(stream, subject, direct=True)
        except NoRespondersError:  # the bucket is an administrator's, who has not allowed it
            found = await js.get_last_msg(stream, subject)
    except NotFoundError:
        return None
    return LastMessage(found.seq or 0, found.data or b"")
