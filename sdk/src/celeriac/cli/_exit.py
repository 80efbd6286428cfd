"""Exit codes, which scripts rely on, and the one place that turns errors into them."""

from __future__ import annotations

from enum import IntEnum

from celeriac import errors


class ExitCode(IntEnum):
    """What the command's exit code means. ``run`` exits with the code of the task's process instead of 1."""

    OK = 0
    TASK_FAILED = 1
    USAGE = 2
    CLUSTER = 3
    TIMEOUT = 124
    INTERRUPTED = 130


HELP = (
    "Exit codes: 0 done; 1 a task did not succeed (run: the exit code of its process); "
    "2 wrong usage, or not found; 3 trouble with the cluster; 124 the timeout passed; 130 interrupted."
)

_CODES: tuple[tuple[type[errors.CeleriacError], ExitCode], ...] = (
    (errors.TimeoutError, ExitCode.TIMEOUT),
    (errors.TaskFailed, ExitCode.TASK_FAILED),
    (errors.TaskCancelled, ExitCode.TASK_FAILED),
    (errors.TaskExpired, ExitCode.TASK_FAILED),
    (errors.ConnectionFailed, ExitCode.CLUSTER),
    (errors.NotInstalled, ExitCode.CLUSTER),
    (errors.Forbidden, ExitCode.CLUSTER),
    (errors.QueueFull, ExitCode.CLUSTER),
)


def code_of(error: errors.CeleriacError) -> ExitCode:
    """The exit code for an error: USAGE where nothing else fits, because then the request was wrong."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.USAGE)
