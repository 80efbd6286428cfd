"""Ports on loopback for servers of tests, where many processes run tests beside each other.

A server that is killed keeps its port until it is started again, so nobody else may be given it meanwhile: every
process takes a block for itself, and all are below those that the kernel gives to outgoing connections.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from functools import cache

_BLOCK = 100
_STARTS = range(20_000, 30_000, _BLOCK)


def free_port() -> int:
    """A port that nothing listens on, of this process' block."""
    return next(port for port in _block() if _is_free(port))


@cache
def _block() -> Iterator[int]:
    start = next(start for start in _STARTS if _claim(start))
    return itertools.cycle(range(start, start + _BLOCK))


def _claim(start: int) -> bool:
    """Hold the block until this process ends: by its first port of UDP, which none of the servers speaks."""
    claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        claim.bind(("127.0.0.1", start))
    except OSError:
        claim.close()
        return False
    claim.detach()
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
