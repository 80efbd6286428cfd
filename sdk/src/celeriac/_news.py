"""When to look again: subscriptions that many waits share, and looks at growing intervals for what they may miss.

What is published is a hint and never believed: it may have been refused, or not be stored yet. What counts is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from celeriac._nats import Nats

SOON_SECONDS = 0.001
"""After a hint one looks at once, then after this, twice this, and so on: the server stores what it has passed on."""
FIRST_SECONDS = 1.0
"""Without a hint one looks after this, twice this …: a new subscription of a cluster may miss what comes now."""
LONGEST_SECONDS = 300.0


class Listener:
    """One wait's ear."""

    def __init__(self, connection: Nats, topic: str) -> None:
        self._connection, self._topic = connection, topic
        self._event = asyncio.Event()
        self._pause = FIRST_SECONDS

    def wake(self) -> None:
        """There may be news."""
        self._pause = SOON_SECONDS / 2
        self._event.set()

    async def next(self) -> None:
        """Return when it is time to look again. Raises Forbidden: hints may not be heard."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._event.wait()
        self._event.clear()
        self._pause = min(self._pause * 2, LONGEST_SECONDS)
        self._connection.check("subscription", self._topic)


@dataclass
class _Topic:
    subscription: Any
    listeners: dict[str, set[Listener]] = field(default_factory=dict)
    """By the subject that each is about; empty: by any."""


class News:
    """Subscriptions, one for each topic that somebody listens to."""

    def __init__(self, connection: Nats) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()
        self._topics: dict[str, _Topic] = {}
        self._client: Client | None = None
        connection.on_up.append(self._resume)
        connection.on_lost.append(self._wake_all)

    @asynccontextmanager
    async def of(self, topic: str, subject: str = "") -> AsyncIterator[Listener]:
        """A listener to messages with that subject, or to all of the topic, which has been subscribed to before."""
        listener = Listener(self._connection, topic)
        await self._join(topic, subject, listener)
        try:
            yield listener
        finally:
            await self._leave(topic, subject, listener)

    async def _join(self, topic: str, subject: str, listener: Listener) -> None:
        client = await self._connection.client()
        async with self._lock:
            if topic not in self._topics:
                self._topics[topic] = _Topic(await self._subscribe(client, topic))
            self._topics[topic].listeners.setdefault(subject, set()).add(listener)

    async def _leave(self, topic: str, subject: str, listener: Listener) -> None:
        found = self._topics[topic]
        found.listeners[subject].discard(listener)
        if not found.listeners[subject]:
            del found.listeners[subject]
        if not found.listeners:
            del self._topics[topic]
            with suppress(nats.errors.Error):
                await found.subscription.unsubscribe()

    async def _subscribe(self, client: Client, topic: str) -> Any:
        async def hear(message: Msg) -> None:
            listeners = self._topics[topic].listeners if topic in self._topics else {}
            for listener in (*listeners.get(message.subject, ()), *listeners.get("", ())):
                listener.wake()

        return await client.subscribe(topic, cb=hear)

    async def _resume(self, client: Client) -> None:
        """Subscribe again where the client is another one; whatever came meanwhile was missed."""
        if self._client not in (None, client):
            for topic, found in self._topics.items():
                found.subscription = await self._subscribe(client, topic)
        self._client = client
        self._wake_all()

    def _wake_all(self) -> None:
        for topic in self._topics.values():
            for listeners in topic.listeners.values():
                for listener in listeners:
                    listener.wake()
