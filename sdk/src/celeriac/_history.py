"""The history of a task: its events in NATS, which outlive it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig
from pydantic import ValidationError

from celeriac import errors
from celeriac._nats import ANSWER_SECONDS, Nats
from celeriac._nats_options import NatsOptions
from celeriac.wire.events import TaskEvent
from celeriac.wire.names import EVENTS_STREAM, event_subject

MOST = 10_000
"""So many events of a task are read: a task may report progress without end."""


async def history(options: NatsOptions, namespace: str, task: str) -> list[TaskEvent]:
    """What happened to the task, in order; nothing, where nothing is known of it any more.

    Raises ConnectionFailed, Forbidden, NotInstalled: no operator has made the stream.
    """
    if not options.enabled:
        raise errors.ConnectionFailed(
            "The history of tasks is in NATS, and CELERIAC_NATS_URL is not set: set it, or use 'celeriac get' and "
            "'kubectl get events'."
        )
    connection = Nats(options)
    try:
        return await connection.call(lambda client: _read(client, namespace, task), f"$JS.API.STREAM.{EVENTS_STREAM}")
    finally:
        await connection.close()


async def _read(client: Client, namespace: str, task: str) -> list[TaskEvent]:
    try:
        async with _consumer(client, event_subject(namespace, task, "*")) as (messages, count):
            found = [await messages.next_msg(timeout=ANSWER_SECONDS) for _ in range(min(count, MOST))]
    except nats.js.errors.NotFoundError:
        raise errors.NotInstalled(
            "NATS has no history of tasks: no operator of Celeriac is connected to it. Check CELERIAC_NATS_URL."
        ) from None
    return [event for event in (_parsed(message.data) for message in found) if event is not None]


@asynccontextmanager
async def _consumer(client: Client, subject: str) -> AsyncGenerator[tuple[Subscription, int]]:
    """The events of a subject, and how many there are. It is named, since permissions are given by name and subject."""
    inbox, name = client.new_inbox(), f"history-{secrets.token_hex(8)}"
    stream = client.jetstream(timeout=ANSWER_SECONDS)
    messages = await client.subscribe(inbox)
    try:
        info = await stream.add_consumer(
            EVENTS_STREAM,
            ConsumerConfig(
                name=name,
                filter_subject=subject,
                deliver_subject=inbox,
                ack_policy=AckPolicy.NONE,
                mem_storage=True,
                num_replicas=1,
                inactive_threshold=30.0,
            ),
        )
        yield messages, (info.num_pending or 0) + (info.delivered.consumer_seq if info.delivered else 0)
    finally:
        with suppress(nats.errors.Error, TimeoutError):
            await messages.unsubscribe()
            await stream.delete_consumer(EVENTS_STREAM, name)


def _parsed(data: bytes) -> TaskEvent | None:
    """The event; others may write, too."""
    try:
        return TaskEvent.model_validate_json(data)
    except ValidationError:
        return None
