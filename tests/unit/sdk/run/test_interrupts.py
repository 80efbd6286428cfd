"""Interruptions of a function, at every moment that they can come."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from celeriac import CancelRequested, SoftDeadlineExceeded
from celeriac.run.interrupts import Interrupts


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}
    interrupts = Interrupts(lambda: CancelRequested("why"))
    interrupts.install()
    yield interrupts
    interrupts.close()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_before_the_function_it_does_not_begin(interrupts: Interrupts) -> None:
    terminate()
    with pytest.raises(CancelRequested, match="why"):
        interrupts.run(lambda: pytest.fail("it began"), None)
    assert interrupts.stopped


@pytest.mark.parametrize("how", ["run", "run_async"])
def test_there_is_no_moment_in_which_it_would_end_the_process(
    interrupts: Interrupts, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the function has returned would be lost."""
    given: list[object] = []
    real = signal.signal
    monkeypatch.setattr(signal, "signal", lambda number, handler: (given.append(handler), real(number, handler))[1])

    async def function() -> int:
        return 1

    assert 1 == (interrupts.run(lambda: 1, None) if how == "run" else interrupts.run_async(function, None))
    interrupts.close()
    assert signal.SIG_DFL not in [handler for handler in given if handler is not signal.default_int_handler]
    terminate()
    assert interrupts.stopped


def test_in_the_function_it_is_raised_once(interrupts: Interrupts) -> None:
    seen: list[BaseException] = []

    def function() -> str:
        try:
            terminate()
        except CancelRequested as error:
            seen.append(error)
        terminate()
        return "done"

    assert "done" == interrupts.run(function, None)
    assert 1 == len(seen)


def test_after_the_function_it_is_noted_only(interrupts: Interrupts) -> None:
    assert 1 == interrupts.run(lambda: 1, None)
    terminate()
    assert interrupts.stopped


def test_what_was_returned_is_not_lost_to_an_interruption_at_the_end(
    interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = interrupts._end

    def late() -> None:
        monkeypatch.setattr(interrupts, "_end", end)
        terminate()

    monkeypatch.setattr(interrupts, "_end", late)
    assert 1 == interrupts.run(lambda: 1, None)
    terminate()  # and nothing is raised any more


def test_an_alarm_that_is_over_raises_nothing(interrupts: Interrupts) -> None:
    assert 1 == interrupts.run(lambda: 1, 0.05)
    assert (0.0, 0.0) == signal.getitimer(signal.ITIMER_REAL)


async def raised_where_it_waits(seen: list[Any]) -> str:
    try:
        terminate()
        await asyncio.sleep(60)
    except CancelRequested as error:
        seen.append(error.reason)
    await asyncio.sleep(0)  # it can wait again
    task = asyncio.current_task()
    seen.append(task.cancelling() if task else None)
    return "done"


def test_in_a_coroutine_it_is_raised_where_it_waits(interrupts: Interrupts) -> None:
    seen: list[Any] = []
    assert "done" == interrupts.run_async(lambda: raised_where_it_waits(seen), None)
    assert ["why", 0] == seen


def test_before_a_coroutine_it_is_raised_at_its_first_wait(interrupts: Interrupts) -> None:
    terminate()
    with pytest.raises(CancelRequested):
        interrupts.run_async(lambda: asyncio.sleep(60), None)


def test_the_soft_deadline_of_a_coroutine(interrupts: Interrupts) -> None:
    with pytest.raises(SoftDeadlineExceeded):
        interrupts.run_async(lambda: asyncio.sleep(60), 0.02)


def test_a_coroutine_that_cancels_itself_is_cancelled(interrupts: Interrupts) -> None:
    async def function() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(60)

    with pytest.raises(asyncio.CancelledError):
        interrupts.run_async(function, None)


def test_after_a_coroutine_the_signal_is_still_listened_to(interrupts: Interrupts) -> None:
    interrupts.run_async(lambda: asyncio.sleep(0), None)
    terminate()
    assert interrupts.stopped


FORKS = """
import os, signal, time
from celeriac.app.interruptions import CancelRequested
from celeriac.run.interrupts import Interrupts
Interrupts(lambda: CancelRequested("stop")).install()
reads, writes = os.pipe()
child = os.fork()
if child == 0:
    os.write(writes, b"!")
    time.sleep(60)
    os._exit(0)
os.read(reads, 1)
os.kill(child, signal.SIGTERM)
print(-os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_what_the_function_forks_ends_by_sigterm_as_other_processes_do() -> None:
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == f"{signal.SIGTERM:d}\n"
