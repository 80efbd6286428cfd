"""Publishing to streams, many messages at once: each gets its acknowledgement, or why there is none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from celeriac._nats import PATIENCE_SECONDS, Nats

AGAIN_SECONDS = 4.0
"""A message without an acknowledgement is sent again after so long; its Nats-Msg-Id makes one of the two."""
SHORT_PATIENCE_SECONDS = 1.0
"""How long an acknowledgement is waited for while none has come for PATIENCE_SECONDS."""
SWEEP_SECONDS = 0.5


class NoStream(Exception):  # noqa: N818 -- what happened
    """No stream takes the subject."""


class Denied(Exception):  # noqa: N818 -- what happened
    """The user may not publish to the subject."""


class NoAnswer(Exception):  # noqa: N818 -- what happened
    """No acknowledgement has come in time. The message may have arrived."""


class Refused(Exception):  # noqa: N818 -- what happened
    """The stream did not take the message."""

    def __init__(self, code: int, err_code: int, description: str) -> None:
        super().__init__(description)
        self.code, self.err_code, self.description = code, err_code, description


@dataclass(slots=True)
class _Flight:
    """A message under way."""

    subject: str
    data: bytes
    headers: dict[str, str]
    answer: asyncio.Future[None]
    deadline: float
    sent: float


class Publisher:
    """Sends over one connection. What was under way when that broke is sent again, with the same Nats-Msg-Id."""

    def __init__(self, connection: Nats) -> None:
        self._connection = connection
        self._client: Client | None = None
        self._inbox = ""
        self._tokens = count()
        self._flights: dict[str, _Flight] = {}
        self._heard = True
        self._sweeper: asyncio.TimerHandle | None = None
        self._resending: set[asyncio.Task[None]] = set()
        connection.on_up.append(self._resume)
        connection.on_denied.append(self._deny)

    async def send(
        self, subject: str, data: bytes, headers: dict[str, str], patience: float | None = None
    ) -> asyncio.Future[None]:
        """Publish, and return what is done when the stream has the message.

        It fails with NoStream, Denied, Refused or NoAnswer. patience: seconds that a connection is waited for.
        Raises ConnectionFailed: there is none; and Forbidden.
        """
        if self._client is None or not self._client.is_connected:
            await self._connection.client(patience)
        loop = asyncio.get_running_loop()
        now = loop.time()
        limit = PATIENCE_SECONDS if self._heard else SHORT_PATIENCE_SECONDS
        token = f"{next(self._tokens):x}"
        flight = _Flight(subject, data, headers, loop.create_future(), now + limit, now)
        self._flights[token] = flight
        if self._sweeper is None:
            self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep)
        await self._write(token, flight)
        return flight.answer

    async def _write(self, token: str, flight: _Flight) -> None:
        """Send it, if there is a connection now; it is sent when there is one otherwise."""
        client = self._client
        if client is None or not client.is_connected:
            return
        try:
            await client.publish(flight.subject, flight.data, self._inbox + token, flight.headers)
        except (nats.errors.ConnectionClosedError, nats.errors.ConnectionDrainingError):
            return

    async def _resume(self, client: Client) -> None:
        """Send again what is under way: the acknowledgements may be lost, and the messages too."""
        if client is not self._client:
            self._inbox = client.new_inbox() + "."
            await client.subscribe(self._inbox + "*", cb=self._on_answer)
            self._client = client
        self._heard = True
        for token, flight in list(self._flights.items()):
            await self._send_again(token, flight)

    async def _send_again(self, token: str, flight: _Flight) -> None:
        flight.sent = asyncio.get_running_loop().time()
        await self._write(token, flight)

    async def _on_answer(self, message: Msg) -> None:
        flight = self._flights.pop(message.subject[len(self._inbox) :], None)
        self._heard = True
        if flight is None or flight.answer.done():
            return
        refusal = _refusal(message.data, message.headers)
        if refusal is None:
            flight.answer.set_result(None)
        else:
            flight.answer.set_exception(refusal)

    def _deny(self, subject: str) -> None:
        for token, flight in list(self._flights.items()):
            if flight.subject.lower() == subject:
                self._fail(token, Denied(flight.subject))

    def _sweep(self) -> None:
        """Give up what has waited too long, and send again what may have been lost."""
        now = asyncio.get_running_loop().time()
        self._sweeper = None
        for token, flight in list(self._flights.items()):
            if flight.answer.done():
                del self._flights[token]  # whoever waited for it was cancelled
            elif now >= flight.deadline:
                self._heard = False
                self._fail(token, NoAnswer())
            elif now - flight.sent >= AGAIN_SECONDS:
                self._start(self._send_again(token, flight))
        if self._flights:
            self._start(self._keep_up())
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    async def _keep_up(self) -> None:
        """A connection that was closed for good is made anew while something is under way."""
        if self._client is not None and self._client.is_closed:
            await self._connection.client(SWEEP_SECONDS)

    def _start(self, coroutine: object) -> None:
        task = asyncio.ensure_future(coroutine)  # type: ignore[call-overload]
        self._resending.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._resending.discard(task)
        if not task.cancelled():
            task.exception()  # no connection yet: the next sweep tries again

    def _fail(self, token: str, error: Exception) -> None:
        flight = self._flights.pop(token)
        if not flight.answer.done():
            flight.answer.set_exception(error)

    def close(self) -> None:
        """Send nothing again."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in self._resending:
            task.cancel()


def _refusal(data: bytes, headers: Mapping[str, str] | None) -> Exception | None:
    """Why the stream did not take the message, or None: it did."""
    if headers and headers.get("Status") == "503":
        return NoStream()
    if b'"error"' not in data:
        return None
    try:
        error = json.loads(data)["error"]
        return Refused(int(error["code"]), int(error.get("err_code", 0)), str(error.get("description", "")))
    except (ValueError, KeyError, TypeError):
        return Refused(500, 0, "an answer that cannot be read")
