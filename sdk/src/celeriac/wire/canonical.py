"""One spelling of a JSON value, and its digest."""

from __future__ import annotations

import hashlib
import json


def canonical_json(value: object) -> bytes:
    """One spelling of a JSON value: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: object) -> str:
    """The sha256 of a JSON value's canonical spelling."""
    return f"sha256:{hashlib.sha256(canonical_json(value)).hexdigest()}"
