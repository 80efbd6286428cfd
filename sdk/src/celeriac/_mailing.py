"""Sending letters: one, or as many as there are with a bounded number under way; and patience with full queues."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

from celeriac import errors
from celeriac._api import pauses
from celeriac._door import Outcome
from celeriac._letter import EXPECTED_STREAM, Letter, letter_of
from celeriac._nats import PATIENCE_SECONDS, Nats, forbidden
from celeriac._nats_refusals import error_of, is_outage, unknown_queue
from celeriac._payloads import Payloads
from celeriac._publisher import Denied, NoAnswer, NoStream, Publisher, Refused
from celeriac._request import TaskOptions, TaskRequest, request_of
from celeriac._room import Room

MOST_LETTERS = 512
MOST_BYTES = 8 * 1024 * 1024
"""So much is under way at once."""
HEADROOM_BYTES = 4096
"""The server counts headers and subject too, and ends the connection for good where all is too large."""
YIELD_EVERY = 32
"""Letters that are made before others on the event loop get their turn."""
STREAM_SECONDS = 0.5
"""A queue without a stream is tried again for so long: a cluster's stream may be without a leader for a moment."""

Request = TaskRequest | TaskOptions


class Mailing:
    """Sends letters and waits for what the streams answer."""

    def __init__(self, connection: Nats, publisher: Publisher, payloads: Payloads) -> None:
        self._connection, self._publisher, self._payloads = connection, publisher, payloads
        self._turns: dict[str, asyncio.Lock] = {}

    async def send(self, letter: Letter, room: Room) -> None:
        """Send one. Raises QueueFull, UnknownQueue, InvalidTask, Forbidden, ConnectionFailed, RequestRejected."""
        await room.taken(partial(self._send_now, letter))

    async def send_many(
        self, requests: Iterable[Request], namespace: str, room: Room, most: int | None
    ) -> list[tuple[Request, Outcome]]:
        """Send all; what became of each, in order."""
        batch = _Batch(self, room, most or MOST_LETTERS)
        try:
            for index, request in enumerate(requests):
                batch.done.append((request, _PENDING))
                await batch.add(index, request, namespace)
            await batch.finish()
        finally:
            batch.cancel()
        return batch.done

    async def start(self, letter: Letter, patience: float | None = None) -> asyncio.Future[None]:
        """Store what the letter refers to, publish it, and return what is done when the stream has it."""
        client = await self._connection.client(patience)
        if len(letter.data) + HEADROOM_BYTES > client.max_payload:
            raise errors.InvalidTask(
                f"The task is {len(letter.data):,} bytes as a message, and this NATS takes {client.max_payload:,} with "
                "headers. Put large data into a store and pass where it is."
            )
        if letter.large_params is not None and letter.params_ref is not None:
            await self._payloads.put(letter.params_ref, letter.large_params)
        return await self._publisher.send(letter.subject, letter.data, letter.headers, patience)

    async def again(self, letter: Letter, room: Room, first: BaseException) -> None:
        """Go on after a first answer that was no acknowledgement. Those that wait for one queue take turns."""
        error = self.error(letter, first)
        if _patience_with(first) > 0:
            await self._send_now(letter)
            return
        if not isinstance(error, errors.QueueFull) or not room.block:
            raise error
        turn = self._turns.setdefault(letter.headers[EXPECTED_STREAM], asyncio.Lock())
        try:
            async with asyncio.timeout_at(room.deadline):
                await turn.acquire()
        except TimeoutError:
            raise error from None
        try:
            await self.send(letter, room)
        finally:
            turn.release()

    def error(self, letter: Letter, failure: BaseException) -> errors.CeleriacError:
        """The typed error for what the publisher says."""
        match failure:
            case NoStream():
                return unknown_queue(letter.namespace, letter.queue)
            case Denied():
                return forbidden("publish", letter.subject)
            case NoAnswer():
                return self._unacknowledged("the message was not acknowledged in time")
            case Refused(code=code, err_code=err_code, description=text) if is_outage(code, err_code, text):
                return self._unacknowledged(f"{text} ({err_code})")
            case Refused(code=code, err_code=err_code, description=text):
                return error_of(letter.namespace, letter.queue, code, err_code, text)
            case errors.CeleriacError():
                return failure
            case _:
                raise failure

    def _unacknowledged(self, why: str) -> errors.ConnectionFailed:
        """The error for a message that was sent, and of which nobody knows whether it arrived."""
        error = self._connection.unreachable(why)
        return errors.ConnectionFailed(
            f"{error} The task may have arrived: with a name or key, submitting it again is safe."
        )

    async def _send_now(self, letter: Letter) -> None:
        """Send it, again where that may help."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for pause in pauses():
            try:
                await (await self.start(letter))
            except (Denied, NoAnswer, NoStream, Refused) as failure:
                if loop.time() + pause - begun > _patience_with(failure):
                    raise self.error(letter, failure) from None
            else:
                return
            await asyncio.sleep(pause)


def _patience_with(failure: BaseException) -> float:
    """Seconds that the same letter is sent again for."""
    match failure:
        case NoStream():
            return STREAM_SECONDS
        case Refused(code=code, err_code=err_code, description=text) if is_outage(code, err_code, text):
            return PATIENCE_SECONDS
        case _:
            return 0.0


_PENDING = errors.ConnectionFailed("The call was ended before this task was acknowledged.")


class _Batch:
    """The state of one submit_many."""

    def __init__(self, mailing: Mailing, room: Room, most: int) -> None:
        self.done: list[tuple[Request, Outcome]] = []
        self._mailing, self._room, self._most = mailing, room, most
        self._letters = self._bytes = 0
        self._left = asyncio.Event()
        self._patience: float | None = None
        self._retries: set[asyncio.Task[None]] = set()

    async def add(self, index: int, request: Request, namespace: str) -> None:
        """Make the letter and send it, once there is room for it among those under way."""
        if index % YIELD_EVERY == 0:
            await asyncio.sleep(0)
        try:
            letter = letter_of(request_of(request), namespace, datetime.now(UTC))
            await self._enter(len(letter.data))
        except errors.CeleriacError as error:
            self.done[index] = (request, error)
            return
        try:
            answer = await self._mailing.start(letter, self._patience)
        except errors.CeleriacError as error:
            self._patience = 0.0 if isinstance(error, errors.ConnectionFailed) else self._patience
            self._settle(index, letter, error)
        else:
            answer.add_done_callback(partial(self._answered, index, letter))

    async def finish(self) -> None:
        """Wait until each has its outcome."""
        while self._letters:
            self._left.clear()
            await self._left.wait()

    def cancel(self) -> None:
        """Try nothing again."""
        for task in self._retries:
            task.cancel()

    async def _enter(self, size: int) -> None:
        while self._letters and (self._letters >= self._most or self._bytes + size > MOST_BYTES):
            self._left.clear()
            await self._left.wait()
        self._letters += 1
        self._bytes += size

    def _answered(self, index: int, letter: Letter, answer: asyncio.Future[None]) -> None:
        failure = None if answer.cancelled() else answer.exception()
        if failure is None:
            self._patience = None
            self._settle(index, letter, None)
        else:
            task = asyncio.ensure_future(self._again(index, letter, failure))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)

    async def _again(self, index: int, letter: Letter, failure: BaseException) -> None:
        error: errors.CeleriacError | None = _PENDING
        try:
            await self._mailing.again(letter, self._room, failure)
            error = None
        except errors.CeleriacError as caught:
            error = caught
        finally:
            self._settle(index, letter, error)

    def _settle(self, index: int, letter: Letter, error: errors.CeleriacError | None) -> None:
        self.done[index] = (self.done[index][0], error or letter.submitted())
        self._letters -= 1
        self._bytes -= len(letter.data)
        self._left.set()
