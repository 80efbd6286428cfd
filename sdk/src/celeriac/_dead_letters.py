"""Dead letters, for people: to look at, to send again, to drop; and what is left in the stream of a deleted queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from celeriac import errors
from celeriac._burial import KEPT, dead_record, find_record, put_dead_record, take_back_dead_record
from celeriac._nats_options import NatsOptions, connect_arguments
from celeriac._nats_refusals import is_full
from celeriac._pull import ConsumerGone, pull
from celeriac.wire import identity, names
from celeriac.wire.dead import QUEUE_DELETED, DeadLetter, dead_headers, dead_letter
from celeriac.wire.delayed import Kept, kept
from celeriac.wire.message import MSG_ID
from celeriac.wire.records import RecordKind

CONNECT_SECONDS = 10.0
CLOSED_SECONDS = 60.0
CHUNK = 64


@dataclass(frozen=True)
class Letter:
    """A dead letter."""

    number: int
    """What it is called: its sequence in the stream of dead letters."""
    died: datetime | None
    """When it became one."""
    about: DeadLetter
    data: bytes = field(repr=False)
    """The message."""


@asynccontextmanager
async def connection(env: Mapping[str, str]) -> AsyncIterator[Client]:
    """A connection with the settings ``CELERIAC_NATS_…``. Raises ConnectionFailed."""
    options = NatsOptions.from_env(env)
    if not options.enabled:
        raise errors.ConnectionFailed("Dead letters are in NATS: set CELERIAC_NATS_URL, such as nats://127.0.0.1:4222.")
    client = Client()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await client.connect(**connect_arguments(options), name="celeriac-cli", error_cb=_quiet)
    except (nats.errors.Error, OSError, ValueError, TimeoutError) as error:
        await client.close()
        why = client.last_error or error
        raise errors.ConnectionFailed(f"NATS at {options.url} cannot be reached: {why or 'no answer'}.") from None
    try:
        yield client
    except (nats.errors.Error, TimeoutError) as error:
        raise errors.ConnectionFailed(f"NATS does not do it: {error or 'no answer'}.") from None
    finally:
        await client.close()


async def _quiet(_: Exception) -> None:
    """What goes wrong is said by who asked."""


async def find(
    js: JetStreamContext, namespace: str | None, queue: str | None = None, reason: str | None = None
) -> AsyncGenerator[Letter, None]:
    """Dead letters, the oldest first; of a namespace, or of all where it is None."""
    subject = names.dead_subject(namespace or "*", queue or "*")
    number = 1
    while True:
        try:
            raw = await js.get_msg(names.DEAD_STREAM, seq=number, subject=subject, next=True)
        except NotFoundError:
            return
        letter = _letter(raw)
        number = letter.number + 1
        if reason is None or letter.about.reason == reason:
            yield letter


async def get(js: JetStreamContext, number: int, namespace: str | None) -> Letter:
    """One dead letter. Raises TaskNotFound where it is not there, or of another namespace."""
    try:
        letter = _letter(await js.get_msg(names.DEAD_STREAM, seq=number))
    except NotFoundError:
        letter = None
    if letter is None or (namespace is not None and letter.about.namespace != namespace):
        where = f" in namespace {namespace}" if namespace is not None else ""
        raise errors.TaskNotFound(f"There is no dead letter {number}{where}. `celeriac dead list -A` shows all.")
    return letter


async def replay(js: JetStreamContext, letter: Letter) -> None:
    """Send it to its queue again, and drop it once the queue has it. Raises UnknownQueue, QueueFull."""
    about = letter.about
    await _queue_is_there(js, about)
    if about.name is not None:
        digest = identity.digest_of(identity.read(letter.data), letter.data)
        await take_back_dead_record(js, about.namespace, about.name, digest)
    subject = names.submit_subject(about.namespace, about.queue, about.band)
    headers = {MSG_ID: f"{about.origin}.replay.{letter.number}"}  # its own id may still be known, and drop it
    try:
        await js.publish(subject, letter.data, headers=headers)
    except NoStreamResponseError:
        raise _unknown(about) from None
    except APIError as error:
        raise errors.QueueFull(
            f"Queue {about.namespace}/{about.queue} does not take it: {error.description}. It stays a dead letter."
        ) from None
    await drop(js, letter)


async def _queue_is_there(js: JetStreamContext, about: DeadLetter) -> None:
    """Before anything is taken back."""
    try:
        info = await js.stream_info(names.stream_of(about.namespace, about.queue))
    except NotFoundError:
        raise _unknown(about) from None
    if info.config.subjects == [names.closed_subject(about.namespace, about.queue)]:
        raise _unknown(about)


def _unknown(about: DeadLetter) -> errors.UnknownQueue:
    return errors.UnknownQueue(f"TaskQueue {about.namespace}/{about.queue} is not there: create it, and replay again.")


async def drop(js: JetStreamContext, letter: Letter) -> None:
    """Forget it for good."""
    try:
        await js.delete_msg(names.DEAD_STREAM, letter.number)
    except APIError as error:
        if "no message" not in (error.description or ""):  # somebody else was quicker
            raise


def _letter(raw: RawStreamMsg) -> Letter:
    return Letter(raw.seq or 0, raw.time, dead_letter(raw.subject or "", raw.headers or {}), raw.data or b"")


# --- what is left of a queue ---


Annotations = Callable[[str], Awaitable[Mapping[str, str] | None]]
"""Annotations of the Task of a name; None: there is none."""


@dataclass(frozen=True)
class Rest:
    """What is left of a deleted TaskQueue.

    Args:
        task: asks the API server for a Task of the namespace.
        kept: how long ``get()`` can learn what became of a message.
    """

    client: Client
    namespace: str
    queue: str
    task: Annotations
    kept: timedelta = KEPT

    async def bury(self) -> int:
        """Make dead letters of it, and remove the queue's stream; how many there were.

        Raises TimeoutError where the operator has not closed the stream: it may be about to take messages in.
        """
        js, stream = self.client.jetstream(), names.stream_of(self.namespace, self.queue)
        try:
            info = await js.stream_info(stream)
        except NotFoundError:
            return await self._bury_delayed(js)
        count = 0
        with suppress(NotFoundError):  # the operator removes it by itself once it is empty
            await _closed(js, stream, names.closed_subject(self.namespace, self.queue))
        for band in names.BANDS:
            count += await self._bury_band(js, band, info.created)  # type: ignore[arg-type]
        count += await self._bury_delayed(js)
        with suppress(NotFoundError):
            left = (await js.stream_info(stream)).state.messages
            if left:
                raise errors.RequestRejected(
                    f"{left} message(s) are still in {stream}: repeat the command in a minute."
                )
            await js.delete_stream(stream)
        return count

    async def _bury_band(self, js: JetStreamContext, band: names.Band, created: datetime) -> int:
        stream, count = names.stream_of(self.namespace, self.queue), 0
        while True:
            try:
                messages = await pull(self.client, stream, names.consumer_of(band), CHUNK)
            except ConsumerGone:
                return count
            for message in messages:
                at = message.metadata
                origin = names.origin_of(stream, created, at.sequence.stream)
                message_id = (message.headers or {}).get(MSG_ID, "")
                count += await self._bury(js, band, message.data, Kept(origin, at.timestamp, message_id))
                await message.ack_sync(timeout=5)
            if not messages:
                return count

    async def _bury_delayed(self, js: JetStreamContext) -> int:
        count, subject = 0, names.delayed_subjects(self.namespace, self.queue)
        while True:
            try:
                raw = await js.get_msg(names.DELAYED_STREAM, seq=1, subject=subject, next=True)
            except NotFoundError:
                return count
            token = (raw.subject or "").split(".")[-2]
            band: names.Band = next((known for known in names.BANDS if known == token), "n")
            found = kept(raw.headers or {}, raw.time or datetime.now(UTC), raw.seq or 0)
            count += await self._bury(js, band, raw.data or b"", found)
            await js.delete_msg(names.DELAYED_STREAM, raw.seq or 0)

    async def _bury(self, js: JetStreamContext, band: names.Band, data: bytes, found: Kept) -> bool:
        """False: it became a Task before, and only its acknowledgement was lost."""
        message = identity.read(data)
        name = identity.name_of(message, found.origin, found.message_id)
        why = f"TaskQueue {self.queue} was deleted, and what was left of it with it"
        if name is not None:
            theirs, digest = await self.task(name), identity.digest_of(message, data)
            if theirs is not None and theirs.get(names.SUBMISSION) == digest:
                return False
            record = await find_record(js, self.namespace, name)
            if record is not None and record.kind is RecordKind.FINISHED and record.submission == digest:
                return False
            if theirs is None:  # else what is recorded under the name is that one's
                now = datetime.now(UTC)
                dead = dead_record(message, data, QUEUE_DELETED, why, found.submitted, now, self.kept)
                await put_dead_record(js, self.namespace, name, dead)
        headers = dead_headers(QUEUE_DELETED, why, origin=found.origin, band=band, submitted=found.submitted, name=name)
        subject = names.dead_subject(self.namespace, self.queue)
        try:
            await js.publish(subject, data, stream=names.DEAD_STREAM, headers=headers)
        except APIError as error:
            if not is_full(error.code or 0, error.err_code or 0, error.description or ""):
                raise
            raise errors.QueueFull(
                f"The dead letters are full ({error.description}), and what is left of queue {self.queue} stays. See "
                "'celeriac dead list -A', drop or replay what is there, and repeat the command."
            ) from None
        return True


async def _closed(js: JetStreamContext, stream: str, subject: str) -> None:
    try:
        async with asyncio.timeout(CLOSED_SECONDS):
            while (await js.stream_info(stream)).config.subjects != [subject]:  # noqa: ASYNC110 -- nothing tells of it
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise errors.TimeoutError(
            f"The operator has not closed {stream} within {CLOSED_SECONDS:g} seconds. Is it running, and connected to "
            "NATS? Repeat the command then; nothing was moved."
        ) from None
