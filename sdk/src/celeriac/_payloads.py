"""Large params and results in NATS' object store, known by reference and checked by digest."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext

from celeriac import _objects, errors
from celeriac._bucket import no_bucket
from celeriac._nats import ANSWER_SECONDS, Nats
from celeriac._nats_refusals import is_full
from celeriac.api.v1alpha1 import ResultRef
from celeriac.wire.names import PAYLOADS_BUCKET, PAYLOADS_STREAM, object_subject

MAX_RESULT_BYTES = 64 * 1024 * 1024
"""A larger result is not fetched: it would be read into memory."""
FETCH_SECONDS = 60.0
YOUNG = timedelta(minutes=30)
"""An object that nothing names is collected when it is an hour old; half of it is for clocks that differ."""


class PayloadLost(Exception):  # noqa: N818 -- what happened; the door knows the task that it is about
    """The object is not there, or is not what the reference says."""


class Payloads:
    """The object store."""

    def __init__(self, connection: Nats) -> None:
        self._connection = connection
        self._checked: Client | None = None

    async def put(self, ref: ResultRef, data: bytes) -> None:
        """Store the data under the reference's key, which has the digest in it, unless it was stored just now.

        What is older is stored anew: it may be about to be collected. Raises QueueFull: the store is full.
        """

        async def write(client: Client) -> None:
            js = await self._open(client)
            if await _has(js, ref):
                return
            try:
                await _objects.put(js, ref.key, data)
            except nats.js.errors.ServiceUnavailableError as error:
                if not is_full(error.code or 0, error.err_code or 0, error.description or ""):
                    raise
                raise errors.QueueFull(
                    f"NATS' object store {ref.bucket} is full ({error.description}): nothing was submitted. Pass less, "
                    "or submit again when tasks with large params have gone."
                ) from error

        await self._connection.call(write, _read_subject(ref))

    async def fetch(self, ref: ResultRef) -> bytes:
        """The data. Raises PayloadLost."""
        if ref.bucket != PAYLOADS_BUCKET or not 0 <= ref.size <= MAX_RESULT_BYTES:
            raise PayloadLost(f"it is said to be {ref.size:,} bytes in {ref.bucket}, which are not fetched")

        async def read(client: Client) -> bytes:
            js = await self._open(client)
            try:
                async with asyncio.timeout(FETCH_SECONDS):
                    if (found := await _objects.describe(js, ref.key)).size != ref.size:
                        raise PayloadLost(f"it has {found.size:,} bytes instead of {ref.size:,}")
                    return await _objects.fetch(js, found)
            except _objects.ObjectLost:
                raise PayloadLost("it is not there any more") from None
            except TimeoutError as error:
                raise nats.errors.TimeoutError from error

        data = await self._connection.call(read, _read_subject(ref))
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != ref.digest:
            raise PayloadLost("its digest is another")
        return data

    async def _open(self, client: Client) -> JetStreamContext:
        js = client.jetstream(timeout=ANSWER_SECONDS)
        if self._checked is not client:
            try:
                await js.stream_info(PAYLOADS_STREAM)
            except nats.js.errors.NotFoundError:
                raise no_bucket(PAYLOADS_BUCKET) from None
            self._checked = client
        return js


def _read_subject(ref: ResultRef) -> str:
    """What a read publishes to, for the error of a user who may not."""
    return f"$JS.API.DIRECT.GET.{PAYLOADS_STREAM}.{object_subject(ref.key)}"


async def _has(js: JetStreamContext, ref: ResultRef) -> bool:
    """Is the object there, whole, and young enough to be left alone by whoever collects objects?"""
    try:
        found = await _objects.describe(js, ref.key)
    except _objects.ObjectLost:
        return False
    young = abs(datetime.now(UTC) - found.modified) < YOUNG
    return (found.size, found.digest) == (ref.size, ref.digest) and young
