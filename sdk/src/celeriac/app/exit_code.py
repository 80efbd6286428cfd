"""Exit codes: how the function's process tells the operator what may be tried again, which needs no NATS."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the runner's exit code means."""

    SUCCEEDED = 0
    RAISED = 1
    """The function raised; it may run again."""
    USAGE = 2
    """The runner was not called as it should be."""
    RAISED_FINALLY = 100
    """The function raised what its ``retry`` says not to try again after."""
    INVALID = 101
    """The params do not fit the function, or what it returned does not fit its annotation."""
    GIVEN_UP = 102
    """The outcome was not recorded: the operator had given the attempt up, or it is another pod's."""
    STOPPED = 128 + 15
    """SIGTERM ended it: why, the operator knows."""
