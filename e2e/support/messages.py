"""Messages as clients send them, by hand, and the ledger of what became of each.

Apart from the SDK on purpose: a test must not see the bus through the code under test. Every call makes a connection
of its own, so that a killed server leaves nothing behind.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import nats.errors
import nats.js.errors
from e2e.support.kube import PATIENCE_SECONDS, TASKS
from e2e.support.namespaces import Namespace
from e2e.support.predicates import status
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from tenacity import (
    AsyncRetrying,
    Retrying,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_delay,
    wait_fixed,
)

from celeriac._lasting import LastingClient
from celeriac.wire import names
from celeriac.wire.canonical import digest
from celeriac.wire.message import MSG_ID, encode, message_id, message_of
from celeriac.wire.records import RecordKind, TaskRecord

Obj = dict[str, Any]
T = TypeVar("T")

_TROUBLE = (nats.errors.Error, OSError, TimeoutError)
_ANSWER_SECONDS = 5


class NotYet(AssertionError):  # noqa: N818  it says how things are
    """What is waited for has not come about."""


@dataclass(frozen=True)
class Letter:
    """A dead letter."""

    name: str
    """Of the task that it would have been; empty where the message does not say."""
    reason: str
    message: str
    data: bytes


@dataclass
class Mailbox:
    """One queue's door: publish there, and see what is left in it and what was buried."""

    url: str
    namespace: Namespace
    queue: str = "default"
    sent: dict[str, Obj] = field(default_factory=dict)
    """Every message that the server has acknowledged, by name."""

    def submit(self, *tasks: Obj, times: int = 1) -> None:
        """Publish these Tasks, each until it is acknowledged, each so many times."""
        messages = [message_of(task) for task in tasks]
        for _ in range(times):
            self._call(lambda js: self._publish(js, messages))
        self.sent |= {message["name"]: message for message in messages}

    def post(self, data: bytes, headers: dict[str, str] | None = None) -> None:
        """Publish these bytes, whatever they are, until they are acknowledged.

        Raises:
            BadRequestError: the server refuses them for good.
        """
        subject = names.submit_subject(self.namespace.name, self.queue, "n")
        self._call(lambda js: _until_acknowledged(js, subject, data, headers or {}))

    def cancel(self, name: str, reason: str) -> None:
        """Ask to cancel a task that may not be there yet, as a client does: by its record."""
        now = datetime.now(UTC)
        record = TaskRecord(
            kind=RecordKind.CANCEL_REQUESTED,
            outcome="Cancelled",
            message=reason,
            finish_time=now,
            expire_time=now + timedelta(hours=1),
        )
        data = record.model_dump_json(by_alias=True, exclude_none=True).encode()

        async def create(js: JetStreamContext) -> None:
            bucket = await js.key_value(names.RESULTS_BUCKET)
            await bucket.create(names.record_key(self.namespace.name, name), data)

        self._call(create)

    def left(self) -> int:
        """How many messages are not yet taken in."""

        async def count(js: JetStreamContext) -> int:
            stream = names.stream_of(self.namespace.name, self.queue)
            return int((await js.stream_info(stream)).state.messages)

        return self._call(count)

    def letters(self) -> list[Letter]:
        """The queue's dead letters, oldest first."""
        subject = names.dead_subject(self.namespace.name, self.queue)
        return self._call(lambda js: _letters(js, subject))

    def wait_until(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait for something about the queue.

        Raises:
            NotYet: it was not so in time.
        """

        for attempt in Retrying(
            stop=stop_after_delay(PATIENCE_SECONDS),
            wait=wait_fixed(0.2),
            retry=retry_if_exception_type((NotYet, nats.errors.TimeoutError)),  # the server is killed now and then
            reraise=True,
        ):
            with attempt:
                if not holds():
                    raise NotYet(f"not {what}: {self.left()} messages left, buried {self.letters()}")

    def wait_empty(self) -> None:
        """Wait until everything was taken in."""
        self.wait_until("empty", lambda: self.left() == 0)

    def problems(self) -> list[str]:
        """What is wrong, once all is quiet: an acknowledged message is one Task or one dead letter, and never both."""
        tasks = {each["metadata"]["name"]: each for each in self.namespace.kube.list(TASKS, self.namespace.name)}
        buried = Counter(letter.name for letter in self.letters())
        return [
            *(
                f"{name}: {int(name in tasks)} Tasks and {buried[name]} dead letters"
                for name in self.sent
                if (name in tasks) + buried[name] != 1
            ),
            *(f"{name}: a Task that nobody has sent" for name in tasks if name not in self.sent),
            *(f"{name}: {what}" for name, task in tasks.items() if (what := self._unlike(task))),
            *([f"{left} messages are left"] if (left := self.left()) else []),
        ]

    def _unlike(self, task: Obj) -> str:
        """What is different about a Task from its message."""
        sent = self.sent.get(task["metadata"]["name"])
        noted = task["metadata"].get("annotations", {}).get(names.SUBMISSION)
        if sent is None or noted == digest(sent):
            return ""
        return f"its submission is {noted}, and that of the message {digest(sent)}; {status(task)}"

    async def _publish(self, js: JetStreamContext, messages: Iterable[Obj]) -> None:
        for message in messages:
            band = names.band_of(message["spec"].get("priority") or 0)
            subject = names.submit_subject(self.namespace.name, self.queue, band)
            await _until_acknowledged(js, subject, encode(message), {MSG_ID: message_id(message)})

    def _call(self, what: Callable[[JetStreamContext], Awaitable[T]]) -> T:
        async def within() -> T:
            async with _connected(self.url) as js:
                return await what(js)

        return asyncio.run(within())


async def _until_acknowledged(js: JetStreamContext, subject: str, data: bytes, headers: dict[str, str]) -> None:
    """As a client that is told nothing or to try again does: with the same id, until the server says that it is safe.

    Also while there is no stream: the operator makes it once it has seen the TaskQueue.
    """
    async for attempt in AsyncRetrying(
        stop=stop_after_delay(PATIENCE_SECONDS),
        wait=wait_fixed(0.1),
        retry=retry_if_exception_type(_TROUBLE) & retry_if_not_exception_type(nats.js.errors.BadRequestError),
        reraise=True,
    ):
        with attempt:
            await js.publish(subject, data, timeout=_ANSWER_SECONDS, headers=headers)


async def _letters(js: JetStreamContext, subject: str) -> list[Letter]:
    found: list[Letter] = []
    sequence = 1
    while (message := await _next(js, subject, sequence)) is not None:
        headers = message.headers or {}
        reason, text = headers.get(names.DEAD_REASON, ""), headers.get(names.DEAD_MESSAGE, "")
        found.append(Letter(_name(message), reason, text, message.data or b""))
        sequence = (message.seq or sequence) + 1
    return found


async def _next(js: JetStreamContext, subject: str, sequence: int) -> RawStreamMsg | None:
    try:
        return await js.get_msg(names.DEAD_STREAM, seq=sequence, subject=subject, next=True)
    except nats.js.errors.NotFoundError:
        return None


def _name(message: RawStreamMsg) -> str:
    try:
        return str(json.loads(message.data or b"").get("name", ""))
    except (ValueError, AttributeError, RecursionError):
        return ""


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[JetStreamContext]:
    client = LastingClient()
    async for attempt in AsyncRetrying(
        stop=stop_after_delay(60), wait=wait_fixed(0.1), retry=retry_if_exception_type(_TROUBLE), reraise=True
    ):
        with attempt:
            await client.connect(url, max_reconnect_attempts=-1, error_cb=_ignore)
    try:
        yield client.jetstream(timeout=_ANSWER_SECONDS)
    finally:
        await client.close()


async def _ignore(_error: Exception) -> None:
    """A killed server is what these tests are about."""
