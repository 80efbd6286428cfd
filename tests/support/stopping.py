"""SIGSTOP to a child, and not before it has come to rest: on a busy machine it goes on for a while."""

from __future__ import annotations

import os
import signal
import subprocess


def stop(process: subprocess.Popen[bytes]) -> None:
    """Have it do nothing at all, in none of its threads; one that has ended stays as it is."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
