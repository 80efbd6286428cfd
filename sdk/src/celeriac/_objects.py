"""Objects in the bucket of large values, under subjects of their namespace: users can be limited to theirs.

The descriptions are those of NATS' own object store. Its subjects do not say whose an object is, it empties subjects,
and it reads by consumers, which deliver wherever they are told to: no user can have these rights in one namespace only.
So each chunk has a subject of its own here, and is read by it; what is replaced is the operator's to remove.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nats.js import JetStreamContext

from celeriac._last_message import last_message
from celeriac.wire.names import PAYLOADS_BUCKET, PAYLOADS_STREAM, chunk_subject, object_subject

CHUNK_BYTES = 128 * 1024
TOGETHER = 8
"""So many chunks are on their way at once."""
MOST_CHUNKS = 1024


class ObjectLost(Exception):  # noqa: N818 -- what happened
    """There is no such object, or not all of it."""


@dataclass(frozen=True, slots=True)
class Description:
    """An object, but for what is in it."""

    name: str
    nuid: str
    """Which put it is of."""
    size: int
    chunks: int
    digest: str
    """``sha256:<hex>``."""
    modified: datetime


async def put(js: JetStreamContext, name: str, data: bytes) -> None:
    """Store the object, in the place of one of that name."""
    namespace, nuid = _namespace(name), secrets.token_hex(11)
    chunks = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
    for start in range(0, len(chunks), TOGETHER):
        group = enumerate(chunks[start : start + TOGETHER], start)
        await asyncio.gather(*(js.publish(chunk_subject(namespace, nuid, n), chunk) for n, chunk in group))
    description = {
        "name": name,
        "bucket": PAYLOADS_BUCKET,
        "nuid": nuid,
        "size": len(data),
        "chunks": len(chunks),
        "mtime": datetime.now(UTC).isoformat(),
        "digest": f"SHA-256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()}",
    }
    await js.publish(object_subject(name), json.dumps(description).encode())


async def describe(js: JetStreamContext, name: str) -> Description:
    """The object's description. Raises ObjectLost."""
    found = await _last(js, object_subject(name))
    try:
        return _description(name, json.loads(found))
    except (ValueError, KeyError, TypeError):
        raise ObjectLost(f"{name} has no description that can be read") from None


async def fetch(js: JetStreamContext, found: Description) -> bytes:
    """What is in the object. Raises ObjectLost."""
    namespace, parts = _namespace(found.name), list[bytes]()
    for start in range(0, found.chunks, TOGETHER):
        numbers = range(start, min(start + TOGETHER, found.chunks))
        parts += await asyncio.gather(*(_last(js, chunk_subject(namespace, found.nuid, n)) for n in numbers))
    return b"".join(parts)


async def get(js: JetStreamContext, name: str) -> bytes:
    """The object. Raises ObjectLost."""
    return await fetch(js, await describe(js, name))


def _description(name: str, raw: Any) -> Description:
    digest = base64.urlsafe_b64decode(raw["digest"].removeprefix("SHA-256=")).hex()
    size, chunks = int(raw["size"]), int(raw["chunks"])
    if not (raw["nuid"].isalnum() and 0 <= chunks <= MOST_CHUNKS and size <= chunks * CHUNK_BYTES):
        raise ValueError(name)
    return Description(name, raw["nuid"], size, chunks, f"sha256:{digest}", datetime.fromisoformat(raw["mtime"]))


async def _last(js: JetStreamContext, subject: str) -> bytes:
    found = await last_message(js, PAYLOADS_STREAM, subject)
    if found is None:
        raise ObjectLost(f"there is nothing at {subject}")
    return found.data


def _namespace(name: str) -> str:
    return name.partition(".")[0]
