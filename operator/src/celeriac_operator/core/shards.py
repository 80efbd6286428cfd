"""Which shard a namespace belongs to, by rendezvous hashing: another number of shards moves few namespaces. Pure."""

from __future__ import annotations

import functools
import hashlib


@functools.lru_cache(maxsize=65_536)
def shard_of(namespace: str, shards: int) -> int:
    """The shard of a namespace, from 0: the one whose hash with it is the highest; every process finds the same."""
    return max(range(shards), key=lambda shard: hashlib.sha256(f"{namespace}/{shard}".encode()).digest())
