"""What an attempt takes: time, processor time and memory, by two system calls and one small file."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path

PEAK = Path("/sys/fs/cgroup/memory.peak")
"""The container's own, where the kernel keeps it (cgroup v2, Linux 5.19)."""
_KIB = 1024


@dataclass(frozen=True)
class Mark:
    """How far the clocks were when an attempt began: a pod that waited has run before."""

    wall: float
    cpu: float


def mark() -> Mark:
    """Now."""
    return Mark(time.monotonic(), _cpu())


def since(begin: Mark) -> dict[str, int]:
    """A Usage as it is on the wire: what was taken since then, and the most memory that there ever was."""
    return {
        "runMilliseconds": round((time.monotonic() - begin.wall) * 1000),
        "cpuMilliseconds": round((_cpu() - begin.cpu) * 1000),
        "memoryBytes": _peak(),
    }


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def _peak() -> int:
    try:
        return int(PEAK.read_text())
    except (OSError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
