"""An attempt's process, as its worker sees it."""

from __future__ import annotations

import multiprocessing
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


async def test_a_process_that_was_waited_for_by_the_way_gets_no_signal_and_its_end_is_seen() -> None:
    """As multiprocessing does when the next one is forked: of a pod that ends, the other tasks are to hear of it."""
    attempt = Attempt(Assignment("uid-1", 1, 0, ENV, None), "pod-1", None, None)
    attempt.start(leaves, None)
    while multiprocessing.active_children():
        os.sched_yield()
    attempt.signal(signal.SIGTERM)
    attempt.look()

    assert await attempt._exit == 0
