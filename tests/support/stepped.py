"""An event loop and a network that do nothing by themselves: a test says which request is carried out, and when its
answer comes; which is lost; and when time passes. So a process can be looked at, or end, at any of its awaits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tests.support.clock import T0, Clock, at

PATIENCE_SECONDS = {"api": 30.0, "bus": 5.0}
"""Who asked gives up after so long."""


class SteppedLoop(asyncio.SelectorEventLoop):
    """A loop that stands still until it is told to go on. Its time is the clock's."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def time(self) -> float:
        return (self.clock.now - T0).total_seconds()

    def settle(self) -> None:
        """Run whatever can run now."""
        while True:
            self.stop()
            self.run_forever()
            if not self._ready:  # type: ignore[attr-defined]
                return

    def pass_time(self, seconds: float) -> None:
        """Let timers fire one after the other."""
        end = self.time() + seconds
        while (due := self._next_timer()) is not None and due <= end:
            self.clock.now = max(self.clock.now, at(due))
            self.settle()
        self.clock.now = at(end)
        self.settle()

    def _next_timer(self) -> float | None:
        timers = (handle.when() for handle in self._scheduled if not handle.cancelled())  # type: ignore[attr-defined]
        return min(timers, default=None)


class Fate(Enum):
    """What becomes of a request."""

    ANSWERED = "it is carried out and answered"
    ANSWERED_LATE = "it is carried out, and its answer is under way"
    REFUSED = "the server refuses it, and has done nothing"
    LOST = "it never arrives"
    REPLY_LOST = "it is carried out, and its answer never comes"


@dataclass(eq=False)
class Request:
    """Something that a process has asked a server for."""

    what: str
    server: str
    do: Callable[[], Any]
    refused: Exception
    lost: Exception
    life: int
    answer: asyncio.Future[Any] | None
    possible: Callable[[], bool]
    outcome: Callable[[], Any] | None = field(default=None)
    """What the answer that is under way says."""

    def give(self, outcome: Callable[[], Any]) -> None:
        """The answer arrives, if anybody waits for it."""
        if self.answer is None or self.answer.done():
            return
        try:
            self.answer.set_result(outcome())
        except Exception as error:
            self.answer.set_exception(error)


class Network:
    """The requests of all lives of a process, until they are carried out."""

    def __init__(self, loop: SteppedLoop) -> None:
        self.loop = loop
        self.life = 0
        self.up = {"api": True, "bus": True}
        self.sent: list[Request] = []
        self.answers: list[Request] = []
        self.carrying_out: Request | None = None
        self.carried_out = 0

    async def ask(
        self,
        server: str,
        what: str,
        do: Callable[[], Any],
        *,
        life: int,
        refused: Exception,
        lost: Exception,
        possible: Callable[[], bool] = lambda: True,
        patience: float | None = None,
    ) -> Any:
        """Ask a server, and wait for the answer.

        Raises:
            Exception: `refused` or `lost`, or what the server says.
        """
        if life != self.life:
            raise asyncio.CancelledError
        request = Request(what, server, do, refused, lost, life, self.loop.create_future(), possible)
        self.sent.append(request)
        assert request.answer is not None
        timer = self.loop.call_later(patience or PATIENCE_SECONDS[server], request.give, lambda: _raise(lost))
        try:
            return await request.answer
        finally:
            timer.cancel()

    def tell(self, server: str, what: str, do: Callable[[], Any], *, life: int) -> None:
        """Say something that is not answered."""
        if life == self.life:
            error = TimeoutError(what)
            self.sent.append(Request(what, server, do, error, error, life, None, lambda: True))

    # --- what a test says ---

    def possible(self) -> list[Request]:
        """Requests that can be carried out now, and answers that can arrive."""
        return [request for request in self.sent if self.up[request.server] and request.possible()] + self.answers

    def go_on(self, request: Request, fate: Fate = Fate.ANSWERED) -> None:
        """Carry it out, or have its answer arrive."""
        if request in self.answers:
            self.answers.remove(request)
            assert request.outcome is not None
            request.give(request.outcome)
        else:
            self.sent.remove(request)
            self._meets(request, fate)
        self.loop.settle()

    def _meets(self, request: Request, fate: Fate) -> None:
        if fate in (Fate.REFUSED, Fate.LOST):
            request.give(lambda: _raise(request.refused if fate is Fate.REFUSED else request.lost))
            return
        outcome = self._carry_out(request)
        if fate is Fate.ANSWERED:
            request.give(outcome)
        elif fate is Fate.ANSWERED_LATE:
            request.outcome = outcome
            self.answers.append(request)
        else:
            request.give(lambda: _raise(request.lost))

    def _carry_out(self, request: Request) -> Callable[[], Any]:
        self.carrying_out, self.carried_out = request, self.carried_out + 1
        try:
            result = request.do()
        except Exception as error:
            said = error
            return lambda: _raise(said)
        finally:
            self.carrying_out = None
        return lambda: result

    def end_life(self, *, in_flight: bool) -> None:
        """The process is gone: nobody hears answers, and nothing more is asked.

        Args:
            in_flight: what was sent may yet be carried out; else it is lost.
        """
        self.life += 1
        self.answers.clear()
        if not in_flight:
            self.sent.clear()
        for request in self.sent:
            request.answer = None
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.settle()
        left = asyncio.all_tasks(self.loop)
        assert not left, f"tasks that do not end when they are cancelled: {left}"

    @property
    def late(self) -> bool:
        """Whether what is carried out was asked for by a process that is gone."""
        return self.carrying_out is not None and self.carrying_out.life != self.life

    @property
    def given_up(self) -> bool:
        """Whether nobody waits any more for what is carried out."""
        asked = self.carrying_out
        return asked is not None and (asked.answer is None or asked.answer.done())


def _raise(error: Exception) -> Any:
    raise error
