"""What the end of a process says of an attempt that told nothing itself. Pure."""

from __future__ import annotations

from celeriac.app.exit_code import FAILURES
from celeriac.run.outcome import SIGKILLED, Failed, Outcome, Succeeded


def of_process(code: int, ended_by: Outcome | None, *, out_of_memory: bool) -> Succeeded | Failed:
    """The outcome, in the words that the operator has for a container.

    Args:
        code: exit code; of a signal, its number below zero.
        ended_by: why it was stopped, if it was.
        out_of_memory: the kernel has killed a process of the pod for lack of memory meanwhile.
    """
    exit_code = code if code >= 0 else 128 - code
    said = f"exit code {exit_code}"
    if exit_code == 0:
        return Succeeded(None)
    if isinstance(ended_by, Failed):
        return Failed(ended_by.failure, exit_code, f"{ended_by.message} ({said})")
    if exit_code == SIGKILLED and out_of_memory:
        return Failed("OOMKilled", exit_code, f"Killed: the pod used more memory than its limit ({said})")
    if exit_code == SIGKILLED:
        return Failed(
            "AppError", exit_code, f"The process was killed ({said}, SIGKILL); often that is for lack of memory"
        )
    return Failed(FAILURES.get(exit_code, "AppError"), exit_code, f"The process ended with {said}")
