"""The runner's connection to NATS, in a thread of its own: it connects while the function's module is imported.

Everything here is bounded in time, because without NATS the attempt goes on and the termination message tells its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from celeriac._loop import LoopThread
from celeriac._nats_options import NatsOptions, connect_arguments
from celeriac.run.bus_down import BusDown
from celeriac.wire.names import RESULTS_BUCKET

if TYPE_CHECKING:
    from celeriac._last_message import LastMessage
    from celeriac.run.standby import Assignment

T = TypeVar("T")

WRONG_LAST_SEQUENCE = (10071, 10164)
"""JetStream's codes for: the key has another revision; or will have, once another write is through."""
BEHIND_SECONDS = 0.2
PUBLISH_SECONDS = 2.0
"""One try to publish; within the time that a call may take, there are several."""


class Bus:
    """A connection that may come later, or never.

    Args:
        options: where NATS is.
    """

    def __init__(self, options: NatsOptions) -> None:
        self._options = options
        self._trouble = "it did not answer"
        self._client: Any = None
        self._unsent: tuple[str, bytes] | None = None
        """What was published last before there was a connection."""
        self._thread = LoopThread()
        self._connection: Any = self._thread.start(self._connect())

    @property
    def ends_us(self) -> bool:
        """Nobody does: this process is the container."""
        return False

    def create(self, key: str, data: bytes, timeout: float) -> bytes | None:
        """Put a record under a key that has none; what is there already is given back instead.

        timeout: seconds. Raises BusDown.
        """
        return self._call(lambda js: create_record(js, key, data), timeout)

    def read(self, key: str, timeout: float) -> bytes | None:
        """The record under a key; None where there is none. timeout: seconds. Raises BusDown."""
        return self._call(lambda js: read_record(js, key), timeout)

    def put_payload(self, name: str, data: bytes, timeout: float) -> None:
        """Store a payload. timeout: seconds. Raises BusDown."""
        self._call(lambda js: put_object(js, name, data), timeout)

    def get_payload(self, name: str, timeout: float) -> bytes:
        """A stored payload. timeout: seconds. Raises BusDown, LookupError: there is none of that name."""
        return self._call(lambda js: get_object(js, name), timeout)

    def publish(self, subject: str, data: bytes) -> None:
        """Publish, at once if there is a connection; nothing is waited for, and nothing fails.

        Of what comes before there is one, only the last is published. What comes while it is broken is left out.
        """
        self._thread.start(self._publish(subject, data))

    def stand_by(self, namespace: str, pod_uid: str) -> Assignment:
        """Wait for this pod's task, however long that takes."""
        from celeriac.run.standby import Standby  # noqa: PLC0415 -- of pods that wait only

        async def wait() -> Assignment:
            client = await asyncio.shield(asyncio.wrap_future(self._connection))
            js = client.jetstream(timeout=PUBLISH_SECONDS)
            async with Standby(client, namespace, pod_uid, js) as standby:
                return await standby.next()

        return self._thread.run(wait())

    async def _connect(self) -> Any:
        from celeriac._lasting import LastingClient  # noqa: PLC0415 -- it takes a while, which this thread has

        client = LastingClient()
        await client.connect(**connect_arguments(self._options), error_cb=self._remember, name="celeriac-runner")
        self._client = client
        if self._unsent is not None:
            await client.publish(*self._unsent)
        return client

    async def _remember(self, error: Exception) -> None:
        self._trouble = type(error).__name__

    async def _publish(self, subject: str, data: bytes) -> None:
        if self._client is None:
            self._unsent = subject, data
        elif self._client.is_connected:
            await self._client.publish(subject, data)

    def _call(self, deed: Callable[[Any], Awaitable[T]], timeout: float) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(timeout):
                client = await asyncio.shield(asyncio.wrap_future(self._connection))
                return await deed(client.jetstream(timeout=PUBLISH_SECONDS))

        try:
            return self._thread.run(bounded())
        except LookupError:
            raise
        except Exception as error:  # whatever goes wrong with NATS, the attempt goes on without
            raise BusDown(f"NATS cannot be used: {self._detail(error)}") from None

    def _detail(self, error: Exception) -> str:
        """What went wrong; texts of NATS are left out, as they can hold what was sent."""
        if isinstance(error, ImportError):
            return f"{error}; install celeriac[nats] in the image"
        return self._trouble if isinstance(error, TimeoutError) else type(error).__name__


async def create_record(js: Any, key: str, data: bytes) -> bytes | None:
    """Publish as KV's create does, without the look at the bucket that nats-py takes first.

    A key that was deleted stays deleted: its attempt is over and its record was collected.
    """
    return await put_against(js, key, data, 0)


async def put_against(js: Any, key: str, data: bytes, revision: int) -> bytes | None:
    """Write where the key has that revision (0: none yet); what is there else, empty where that is nothing.

    It takes as long as it takes. Whether a write was stored whose answer was lost, the next try tells, and it needs to
    see what it was refused for: the copy of the bucket that is asked may be behind.
    """
    from nats.js.errors import BadRequestError  # noqa: PLC0415 -- imported with the connection

    headers = {"Nats-Expected-Last-Subject-Sequence": str(revision)}
    while True:
        try:
            await js.publish(f"$KV.{RESULTS_BUCKET}.{key}", data, headers=headers)
        except BadRequestError as error:
            if error.err_code not in WRONG_LAST_SEQUENCE:
                raise
            there = _revision_there(error.description or "")
            found = await last_record(js, key)
            if there is not None and there <= (0 if found is None else found.revision):
                return b"" if found is None else found.data
            await asyncio.sleep(BEHIND_SECONDS)
        except TimeoutError:  # of nats-py too
            continue
        else:
            return None


def _revision_there(refusal: str) -> int | None:
    """The revision that the key has, as the server says it; None: another write is not through yet."""
    number = refusal.rpartition(" ")[2]
    return int(number) if number.isdecimal() else None


async def last_record(js: Any, key: str) -> LastMessage | None:
    """What is under the key, with its revision; None where there is nothing."""
    from celeriac._last_message import last_message  # noqa: PLC0415 -- as above

    return await last_message(js, f"KV_{RESULTS_BUCKET}", f"$KV.{RESULTS_BUCKET}.{key}")


async def read_record(js: Any, key: str) -> bytes | None:
    """What is under the key; None where there is nothing."""
    found = await last_record(js, key)
    return None if found is None else found.data


async def put_object(js: Any, name: str, data: bytes) -> None:
    from celeriac import _objects  # noqa: PLC0415 -- as above

    await _objects.put(js, name, data)


async def get_object(js: Any, name: str) -> bytes:
    from celeriac import _objects  # noqa: PLC0415 -- as above

    try:
        return await _objects.get(js, name)
    except _objects.ObjectLost:
        raise LookupError(name) from None
