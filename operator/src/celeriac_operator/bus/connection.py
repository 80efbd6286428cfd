"""The connection to NATS: optional, and it comes and goes. Nothing else of the operator waits for it."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import nats.errors
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import PubAck

from celeriac._lasting import LastingClient, is_cancelled
from celeriac._nats_options import NatsOptions, connect_arguments
from celeriac_operator.core.text import cut
from celeriac_operator.metrics import NATS_CONFIGURED, NATS_CONNECTED, RECONCILE_ERRORS

log = structlog.get_logger()

PROBE_SECONDS = 5.0
"""JetStream is asked so often whether it answers."""
ANSWER_SECONDS = 5.0
"""What does not answer within so long counts as down."""
TROUBLE = (nats.errors.Error, OSError, TimeoutError)
"""What calls to NATS raise while it is down, full, restarting or slow: it is tried again for ever."""

_BEFORE = "not connected yet"
_FRAME_BYTES = 256
"""Around the headers, and what nats-py adds to them."""

Callback = Callable[[], Awaitable[None]]


class BusDown(Exception):  # noqa: N818  it says how things are
    """There is no NATS now; the text says why. What was to be sent was not."""


@contextmanager
def closings_are_errors() -> Iterator[None]:
    """nats-py cancels who waits for an answer when its connection closes: here that is an error like another.

    Raises:
        ConnectionError: instead of a cancellation that nobody has asked this task for.
    """
    try:
        yield
    except asyncio.CancelledError:
        if is_cancelled():
            raise
        raise ConnectionError("the connection was closed") from None


def reason_of(error: Exception) -> str:
    """What an error says, for log and people; its kind, where it says nothing."""
    return cut(str(error), 512) or type(error).__name__


class Bus:
    """A connection that is made for ever anew.

    Args:
        options: where NATS is; with none the bus is never connected, and ``run`` ends at once.
        name: how it is called in NATS' own monitoring.
    """

    def __init__(self, options: NatsOptions, name: str = "celeriac-operator", *, probe: float = PROBE_SECONDS) -> None:
        self._options, self._name, self._probe_seconds = options, name, probe
        self.reason = _BEFORE if options.enabled else "CELERIAC_NATS_URL is not set"
        """Why it is not connected, for log and people; empty while it is."""
        self._client: Client | None = None
        self._js: JetStreamContext | None = None
        self._answered = float("-inf")
        self._callbacks: list[Callback] = []
        self._untold: list[Callback] = []
        self._news = asyncio.Event()
        self._told = ""
        NATS_CONFIGURED.set(self.enabled)
        NATS_CONNECTED.set_function(lambda: float(self.connected))

    @property
    def enabled(self) -> bool:
        """Whether there is a NATS at all."""
        return self._options.enabled

    @property
    def tried(self) -> bool:
        """Whether it is known by now if NATS is there."""
        return self.reason != _BEFORE

    @property
    def connected(self) -> bool:
        """There is a connection, and JetStream has answered lately: neither says enough alone."""
        recently = time.monotonic() - self._answered < self._probe_seconds + 2 * ANSWER_SECONDS
        return self._client is not None and self._client.is_connected and not self.reason and recently

    @property
    def js(self) -> JetStreamContext:
        """JetStream, through the connection of now: it is not to be kept.

        Raises:
            BusDown: there is none.
        """
        if not self.connected or self._js is None:
            raise BusDown(self.reason or "JetStream does not answer")
        return self._js

    @property
    def client(self) -> Client:
        """The connection of now: it is not to be kept.

        Raises:
            BusDown: there is none.
        """
        if not self.connected or self._client is None:
            raise BusDown(self.reason or "JetStream does not answer")
        return self._client

    async def publish(self, subject: str, data: bytes, *, stream: str, headers: Mapping[str, str]) -> PubAck:
        """Publish to a stream, and wait until it has it.

        Raises:
            MaxPayloadError: it is larger than the server takes, which would close the connection of all that goes on.
            nats.errors.Error, TimeoutError, BusDown: the stream may have it, or not.
        """
        size = len(data) + sum(len(name) + len(value.encode()) + 4 for name, value in headers.items()) + _FRAME_BYTES
        if size > self.client.max_payload:
            raise nats.errors.MaxPayloadError
        return await self.js.publish(subject, data, stream=stream, headers=dict(headers))

    def on_connect(self, callback: Callback) -> None:
        """Have this called each time that NATS is there, at first and after each time that it was not.

        One that raises is called again; subscriptions and watches are to be made in it, as the client may be a new one.
        """
        self._callbacks.append(callback)

    async def run(self) -> None:
        """Connect for ever; a background duty. It ends only where NATS is not configured."""
        if not self.enabled:
            log.info("without NATS: no messages are taken in, and results do not outlive their Tasks")
            return
        while True:
            self._news.clear()
            await self._look()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._probe_seconds):
                    await self._news.wait()

    async def close(self) -> None:
        """Close the connection, if there is one."""
        client, self._client, self._js = self._client, None, None
        if client is not None and not client.is_closed:
            await client.close()

    async def _look(self) -> None:
        """One look: a client that was closed for good is made anew, and JetStream has to answer."""
        try:
            with closings_are_errors():
                await self._ask()
        except (*TROUBLE, ssl.SSLError, ValueError) as error:
            self._down(reason_of(error))
            return
        self._answered = time.monotonic()
        if self.reason:
            self._up()
        await self._tell()

    async def _ask(self) -> None:
        if self._client is None or self._client.is_closed:
            await self._connect()
        assert self._client is not None and self._js is not None  # noqa: S101  _connect has set them
        if not self._client.is_connected:
            raise ConnectionError(self.reason or "the connection is lost")  # what is sent now would pile up
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._js.account_info()

    async def _connect(self) -> None:
        """A new client. It keeps trying by itself while servers do not answer; that is not waited for here."""
        await self.close()
        client = LastingClient()
        arguments = connect_arguments(self._options)
        try:
            async with asyncio.timeout(2 * ANSWER_SECONDS):
                await client.connect(
                    **arguments,
                    name=self._name,
                    error_cb=self._error,
                    disconnected_cb=self._disconnected,
                    reconnected_cb=self._reconnected,
                    closed_cb=self._closed,
                )
        except BaseException:
            await client.close()
            raise
        self._client, self._js = client, client.jetstream(timeout=ANSWER_SECONDS)

    async def _tell(self) -> None:
        """Call whom a new connection concerns; who raises is called again at the next look."""
        waiting, self._untold = self._untold, []
        for callback in waiting:
            try:
                with closings_are_errors():
                    await callback()
            except (*TROUBLE, BusDown) as error:
                log.warning("NATS is there, and what depends on it could not begin", error=cut(str(error), 512))
                self._untold.append(callback)
            except Exception as error:
                RECONCILE_ERRORS.labels("bug").inc()
                log.error("what depends on NATS raised, trying again", exc_info=error)
                self._untold.append(callback)

    def _up(self) -> None:
        self.reason = self._told = ""
        self._untold = list(self._callbacks)
        log.info("NATS is connected", servers=len(self._options.servers))

    def _down(self, reason: str) -> None:
        if self.reason != reason:
            log.warning("NATS is not there: Tasks go on, messages wait there", reason=reason)
        self.reason = reason

    async def _error(self, error: Exception) -> None:
        """What the client tells of: a server's refusal, a connection that could not be made. Once, not each second."""
        told = reason_of(error)
        if told != self._told:
            self._told = told
            log.info("NATS: the client reports an error", error=told)

    async def _disconnected(self) -> None:
        if self._client is not None:
            self._down("the connection is lost")

    async def _reconnected(self) -> None:
        self._news.set()

    async def _closed(self) -> None:
        """For good, whoever closed it: the client never comes back, and another is made."""
        if self._client is not None:
            self._down("the connection was closed")
            self._news.set()
