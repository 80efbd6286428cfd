"""Names, keys and digests of tasks, and the annotations that carry them. Pure, so that they can be tested as tables."""

from __future__ import annotations

import hashlib
import os
import re
import time
import uuid

from celeriac.wire.canonical import canonical_json

RETRY_OF = "celeriac.dev/retry-of"
"""Annotation: the Task that this one runs again."""

IDEMPOTENCY_KEY = "celeriac.dev/idempotency-key"
"""Annotation: the key that the Task's name was derived from, for people."""

MAX_NAME = 63
_RETRY_SUFFIX = re.compile(r"-r([1-9][0-9]{0,5})$")


def uuid7(unix_ms: int, random: bytes) -> uuid.UUID:
    """A UUID of version 7 (RFC 9562): names made later sort later."""
    bits = int.from_bytes(random, "big") & ((1 << 80) - 1)
    value = (unix_ms & ((1 << 48) - 1)) << 80 | bits
    value = value & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def new_name() -> str:
    """A name that no other task has."""
    return str(uuid7(time.time_ns() // 1_000_000, os.urandom(10)))


def name_of_key(namespace: str, what: str, key: str) -> str:
    """The name of the one task that ``key`` stands for, among the tasks that run ``what`` in the namespace."""
    return "k-" + hashlib.sha256(canonical_json([namespace, what, key])).hexdigest()[:40]


def retry_name(name: str, retry_of: str | None, number: int) -> str:
    """The name of the ``number``-th retry of ``name``; a retry's own suffix is replaced, not added to."""
    base = _RETRY_SUFFIX.sub("", name) if retry_of else name
    suffix = f"-r{number}"
    return base[: MAX_NAME - len(suffix)].rstrip("-") + suffix


def retry_number(name: str, retry_of: str | None) -> int:
    """Which retry the task is: 0 for a first run."""
    found = _RETRY_SUFFIX.search(name) if retry_of else None
    return int(found.group(1)) if found else 0
