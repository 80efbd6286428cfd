"""How much memory a task of a worker may use, and whether the kernel has killed for lack of it."""

from __future__ import annotations

import resource
from pathlib import Path

LEAST = 16 * 1024 * 1024
_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
"""Of cgroup v2 and v1; both have a line ``oom_kill <number>``."""


def share(limit: int, slots: int) -> int:
    """Bytes for each task: what is left of the pod's limit beside this process, in equal parts."""
    return max((limit - _of_status("VmRSS")) // slots, LEAST)


def limit_to(size: int) -> None:
    """This process gets so many bytes more than it has, and no more: an allocation beyond fails."""
    most = _of_status("VmData") + size
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def kills() -> int:
    """How many processes of the container the kernel has killed for lack of memory; 0 where it does not say."""
    for path in _COUNTERS:
        try:
            lines = dict(line.split(None, 1) for line in Path(path).read_text().splitlines())
            return int(lines["oom_kill"])
        except (OSError, ValueError, KeyError):
            continue
    return 0


def _of_status(name: str) -> int:
    """A figure of this process in bytes; 0 where there is no such file, as on a Mac."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)
