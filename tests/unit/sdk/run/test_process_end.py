"""What the end of a process says of an attempt that told nothing itself."""

from __future__ import annotations

import pytest

from celeriac.run.outcome import Failed, Outcome, Succeeded
from celeriac.run.process_end import of_process

CANCELLED = Failed("Cancelled", 143, "no longer needed")


@pytest.mark.parametrize(
    ("code", "ended_by", "out_of_memory", "failure", "exit_code", "begins"),
    [
        pytest.param(7, None, False, "AppError", 7, "The process ended with exit code 7", id="an exit code"),
        pytest.param(-11, None, False, "AppError", 139, "The process ended with exit code 139", id="a signal"),
        pytest.param(-9, None, False, "AppError", 137, "The process was killed", id="killed, nobody knows why"),
        pytest.param(-9, None, True, "OOMKilled", 137, "Killed: the pod used more memory", id="for lack of memory"),
        pytest.param(1, None, True, "AppError", 1, "The process ended", id="another was killed for lack of memory"),
        pytest.param(103, None, False, "ResultInvalid", 103, "The process ended", id="a code that means something"),
        pytest.param(143, CANCELLED, False, "Cancelled", 143, "no longer needed (exit code 143)", id="stopped"),
        pytest.param(-9, CANCELLED, True, "Cancelled", 137, "no longer needed (exit code 137)", id="it did not listen"),
    ],
)
def test_failures(
    code: int, ended_by: Outcome | None, out_of_memory: bool, failure: str, exit_code: int, begins: str
) -> None:
    found = of_process(code, ended_by, out_of_memory=out_of_memory)

    assert isinstance(found, Failed)
    assert (found.failure, found.exit_code) == (failure, exit_code)
    assert found.message.startswith(begins)


@pytest.mark.parametrize("ended_by", [None, CANCELLED], ids=["by itself", "while it was stopped"])
def test_exit_code_0_is_a_success(ended_by: Outcome | None) -> None:
    assert of_process(0, ended_by, out_of_memory=False) == Succeeded(None)
