"""Messages from a pull consumer: one request, one inbox, its own end.

nats-py's ``fetch`` takes a stored message with a header ``Status`` for one of the server's own, cannot ask without
waiting, and shares an inbox between requests, whose late answers then count for another.
"""

from __future__ import annotations

import json
import time

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

MOST_BYTES = 2 * 1024 * 1024
"""So much of one request's answer may be in memory."""
GRACE_SECONDS = 2.0
"""The server says when a request has expired; if it does not, the connection was lost meanwhile."""


class ConsumerGone(nats.errors.Error):
    """There is no such consumer: its stream was deleted, or somebody deleted it."""


async def pull(client: Client, stream: str, consumer: str, batch: int, *, seconds: float | None = None) -> list[Msg]:
    """Messages, at most so many; none where there are none.

    Args:
        seconds: wait so long for the first ones; None: take what is there.

    Raises:
        ConsumerGone: there is nobody to ask.
        nats.errors.Error: the connection is gone.
    """
    ask: dict[str, object] = {"batch": batch, "max_bytes": MOST_BYTES}
    ask |= {"no_wait": True} if seconds is None else {"expires": int(seconds * 1e9)}
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    try:
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        await client.publish(subject, json.dumps(ask).encode(), reply=inbox)
        return await _collect(answers, batch, (seconds or 0) + GRACE_SECONDS)
    finally:
        if not client.is_closed:
            await answers.unsubscribe()


async def _collect(answers: Subscription, batch: int, seconds: float) -> list[Msg]:
    got: list[Msg] = []
    end = time.monotonic() + seconds
    while len(got) < batch:
        try:
            message = await answers.next_msg(timeout=max(end - time.monotonic(), 0.001))
        except nats.errors.TimeoutError:
            return got
        if not message.reply:  # a message of the stream has a reply to acknowledge it to; what the server says has none
            if (message.headers or {}).get("Status") == "503":
                raise ConsumerGone
            return got
        got.append(message)
    return got
