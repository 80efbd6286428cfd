"""Large params and results in NATS' object store, known by reference and checked by digest."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from datetime import UTC, datetime, timedelta

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js.object_store import ObjectStore

from celeriac import errors
from celeriac._bucket import no_bucket
from celeriac._nats import ANSWER_SECONDS, Nats
from celeriac._nats_refusals import is_full
from celeriac._task import parse_time
from celeriac.api.v1alpha1 import ResultRef
from celeriac.wire.names import PAYLOADS_BUCKET

MAX_RESULT_BYTES = 64 * 1024 * 1024
"""A larger result is not fetched: it would be read into memory."""
FETCH_SECONDS = 60.0
YOUNG = timedelta(minutes=30)
"""An object that nothing names is collected when it is an hour old; half of it is for clocks that differ."""
_SUBJECT = f"$O.{PAYLOADS_BUCKET}"


class PayloadLost(Exception):  # noqa: N818 -- what happened; the door knows the task that it is about
    """The object is not there, or is not what the reference says."""


class Payloads:
    """The object store."""

    def __init__(self, connection: Nats) -> None:
        self._connection = connection
        self._store: tuple[Client, ObjectStore] | None = None

    async def put(self, ref: ResultRef, data: bytes) -> None:
        """Store the data under the reference's key, which has the digest in it, unless it was stored just now.

        What is older is stored anew: it may be about to be collected. Raises QueueFull: the store is full.
        """

        async def write(client: Client) -> None:
            store = await self._open(client)
            if await _has(store, ref):
                return
            try:
                await store.put(ref.key, data)
            except nats.errors.TimeoutError:
                if not await _has(store, ref):  # it is there, and what it replaced is not this user's to purge
                    raise
            except nats.js.errors.ServiceUnavailableError as error:
                if not is_full(error.code or 0, error.err_code or 0, error.description or ""):
                    raise
                raise errors.QueueFull(
                    f"NATS' object store {ref.bucket} is full ({error.description}): nothing was submitted. Pass less, "
                    "or submit again when tasks with large params have gone."
                ) from error

        await self._connection.call(write, f"{_SUBJECT}.")

    async def fetch(self, ref: ResultRef) -> bytes:
        """The data. Raises PayloadLost."""
        if ref.bucket != PAYLOADS_BUCKET or not 0 <= ref.size <= MAX_RESULT_BYTES:
            raise PayloadLost(f"it is said to be {ref.size:,} bytes in {ref.bucket}, which are not fetched")

        async def read(client: Client) -> bytes:
            store = await self._open(client)
            try:
                async with asyncio.timeout(FETCH_SECONDS):
                    if (info := await store.get_info(ref.key)).size != ref.size:
                        raise PayloadLost(f"it has {info.size:,} bytes instead of {ref.size:,}")
                    return (await store.get(ref.key)).data or b""
            except nats.js.errors.NotFoundError:
                raise PayloadLost("it is not there any more") from None
            except TimeoutError as error:
                raise nats.errors.TimeoutError from error

        data = await self._connection.call(read, f"$JS.API.STREAM.MSG.GET.OBJ_{PAYLOADS_BUCKET}")
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != ref.digest:
            raise PayloadLost("its digest is another")
        return data

    async def _open(self, client: Client) -> ObjectStore:
        if self._store is None or self._store[0] is not client:
            try:
                store = await client.jetstream(timeout=ANSWER_SECONDS).object_store(PAYLOADS_BUCKET)
            except nats.js.errors.NotFoundError:
                raise no_bucket(PAYLOADS_BUCKET) from None
            self._store = (client, store)
        return self._store[1]


async def _has(store: ObjectStore, ref: ResultRef) -> bool:
    """Is the object there, whole, and young enough to be left alone by whoever collects objects?"""
    try:
        info = await store.get_info(ref.key)
    except nats.js.errors.NotFoundError:
        return False
    stored = base64.urlsafe_b64decode((info.digest or "").removeprefix("SHA-256="))
    age = datetime.now(UTC) - parse_time(info.mtime or "1970-01-01T00:00:00Z")
    return info.size == ref.size and f"sha256:{stored.hex()}" == ref.digest and abs(age) < YOUNG
