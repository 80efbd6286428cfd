"""Ends what ``celeriac dev`` has started when that is gone, however it went: by SIGKILL too.

A process of its own, whose standard input comes from there and ends with it: ``+<session>`` for each process that has
begun, ``-<session>`` for each that has ended. It is run as a file, with the standard library alone, so that it is there
at once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

PATIENCE_SECONDS = 10.0


def left_over(lines: Iterable[str]) -> set[int]:
    """The sessions that had not ended when the lines did."""
    sessions: set[int] = set()
    for line in lines:
        session = int(line[1:])
        if line.startswith("+"):
            sessions.add(session)
        else:
            sessions.discard(session)
    return sessions


def end(session: int) -> bool:
    """Kill a session, with the groups that its processes have made, as a worker's tasks do; whether none was left."""
    members = alive(session)
    for pid in members:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(PermissionError):
        try:
            os.killpg(session, signal.SIGKILL)
        except ProcessLookupError:
            return not members
    return False


def alive(session: int) -> list[int]:
    """The processes of a session that have not ended, where the kernel has files of them."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, _, rest = file.read_text(errors="replace").partition(" ")
            state, _parent, _group, of = rest.rpartition(")")[2].split()[:4]
            if int(of) == session and state != "Z":
                found.append(int(pid))
    return found


def main(directory: str) -> None:
    """Wait for the end of standard input, then leave nothing behind."""
    sessions = left_over(sys.stdin)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not all(list(map(end, sessions))) and time.monotonic() < deadline:
        time.sleep(0.02)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
