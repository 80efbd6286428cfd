"""How an attempt ended, in values and in words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from celeriac import CancelRequested, Retry, SoftDeadlineExceeded
from celeriac.app.exit_code import ExitCode
from celeriac.run.outcome import (
    Failed,
    Stopped,
    cut,
    cut_front,
    describe,
    invalid_params,
    invalid_result,
    of_exception,
)


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "retry", "stopped", "expected"),
    [
        pytest.param(SoftDeadlineExceeded("x"), True, False, 104, id="the soft deadline"),
        pytest.param(SoftDeadlineExceeded("x"), False, False, 105, id="the soft deadline, and it may not run again"),
        pytest.param(
            BaseExceptionGroup("x", [SoftDeadlineExceeded("x")]), True, False, 104, id="the soft deadline in a group"
        ),
        pytest.param(ValueError("x"), True, False, 1, id="it may run again"),
        pytest.param(ValueError("x"), False, False, 100, id="it may not"),
        pytest.param(SystemExit(42), True, False, 42, id="its own exit code"),
        pytest.param(SystemExit(), True, False, 1, id="leaving is no success"),
        pytest.param(SystemExit("text"), True, False, 1, id="leaving with a text"),
        pytest.param(SystemExit(100), True, False, 1, id="a code that means something else here"),
        pytest.param(CancelRequested("x"), True, False, None, id="SIGTERM's own exception"),
        pytest.param(ValueError("x"), True, True, None, id="anything after SIGTERM"),
    ],
)
def test_of_exception(error: BaseException, retry: bool, stopped: bool, expected: int | None) -> None:
    outcome = of_exception(raised(error), retry=retry, stopped=stopped)
    if expected is None:
        assert isinstance(outcome, Stopped)
    else:
        assert isinstance(outcome, Failed)
        failure = "RunDeadlineExceeded" if expected in (104, 105) else "AppError"
        assert (failure, expected) == (outcome.failure, outcome.exit_code)


@pytest.mark.parametrize(
    ("error", "limited", "expected"),
    [
        pytest.param(MemoryError(), True, "OOMKilled", id="beyond its share of the pod's memory"),
        pytest.param(
            ExceptionGroup("", [KeyError("x"), MemoryError()]), True, "OOMKilled", id="the same, in a task group"
        ),
        pytest.param(MemoryError(), False, "AppError", id="without a share"),
    ],
)
def test_to_be_out_of_memory(error: BaseException, limited: bool, expected: str) -> None:
    outcome = of_exception(raised(error), retry=True, stopped=False, limited=limited)
    assert isinstance(outcome, Failed)
    assert outcome.failure == expected


@pytest.mark.parametrize("text", ["short", "é" * 9000, "x\n" * 9000, "\ud800" * 10])
def test_a_description_fits_and_begins_with_the_error(text: str) -> None:
    described = describe(raised(ValueError(text)))
    assert len(described.encode()) <= 4000
    assert described.startswith("ValueError: ")
    assert "Traceback" in described or "…" in described


@pytest.mark.parametrize(
    ("make", "code"), [(invalid_params, ExitCode.INVALID), (invalid_result, ExitCode.RESULT_INVALID)]
)
def test_what_is_invalid_is_told_in_a_message_that_fits(make: Callable[[str], Failed], code: ExitCode) -> None:
    outcome = make("é" * 9000)
    assert len(outcome.message.encode()) <= 4000
    assert code == outcome.exit_code


@pytest.mark.parametrize(
    ("retry_for", "dont_retry_for", "error", "expected"),
    [
        pytest.param((), (), ValueError(), True, id="all exceptions"),
        pytest.param((OSError,), (), ConnectionError(), True, id="one of its kind"),
        pytest.param((OSError,), (), ValueError(), False, id="one of another kind"),
        pytest.param((), (ValueError,), ValueError(), False, id="one that is not to be tried again"),
        pytest.param((OSError,), (ConnectionError,), ConnectionError(), False, id="dont_retry_for goes first"),
        pytest.param((OSError,), (), ExceptionGroup("", [OSError()]), True, id="a group of such exceptions"),
        pytest.param((OSError,), (), ExceptionGroup("", [OSError(), KeyError()]), False, id="a group with another"),
        pytest.param(
            (), (KeyError,), ExceptionGroup("", [OSError(), KeyError()]), False, id="a group with a final one"
        ),
        pytest.param((OSError,), (), SoftDeadlineExceeded(), True, id="a deadline is no exception of the program's"),
        pytest.param((), (SoftDeadlineExceeded,), SoftDeadlineExceeded(), False, id="but where it is named"),
        pytest.param((ExceptionGroup,), (), ExceptionGroup("", [KeyError()]), True, id="groups of anything"),
    ],
)
def test_what_may_be_tried_again(
    retry_for: tuple[type[BaseException], ...],
    dont_retry_for: tuple[type[BaseException], ...],
    error: BaseException,
    expected: bool,
) -> None:
    assert expected is Retry(retry_for=retry_for, dont_retry_for=dont_retry_for).allows(error)


@pytest.mark.parametrize(
    ("text", "size", "front", "back"),
    [
        pytest.param("abc", 3, "abc", "abc", id="it fits"),
        pytest.param("abcdef", 5, "ab…", "…ef", id="it is cut"),
        pytest.param("ééé", 5, "é…", "…é", id="characters stay whole"),
    ],
)
def test_cut(text: str, size: int, front: str, back: str) -> None:
    assert (front, back) == (cut(text, size), cut_front(text, size))
