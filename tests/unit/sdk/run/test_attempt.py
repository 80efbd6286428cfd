"""An attempt's process, as its worker sees it."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from celeriac.run.attempt import Attempt
from celeriac.run.forker import End
from celeriac.run.standby import Assignment

ENV = {"CELERIAC_TASK": "task-1", "CELERIAC_NAMESPACE": "team", "CELERIAC_ATTEMPT": "1", "CELERIAC_TASK_UID": "uid-1"}
REFUSED = OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


class Refuses:
    """Starts no process."""

    def __init__(self, error: OSError | None = None) -> None:
        self._error = error
        self.signals: list[int] = []

    def fork(self, *_: object) -> None:
        if self._error is not None:
            raise self._error

    def signal(self, _number: int, signum: int, **_: object) -> None:
        self.signals.append(signum)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("forker", "then"),
    [
        pytest.param(Refuses(REFUSED), lambda _: None, id="it cannot be asked for"),
        pytest.param(Refuses(), lambda attempt: attempt.ended(End(0, 1, errno.EAGAIN)), id="it is not given"),
    ],
)
async def test_an_attempt_that_gets_no_process_has_failed_and_takes_no_other_with_it(
    forker: Any, then: Callable[[Attempt], None]
) -> None:
    files = descriptors()
    attempt = Attempt(Assignment("uid-1", 1, 0, ENV, None), "pod-1", None, None)
    attempt.start(forker, 0, None)
    then(attempt)
    attempt.signal(signal.SIGTERM)
    record = json.loads(attempt._of_process(await attempt._exit, given_up=False) or b"")

    assert (record["failure"], record["message"]) == (
        "AppError",
        "Its worker could not start a process for it: Resource temporarily unavailable (exit code 1)",
    )
    assert (descriptors(), forker.signals) == (files, [])
