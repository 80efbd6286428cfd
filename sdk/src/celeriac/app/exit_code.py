"""Exit codes: how the function's process tells the operator what may be tried again, which needs no NATS."""

from __future__ import annotations

from collections.abc import Mapping
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
    """The params do not fit the function."""
    GIVEN_UP = 102
    """The outcome was not recorded: the operator had given the attempt up, or it is another pod's."""
    RESULT_INVALID = 103
    """What the function returned does not fit its annotation, or cannot be kept."""
    OUT_OF_TIME = 104
    """SoftDeadlineExceeded ended the function; it may run again."""
    OUT_OF_TIME_FINALLY = 105
    """SoftDeadlineExceeded ended the function, and its ``retry`` says not to try again after that."""
    STOPPED = 128 + 15
    """SIGTERM ended it: why, the operator knows."""


FINAL = (ExitCode.RAISED_FINALLY, ExitCode.INVALID, ExitCode.OUT_OF_TIME_FINALLY)
"""After these no attempt follows, whatever other rules say."""

FAILURES: Mapping[int, str] = {
    ExitCode.RESULT_INVALID: "ResultInvalid",
    ExitCode.OUT_OF_TIME: "RunDeadlineExceeded",
    ExitCode.OUT_OF_TIME_FINALLY: "RunDeadlineExceeded",
}
"""What an exit code of the runner means as ``attempts[].failure``, where it is not AppError."""
