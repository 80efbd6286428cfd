"""SIGTERM and the soft deadline, as exceptions in the function: in a synchronous one and in a coroutine alike.

A signal's handler runs in the main thread between two instructions of whatever is there, so it raises only while the
function runs. What comes earlier is kept, and what comes later is no news any more.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from celeriac.app.interruptions import CancelRequested, SoftDeadlineExceeded, TaskInterrupted

LINGER_SECONDS = 10.0
"""How long what the function left behind (threads, exit handlers) may hold up the end of the process."""


class Interrupts:
    """What may interrupt the function.

    Args:
        why: says why the attempt is stopped, once SIGTERM has come; it may take a second.
    """

    def __init__(self, why: Callable[[], CancelRequested]) -> None:
        self.stopped = False
        """SIGTERM has come."""
        self.close: Callable[[], None] = lambda: None
        """Ends what the function left behind in its event loop."""
        self._why = why
        self._raise: Callable[[TaskInterrupted], None] | None = None

    def install(self) -> None:
        """Listen to SIGTERM. Of the main thread only."""
        self._listen()
        os.register_at_fork(after_in_child=_ordinary)  # what the function forks ends as other processes do

    def _listen(self, do: Callable[[Callable[[], object]], object] = lambda deed: deed()) -> None:
        """Listen to both, as long as the process lives: a loop's own handlers leave a moment, when they are removed, in
        which a signal ends the process, and what the function has returned would be lost.

        Args:
            do: does what a signal asks for.
        """
        signal.signal(signal.SIGTERM, lambda *_: do(self._on_sigterm))
        signal.signal(signal.SIGALRM, lambda *_: do(self._on_alarm))

    def run(self, function: Callable[[], Any], soft_seconds: float | None) -> Any:
        """Run a function; interruptions are raised in it.

        Args:
            soft_seconds: SoftDeadlineExceeded comes after this time.
        """
        returned: list[Any] = []  # an interruption between the function's end and ours must not lose what it returned
        try:
            try:
                self._begin(_raise, soft_seconds)
                returned.append(function())
            finally:
                self._end()
        except TaskInterrupted:
            self._end()  # it may have come in the midst of the other
            if not returned:
                raise
        return returned[0]

    def run_async(self, function: Callable[[], Coroutine[Any, Any, Any]], soft_seconds: float | None) -> Any:
        """Run a coroutine function in an event loop of its own; interruptions are raised where it waits.

        The loop stays open until ``close``: threads that the function left in it would hold up the report.
        """
        import asyncio  # noqa: PLC0415 -- most functions need no event loop

        async def main() -> Any:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            coroutine = _Interruptible(function(), task)
            self._listen(loop.call_soon_threadsafe)
            try:
                self._begin(coroutine.interrupt, soft_seconds)
                return await coroutine
            finally:
                self._end()
                self._listen()

        runner = asyncio.Runner()
        self.close = runner.close
        return runner.run(main())

    def _begin(self, how: Callable[[TaskInterrupted], None], soft_seconds: float | None) -> None:
        self._raise = how
        if self.stopped:  # it came while the function's module was imported
            self._interrupt(self._why())
        if soft_seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, soft_seconds))

    def _end(self) -> None:
        self._raise = None
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _on_sigterm(self) -> None:
        if not self.stopped:
            self.stopped = True
            if self._raise is not None:
                self._interrupt(self._why())

    def _on_alarm(self) -> None:
        self._interrupt(SoftDeadlineExceeded("the deadline is near: the function should end now"))

    def _interrupt(self, error: TaskInterrupted) -> None:
        if self._raise is not None:
            self._raise(error)


def _ordinary() -> None:
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)


def _raise(error: TaskInterrupted) -> None:
    raise error


class _Interruptible:
    """A coroutine that an exception can be raised in where it waits; asyncio itself can only cancel."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], task: Any) -> None:
        self._coroutine = coroutine
        self._task = task
        self._pending: TaskInterrupted | None = None

    def interrupt(self, error: TaskInterrupted) -> None:
        """Raise it at the coroutine's next step."""
        self._pending = error
        self._task.cancel()

    def __await__(self) -> Generator[Any, Any, Any]:
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                waited = self._coroutine.throw(error) if error is not None else self._coroutine.send(value)
            except StopIteration as stop:
                return stop.value
            value = error = None
            try:
                value = yield waited
            except BaseException as raised:  # the coroutine is to see it, whatever it is
                error = self._instead_of(raised)

    def _instead_of(self, raised: BaseException) -> BaseException:
        """The interruption that the cancellation stands for, else what was raised."""
        pending, self._pending = self._pending, None
        if pending is None:
            return raised
        self._task.uncancel()
        return pending
