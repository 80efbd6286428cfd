"""Processor time of the processes of this machine, by what they are: where the time of a benchmark goes."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

PARTS = {
    "API server": lambda line: line.startswith("kube-apiserver") or "/kube-apiserver " in line,
    "etcd": lambda line: "/etcd " in line,
    "nats-server": lambda line: "nats-server " in line,
    "operator": lambda line: "-m celeriac_operator" in line,
    "workers, with the processes of their tasks": lambda line: "-m celeriac.run" in line,
}
"""What a process is, by its command line."""

Read = Callable[[], Mapping[int, tuple[str, float]]]


def of_machine() -> dict[int, tuple[str, float]]:
    """Command lines and seconds of all processes, those of children that have ended included."""
    found = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            found[int(path.name)] = line, sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return found


def spent(before: Mapping[int, tuple[str, float]], after: Mapping[int, tuple[str, float]]) -> dict[str, float]:
    """Seconds of each part between two looks, and of this process."""
    took = {pid: seconds - before.get(pid, (line, 0.0))[1] for pid, (line, seconds) in after.items()}
    parts = {
        name: sum(took[pid] for pid, (line, _) in after.items() if pid in before and belongs(line))
        for name, belongs in PARTS.items()
    }
    return {**parts, "client": took.get(os.getpid(), 0.0)}
