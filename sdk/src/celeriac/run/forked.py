"""An attempt in a process of its own, forked for it: what that does from its first line to its last."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NoReturn

from celeriac.run import container_log, memory
from celeriac.run.environment import SHARE, Environment
from celeriac.run.parent import Parent

SIGNALS = (signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD)
Run = Callable[[Environment, Parent], None]
"""Runs the attempt in its process, calls ``listen`` once it can be stopped, and leaves with SystemExit."""


def fork(
    run: Run,
    env: Mapping[str, str],
    environment: Environment,
    size: int | None,
    link: socket.socket,
    output: int,
    let_go: Callable[[], None],
) -> int:
    """Start the process. Returns its number; it leads a process group.

    Args:
        env: variables of the attempt.
        environment: what they say.
        size: bytes of memory that it may take; None: no limit of its own.
        link: to its worker.
        output: where it writes what the function prints.
        let_go: closes what it has of its parent's.

    Raises:
        OSError: the pod may have no more processes, or there is no memory for one.
    """
    own = {**env, SHARE: "" if size is None else str(size)}
    container_log.flush()  # or the child has it, too
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the child has handlers of its own
    try:
        pid = os.fork()  # multiprocessing would do as much again in the child before it begins
        if pid == 0:
            _to_its_end(lambda: _child(run, own, environment, link, output, size, let_go))
        with suppress(OSError):  # the child does the same; who comes first is not known
            os.setpgid(pid, pid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _to_its_end(child: Callable[[], None]) -> NoReturn:
    """Never back into the parent's code, nor into its exit handlers, which may undo what the parent goes on to use."""
    code = 1
    try:
        child()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    try:
        _wait_for_others()
    finally:
        container_log.flush_at_last()
        os._exit(code)


def _wait_for_others() -> None:
    """Processes of multiprocessing and threads that the function has left, as Python does where a process ends."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util._exit_function()
    threading._shutdown()  # type: ignore[attr-defined]


def _child(
    run: Run,
    env: Mapping[str, str],
    environment: Environment,
    link: socket.socket,
    output: int,
    size: int | None,
    let_go: Callable[[], None],
) -> None:
    os.setpgid(0, 0)
    let_go()
    _forget_children()
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    os.environ.update(env)
    os.environ.pop("CELERIAC_RESULT_FILE", None)  # the pod's one is nobody's
    if size is not None:
        memory.limit_to(size)
    run(environment.begun(limited=size is not None), Parent(link))


def _forget_children() -> None:
    """Processes of multiprocessing that the module began on import are not ours: at our end they would be stopped."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None:
        process._children.clear()


def listen() -> None:
    """Take in the signals that came meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
