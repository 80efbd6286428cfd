"""How an attempt ended, as values, and in words. Pure."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celeriac.app.exit_code import FAILURES, ExitCode
from celeriac.app.interruptions import CancelRequested, SoftDeadlineExceeded

MAX_MESSAGE_BYTES = 4000
"""Of a failure: less than both a termination message (4,095 bytes) and a record's message (4,096 characters) hold."""
SIGKILLED = 128 + 9
"""Exit code of what is killed for lack of memory."""
_LONGEST_HEAD = 1200
_PACKAGE = str(Path(__file__).parent.parent)


@dataclass(frozen=True)
class Succeeded:
    """The function returned."""

    value: Any
    """JSON."""


@dataclass(frozen=True)
class Failed:
    """The attempt failed."""

    failure: str
    """As ``attempts[].failure`` says it."""
    exit_code: int
    message: str
    """Plain text; of an exception its type and text, then the end of its traceback."""


@dataclass(frozen=True)
class Stopped:
    """SIGTERM ended it. Why, the operator knows better (a cancel, a deadline, an eviction), so nothing is recorded."""

    message: str


Outcome = Succeeded | Failed | Stopped


def of_exception(error: BaseException, *, retry: bool, stopped: bool, limited: bool = False) -> Failed | Stopped:
    """What an exception of the function comes to.

    Args:
        retry: whether the function's policy lets it run again.
        stopped: SIGTERM had come before.
        limited: the process may take a share of its pod's memory only: to be out of it is as if it were killed.
    """
    message = describe(error)
    if stopped or isinstance(error, CancelRequested):
        return Stopped(message)
    if limited and _is_or_has(error, MemoryError):
        return Failed("OOMKilled", SIGKILLED, cut(f"It used more memory than its share: {message}", MAX_MESSAGE_BYTES))
    if isinstance(error, SystemExit):
        return _failed(_exit_code(error), message)
    if _is_or_has(error, SoftDeadlineExceeded):
        return _failed(ExitCode.OUT_OF_TIME if retry else ExitCode.OUT_OF_TIME_FINALLY, message)
    return _failed(ExitCode.RAISED if retry else ExitCode.RAISED_FINALLY, message)


def invalid_params(message: str) -> Failed:
    """The params do not fit the function: no retry helps."""
    return _failed(ExitCode.INVALID, cut(f"InvalidParams: {message}", MAX_MESSAGE_BYTES))


def invalid_result(message: str) -> Failed:
    """What the function returned is not what it says that it returns, or cannot be kept."""
    return _failed(ExitCode.RESULT_INVALID, cut(f"ResultInvalid: {message}", MAX_MESSAGE_BYTES))


def _is_or_has(error: BaseException, kind: type[BaseException]) -> bool:
    """A task group makes a group of what it is interrupted by."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(kind) is not None
    return isinstance(error, kind)


def _failed(exit_code: int, message: str) -> Failed:
    """A failure whose class follows from the exit code, which is all that the operator has without NATS."""
    return Failed(FAILURES.get(exit_code, "AppError"), exit_code, message)


def describe(error: BaseException) -> str:
    """Type and text of an exception, then the end of its traceback, in at most 4,000 bytes."""
    head = cut("".join(traceback.format_exception_only(error)).strip(), _LONGEST_HEAD)
    rest = "".join(own_traceback(error)).strip()
    room = MAX_MESSAGE_BYTES - len(head.encode(errors="replace")) - 2
    return f"{head}\n\n{cut_front(rest, room)}"


def own_traceback(error: BaseException) -> Iterator[str]:
    """The traceback's text, without the runner's own frames above the function."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE) and trace.tb_next is not None:
        trace = trace.tb_next
    yield from traceback.format_exception(type(error), error, trace)


def cut(text: str, size: int) -> str:
    """At most so many bytes of the text, from its beginning, and whole characters."""
    data = text.encode(errors="replace")
    return data.decode() if len(data) <= size else data[: size - 3].decode(errors="ignore") + "…"


def cut_front(text: str, size: int) -> str:
    """At most so many bytes of the text, from its end, and whole characters."""
    data = text.encode(errors="replace")
    return data.decode() if len(data) <= size else "…" + data[-(size - 3) :].decode(errors="ignore")


def _exit_code(error: SystemExit) -> int:
    """The function's own code where retry rules may want it and it is none of ours; leaving is never success."""
    code = error.code
    return code if isinstance(code, int) and 0 < code < ExitCode.RAISED_FINALLY else ExitCode.RAISED
