"""An attempt's process, as its worker sees it."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from celeriac.run.attempt import Attempt
from celeriac.run.environment import Environment
from celeriac.run.parent import Parent
from celeriac.run.standby import Assignment

ENV = {"CELERIAC_TASK": "task-1", "CELERIAC_NAMESPACE": "team", "CELERIAC_ATTEMPT": "1", "CELERIAC_TASK_UID": "uid-1"}


def leaves(_environment: Environment, _parent: Parent) -> NoReturn:
    os._exit(0)


async def test_a_process_that_somebody_else_waited_for_gets_no_signal_and_its_end_is_seen() -> None:
    """As a thread may that the module has left: of a pod that ends, the other tasks are to hear of it."""
    attempt = Attempt(Assignment("uid-1", 1, 0, ENV, None), "pod-1", None, None)
    attempt.start(leaves, None)
    os.waitpid(attempt._forked.pid, 0)
    attempt.signal(signal.SIGTERM)
    attempt.look()

    assert await attempt._exit == 1
