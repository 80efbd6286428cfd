"""The last message of a subject, as a user of one namespace may read it."""

from __future__ import annotations

from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError


async def last_message(js: JetStreamContext, stream: str, subject: str) -> bytes | None:
    """What it says; None: there is none. Any other read than by its subject would be of the whole stream.

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
    return found.data or b""
