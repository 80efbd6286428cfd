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
    """Kill a session; whether there was none any more."""
    with contextlib.suppress(PermissionError):
        try:
            os.killpg(session, signal.SIGKILL)
        except ProcessLookupError:
            return True
    return False


def main(directory: str) -> None:
    """Wait for the end of standard input, then leave nothing behind."""
    sessions = left_over(sys.stdin)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not all(list(map(end, sessions))) and time.monotonic() < deadline:
        time.sleep(0.02)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
