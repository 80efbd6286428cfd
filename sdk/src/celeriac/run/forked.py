"""An attempt in a process of its own, forked from a worker: what the child does, and what the parent sees of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import ForkProcess

from celeriac.run import container_log, memory
from celeriac.run.environment import SHARE, Environment, read_environment
from celeriac.run.parent import Parent

SIGNALS = (signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD)
Run = Callable[[Environment, Parent], None]
"""Runs the attempt in its process, calls ``listen`` once it can be stopped, and leaves with SystemExit."""


@dataclass(frozen=True)
class Forked:
    """A process, as its parent has it."""

    process: ForkProcess
    link: socket.socket
    output: int
    """Where its standard output and error can be read, without blocking."""

    @property
    def pid(self) -> int:
        """It leads a process group of this number."""
        assert self.process.pid is not None  # noqa: S101 -- it was started
        return self.process.pid

    def close(self) -> None:
        """Let go of what the parent has."""
        self.link.close()
        os.close(self.output)


def fork(run: Run, env: Mapping[str, str], size: int | None) -> Forked:
    """Start the process.

    Args:
        env: variables of the attempt.
        size: bytes of memory that it may take; None: no limit of its own.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    reads, writes = os.pipe()
    own = {**env, SHARE: "" if size is None else str(size)}
    container_log.flush()  # or the child has it, too
    process = multiprocessing.get_context("fork").Process(target=_child, args=(run, own, theirs, writes, size))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the child has handlers of its own
    process.start()
    with suppress(OSError):  # the child does the same; who comes first is not known
        os.setpgid(process.pid or 0, process.pid or 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    os.close(writes)
    os.set_blocking(reads, False)
    ours.setblocking(False)
    return Forked(process, ours, reads)


def _child(run: Run, env: Mapping[str, str], link: socket.socket, output: int, size: int | None) -> None:
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)  # the parent's event loop is not ours
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    os.environ.update(env)
    os.environ.pop("CELERIAC_RESULT_FILE", None)  # the pod's one is nobody's
    if size is not None:
        memory.limit_to(size)
    run(read_environment(os.environ), Parent(link))


def listen() -> None:
    """Take in the signals that came meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
