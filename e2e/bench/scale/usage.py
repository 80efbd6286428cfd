"""What processes spend, as /proc tells it, and what is written to the API, as its server does. Parsing is pure."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.processes import read_stat
from e2e.support.metrics import parse

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
WRITTEN = ("tasks", "jobs", "pods", "events")
_WRITES = ("POST", "PUT", "PATCH", "DELETE", "APPLY")
_IDLE = (3, 4)  # idle and iowait in the first line of /proc/stat, its name not counted
_GUESTS = 8  # guest times follow; they are in user and nice already


@dataclass(frozen=True)
class Memory:
    """Resident memory of a process, in MiB."""

    now: float
    peak: float


@dataclass(frozen=True)
class Reading:
    """What was spent until a moment."""

    cpu: Mapping[str, float]
    """CPU seconds by process."""
    machine: float
    """CPU seconds of all processes of this machine, the kernel's own work included."""
    writes: float
    """API calls that change Tasks, Jobs, pods or Events, their subresources included."""


def read(pids: Mapping[str, int], api_metrics: str) -> Reading:
    """Read it now.

    Raises:
        LookupError: a process has ended.
    """
    cpu = {name: cpu_seconds(name, pid) for name, pid in pids.items()}
    return Reading(cpu, busy_seconds(Path("/proc/stat").read_text()), written(api_metrics))


def cpu_seconds(name: str, pid: int) -> float:
    """CPU time of a process so far."""
    stat = read_stat(pid)
    if stat is None:
        raise LookupError(f"{name} (pid {pid}) ended while it was measured: start anew.")
    return stat.cpu_ticks / TICKS_PER_SECOND


def memory(pid: int) -> Memory:
    """A process's memory now, and the most it ever had."""
    return parse_memory(Path(f"/proc/{pid}/status").read_text())


def parse_memory(status: str) -> Memory:
    """The memory in /proc/PID/status."""
    found = {name: int(kib) / 1024 for name, kib in re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", status, re.MULTILINE)}
    return Memory(found["VmRSS"], found["VmHWM"])


def busy_seconds(stat: str) -> float:
    """The time in /proc/stat that all CPUs together did not idle."""
    ticks = [int(word) for word in stat.splitlines()[0].split()[1 : 1 + _GUESTS]]
    return sum(each for place, each in enumerate(ticks) if place not in _IDLE) / TICKS_PER_SECOND


def written(api_metrics: str) -> float:
    """How many writes an API server has answered, whatever with; the rest of its metrics is not parsed, being large."""
    lines = (line for line in api_metrics.splitlines() if line.startswith("apiserver_request_total{"))
    samples = parse("\n".join([*lines, ""]))
    return sum(
        samples.total("apiserver_request_total", verb=verb, resource=resource)
        for verb in _WRITES
        for resource in WRITTEN
    )
