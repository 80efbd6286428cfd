"""An attempt's process, as its worker sees it."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path
from typing import NoReturn

import pytest

from celeriac.run.attempt import Attempt
from celeriac.run.environment import Environment
from celeriac.run.parent import Parent
from celeriac.run.standby import Assignment

ENV = {"CELERIAC_TASK": "task-1", "CELERIAC_NAMESPACE": "team", "CELERIAC_ATTEMPT": "1", "CELERIAC_TASK_UID": "uid-1"}


def leaves(_environment: Environment, _parent: Parent) -> NoReturn:
    os._exit(0)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_process_that_somebody_else_waited_for_gets_no_signal_and_its_end_is_seen() -> None:
    """As a thread may that the module has left: of a pod that ends, the other tasks are to hear of it."""
    attempt = Attempt(Assignment("uid-1", 1, 0, ENV, None), "pod-1", None, None)
    attempt.start(leaves, None)
    os.waitpid(attempt._forked.pid, 0)
    attempt.signal(signal.SIGTERM)
    attempt.look()

    assert await attempt._exit == 1


async def test_an_attempt_that_gets_no_process_has_failed_and_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused() -> NoReturn:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    files, mask = descriptors(), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    attempt = Attempt(Assignment("uid-1", 1, 0, ENV, None), "pod-1", None, None)
    attempt.start(leaves, None)
    attempt.signal(signal.SIGTERM)
    attempt.look()
    record = json.loads(attempt._of_process(await attempt._exit, given_up=False) or b"")

    assert (record["failure"], record["message"]) == (
        "AppError",
        "Its worker could not start a process for it: Resource temporarily unavailable (exit code 1)",
    )
    assert (descriptors(), signal.pthread_sigmask(signal.SIG_BLOCK, ())) == (files, mask)
