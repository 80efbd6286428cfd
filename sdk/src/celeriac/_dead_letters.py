"""Dead letters, for people: to look at, to send again, to drop; and what is left in the stream of a deleted queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from celeriac import errors
from celeriac._burial import dead_record, put_dead_record, take_back_dead_record
from celeriac._nats_options import NatsOptions, connect_arguments
from celeriac._pull import ConsumerGone, pull
from celeriac.wire import identity, names
from celeriac.wire.dead import QUEUE_DELETED, DeadLetter, dead_headers, dead_letter
from celeriac.wire.message import MSG_ID

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


async def bury_rest(client: Client, namespace: str, queue: str) -> int:
    """Make dead letters of what is left of a deleted TaskQueue, and remove its stream; how many there were.

    Raises TimeoutError where the operator has not closed the stream: it may be about to take messages in.
    """
    js, stream = client.jetstream(), names.stream_of(namespace, queue)
    try:
        info = await js.stream_info(stream)
    except NotFoundError:
        return await _bury_delayed(js, namespace, queue)
    await _closed(js, stream, names.closed_subject(namespace, queue))
    count = 0
    for band in names.BANDS:
        count += await _bury_band(client, namespace, queue, band, info.created)  # type: ignore[arg-type]
    count += await _bury_delayed(js, namespace, queue)
    left = (await js.stream_info(stream)).state.messages
    if left:
        raise errors.RequestRejected(f"{left} message(s) are still in {stream}: repeat the command in a minute.")
    await js.delete_stream(stream)
    return count


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


@dataclass(frozen=True)
class _Left:
    """A message that was left."""

    namespace: str
    queue: str
    band: names.Band
    data: bytes
    origin: str
    submitted: datetime
    message_id: str


async def _bury_band(client: Client, namespace: str, queue: str, band: names.Band, created: datetime) -> int:
    stream, count = names.stream_of(namespace, queue), 0
    while True:
        try:
            messages = await pull(client, stream, names.consumer_of(band), CHUNK)
        except ConsumerGone:
            return count
        for message in messages:
            at = message.metadata
            origin = names.origin_of(stream, created, at.sequence.stream)
            message_id = (message.headers or {}).get(MSG_ID, "")
            left = _Left(namespace, queue, band, message.data, origin, at.timestamp, message_id)
            await _bury(client.jetstream(), left)
            await message.ack_sync(timeout=5)
        count += len(messages)
        if not messages:
            return count


async def _bury_delayed(js: JetStreamContext, namespace: str, queue: str) -> int:
    count = 0
    while True:
        try:
            raw = await js.get_msg(
                names.DELAYED_STREAM, seq=1, subject=names.delayed_subjects(namespace, queue), next=True
            )
        except NotFoundError:
            return count
        await _bury(js, _delayed(namespace, queue, raw))
        await js.delete_msg(names.DELAYED_STREAM, raw.seq or 0)
        count += 1


def _delayed(namespace: str, queue: str, raw: RawStreamMsg) -> _Left:
    headers: dict[str, Any] = raw.headers or {}
    token = (raw.subject or "").split(".")[-2]
    band: names.Band = next((known for known in names.BANDS if known == token), "n")
    submitted = headers.get(names.SUBMIT_TIME_HEADER)
    moment = datetime.fromisoformat(submitted) if submitted else datetime.now(UTC)
    origin, message_id = headers.get(names.DEAD_ORIGIN, ""), headers.get(names.CLIENT_ID, "")
    return _Left(namespace, queue, band, raw.data or b"", origin, moment, message_id)


async def _bury(js: JetStreamContext, left: _Left) -> None:
    message = identity.read(left.data)
    name = identity.name_of(message, left.origin, left.message_id)
    why = f"TaskQueue {left.queue} was deleted, and what was left of it with it"
    if name is not None:
        record = dead_record(
            identity.digest_of(message, left.data), QUEUE_DELETED, why, left.submitted, datetime.now(UTC)
        )
        await put_dead_record(js, left.namespace, name, record)
    headers = dead_headers(QUEUE_DELETED, why, origin=left.origin, band=left.band, submitted=left.submitted, name=name)
    subject = names.dead_subject(left.namespace, left.queue)
    await js.publish(subject, left.data, stream=names.DEAD_STREAM, headers=headers)
