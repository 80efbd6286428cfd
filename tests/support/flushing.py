"""Waiting until a nats-server has taken what a client has sent."""

from __future__ import annotations

from nats.aio.client import Client


async def flushed(client: Client) -> None:
    """Return when the server has taken all that the client has sent so far, such as a subscription.

    Twice, as nats-py (2.16) writes the ping of a flush at once: it overtakes commands that wait to be written.
    """
    await client.flush()
    await client.flush()
