"""The connection to NATS: made with the first call, made anew whenever it goes, and closed with the client."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

import nats.errors
import nats.js.errors
from nats.aio.client import Client

from celeriac import errors
from celeriac._api import pauses
from celeriac._closed import closed
from celeriac._lasting import LastingClient
from celeriac._nats_options import NatsOptions, connect_arguments

T = TypeVar("T")

PATIENCE_SECONDS = 10.0
"""An outage is waited out for so long."""
ANSWER_SECONDS = 2.5
"""What was asked is asked again when so long nothing has come."""
FLUSH_SECONDS = 2

TRANSIENT = (
    nats.errors.TimeoutError,
    nats.errors.ConnectionClosedError,
    nats.errors.ConnectionReconnectingError,
    nats.errors.NoRespondersError,
    nats.errors.OutboundBufferLimitError,
    nats.errors.StaleConnectionError,
    nats.js.errors.NoStreamResponseError,
    nats.js.errors.ServerError,
    nats.js.errors.ServiceUnavailableError,
)
"""What may pass: no answer, or one that says that JetStream cannot serve now."""

_DENIED = re.compile(r'permissions violation for (publish|subscription) to "([^"]+)"', re.IGNORECASE)


class Nats:
    """One connection of a client, for all that it does."""

    def __init__(self, options: NatsOptions) -> None:
        self._options = options
        self._client: Client | None = None
        self._closed = False
        self._connecting = asyncio.Lock()
        self._changed = asyncio.Event()
        self._rejected = asyncio.Event()
        self._reason = ""
        self._denied: set[tuple[str, str]] = set()
        self.on_up: list[Callable[[Client], Awaitable[None]]] = []
        """Called with the client each time that it has connected, at first and again."""
        self.on_denied: list[Callable[[str], None]] = []
        """Called with a subject, in lower case, that the user may not publish to."""
        self.on_lost: list[Callable[[], None]] = []
        """Called when messages to this client may have been dropped."""

    @property
    def where(self) -> str:
        """The servers, without what may be secret in their URLs."""
        parts = (urlsplit(url if "://" in url else f"nats://{url}") for url in self._options.servers)
        return ", ".join(f"{part.hostname}:{part.port or 4222}" for part in parts)

    async def client(self, patience: float | None = None) -> Client:
        """The client, connected. Raises ConnectionFailed where that takes too many seconds, Forbidden, and RuntimeError
        after ``close``.
        """
        if self._client is not None and self._client.is_connected:
            return self._client
        try:
            async with asyncio.timeout(PATIENCE_SECONDS if patience is None else patience):
                return await self._connected()
        except TimeoutError:
            raise self.unreachable() from None

    async def call(self, deed: Callable[[Client], Awaitable[T]], subject: str) -> T:
        """Do what may be done twice, again where the trouble may pass. subject: what it publishes to."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        self._denied.discard(("publish", subject.lower()))
        for pause in pauses():
            try:
                return await deed(await self.client())
            except TRANSIENT as error:
                self.check("publish", subject)
                if loop.time() + pause > deadline:
                    raise self.unreachable(_text(error)) from error
            await asyncio.sleep(pause)
        raise AssertionError("pauses end")  # pragma: no cover -- they do not

    def check(self, verb: str, subject: str) -> None:
        """Raise Forbidden if the server has said that the user may not publish to the subject, or subscribe to it."""
        if (verb, subject.lower()) in self._denied:
            raise forbidden(verb, subject)

    def unreachable(self, reason: str = "") -> errors.ConnectionFailed:
        """The error for a server that does not answer."""
        return errors.ConnectionFailed(
            f"NATS at {self.where} does not answer: {reason or self._reason or 'no answer in time'}. Check the network "
            "and CELERIAC_NATS_URL."
        )

    async def close(self) -> None:
        """Send what is still to be sent, and close for good: what still waits for a connection is told so."""
        self._closed = True
        self._changed.set()
        client, self._client = self._client, None
        if client is None:
            return
        if client.is_connected:
            with suppress(nats.errors.Error, OSError, TimeoutError):
                await client.flush(FLUSH_SECONDS)
        await client.close()

    async def _connected(self) -> Client:
        while True:
            async with self._connecting:
                if self._closed:
                    raise closed()
                if self._client is None or self._client.is_closed:
                    self._client = await self._connect()
                client = self._client
            if client.is_connected:
                return client
            self._changed.clear()
            await self._changed.wait()

    async def _connect(self) -> Client:
        self._rejected.clear()
        client = LastingClient()
        connecting = asyncio.ensure_future(client.connect(**self._arguments()))
        rejected = asyncio.ensure_future(self._rejected.wait())
        try:
            await asyncio.wait({connecting, rejected}, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                raise _rejected(self.where)
            connecting.result()
            for callback in self.on_up:
                await callback(client)
        except (nats.errors.Error, ImportError, OSError, ValueError) as error:
            await _give_up(client, connecting)
            raise self.unreachable(str(error)) from error
        except BaseException:
            await _give_up(client, connecting)
            raise
        finally:
            rejected.cancel()
        return client

    def _arguments(self) -> dict[str, Any]:
        callbacks = {
            "error_cb": self._on_error,
            "disconnected_cb": self._on_change,
            "closed_cb": self._on_change,
            "reconnected_cb": self._on_reconnect,
        }
        try:
            return connect_arguments(self._options) | callbacks | {"name": "celeriac-sdk"}
        except (ValueError, OSError, ssl.SSLError) as error:
            raise errors.ConnectionFailed(f"The settings of NATS cannot be used: {error}.") from error

    async def _on_change(self) -> None:
        self._changed.set()

    async def _on_reconnect(self) -> None:
        self._changed.set()
        if self._client is not None:
            for callback in self.on_up:
                await callback(self._client)

    async def _on_error(self, error: Exception) -> None:
        text = str(error)
        found = _DENIED.search(text)
        if found is not None:
            verb, subject = found.group(1).lower(), found.group(2).lower()
            self._denied.add((verb, subject))
            for denied in self.on_denied if verb == "publish" else []:
                denied(subject)
        elif "authorization violation" in text.lower():
            self._rejected.set()
        elif isinstance(error, nats.errors.SlowConsumerError):
            for lost in self.on_lost:
                lost()
        self._reason = text.removeprefix("nats: ")


def forbidden(verb: str, subject: str) -> errors.Forbidden:
    """The error for a user without the permission."""
    deed = "publish to" if verb == "publish" else "subscribe to"
    return errors.Forbidden(
        f"NATS does not let this user {deed} {subject}: name a namespace that it may use, or have an administrator "
        "grant it."
    )


def _rejected(where: str) -> errors.Forbidden:
    return errors.Forbidden(
        f"NATS at {where} does not accept the credentials: check CELERIAC_NATS_CREDS, CELERIAC_NATS_NKEY, or "
        "CELERIAC_NATS_USER and CELERIAC_NATS_PASSWORD."
    )


def _text(error: Exception) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error).removeprefix("nats: ")


async def _give_up(client: Client, connecting: asyncio.Future[None]) -> None:
    """Leave no socket and no task behind."""
    connecting.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await connecting
    with suppress(Exception):
        await client.close()
