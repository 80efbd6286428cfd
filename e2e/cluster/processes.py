"""Daemons that outlive the command that started them, known by a pidfile that cannot mistake another process for ours.

A pid alone says little after a crash or a reboot: the kernel gives it to somebody else. So the pidfile also keeps the
process's start time and the boot it belongs to.
"""

import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Fields of /proc/PID/stat, counted from 1 as in proc(5).
_USER_TIME_FIELD = 14
_SYSTEM_TIME_FIELD = 15
_START_TIME_FIELD = 22


class Pidfile(BaseModel):
    """What identifies a process for good, and a digest of what it was started with."""

    pid: int
    start_ticks: int
    boot_id: str
    recipe: str = ""


@dataclass(frozen=True)
class Stat:
    """The part of /proc/PID/stat that we need."""

    state: str
    start_ticks: int
    cpu_ticks: int = 0
    """User and system time of all its threads, those that have ended included."""


def parse_stat(text: str) -> Stat:
    """Parse /proc/PID/stat, whose second field may itself have spaces and brackets."""
    fields = text[text.rindex(")") + 2 :].split()
    cpu = int(fields[_USER_TIME_FIELD - 3]) + int(fields[_SYSTEM_TIME_FIELD - 3])
    return Stat(state=fields[0], start_ticks=int(fields[_START_TIME_FIELD - 3]), cpu_ticks=cpu)


def read_stat(pid: int) -> Stat | None:
    """Return the state of a process, or None where there is none."""
    try:
        return parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None


def spawn(
    argv: Sequence[str], pidfile: Path, log: Path, *, recipe: str = "", env: Mapping[str, str] | None = None
) -> int:
    """Start a daemon in a session of its own, with its output in `log`, and return its pid."""
    pidfile.parent.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # Not subprocess.Popen: its object warns when it goes while the daemon, as wanted, lives on.
    pid = os.posix_spawnp(
        argv[0],
        list(argv),
        {**os.environ, **(env or {})},
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
    write_pidfile(pidfile, pid, recipe)
    return pid


def write_pidfile(pidfile: Path, pid: int, recipe: str = "") -> None:
    stat = read_stat(pid)
    start_ticks = stat.start_ticks if stat is not None else 0
    known = Pidfile(pid=pid, start_ticks=start_ticks, boot_id=_boot_id(), recipe=recipe)
    partial = pidfile.with_suffix(".new")
    partial.write_text(known.model_dump_json())
    partial.replace(pidfile)


def read_pidfile(pidfile: Path) -> Pidfile | None:
    try:
        return Pidfile.model_validate_json(pidfile.read_text())
    except (FileNotFoundError, ValidationError):
        return None


def running_pid(pidfile: Path) -> int | None:
    """Return the pid of the daemon if that very process is still alive."""
    known = read_pidfile(pidfile)
    if known is None or known.boot_id != _boot_id():
        return None
    _reap(known.pid)
    stat = read_stat(known.pid)
    alive = stat is not None and stat.start_ticks == known.start_ticks and stat.state not in "ZX"
    return known.pid if alive else None


def age_seconds(pid: int) -> float:
    """Tell for how long a process has been running."""
    stat = read_stat(pid)
    if stat is None:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - stat.start_ticks / os.sysconf("SC_CLK_TCK")


def terminate(pidfile: Path, sig: signal.Signals = signal.SIGTERM, grace_seconds: float = 5.0) -> None:
    """End the daemon of this pidfile: `sig` first, SIGKILL after the grace period."""
    pid = running_pid(pidfile)
    if pid is not None:
        send(pid, sig)
        if not _wait_gone(pidfile, grace_seconds):
            send(pid, signal.SIGKILL)
            _wait_gone(pidfile, grace_seconds)
    pidfile.unlink(missing_ok=True)


def send(pid: int, sig: signal.Signals) -> None:
    """Signal a process that may have gone meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sig)


def _wait_gone(pidfile: Path, seconds: float) -> bool:
    alive = retry_if_result(lambda pid: pid is not None)
    try:
        Retrying(retry=alive, stop=stop_after_delay(seconds), wait=wait_fixed(0.02))(running_pid, pidfile)
    except RetryError:
        return False
    return True


def _reap(pid: int) -> None:
    # In a long-lived caller (a test run) a killed daemon stays as its zombie child until somebody asks.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip()
