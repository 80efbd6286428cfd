"""Who kills NATS or the operator at a chosen step between a publish and a finished Task."""

from dataclasses import dataclass
from typing import Protocol

from e2e.support.nats_proxy import NatsProxy
from e2e.support.operator import LocalOperator
from e2e.support.proxy import ApiProxy

from celeriac.wire import names


class Stage(Protocol):
    """What there is to kill, and the ways on which the steps are seen."""

    operator: LocalOperator
    api: ApiProxy

    @property
    def bus(self) -> NatsProxy:
        """The way to NATS."""

    def restart_nats(self) -> None:
        """SIGKILL, and a new server on what is on the disk."""


@dataclass
class Kill:
    """A kill at a step; once."""

    at: str
    who: str
    done: bool = False


STEPS = (
    "before the Task is created",
    "after the Task was created, the operator not knowing",
    "before the message is acknowledged",
    "after the message was acknowledged, the operator not knowing",
    "before the record is written",
    "after the record was written, the operator not knowing",
)
_ACK, _RECORD = "$JS.ACK.", f"$KV.{names.RESULTS_BUCKET}."


class Assassin:
    """Kills at the step that it is told, once it comes."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._next: Kill | None = None
        stage.api.before = lambda number: self._on(STEPS[0], self._creates(number))
        stage.api.after = lambda number: self._on(STEPS[1], self._creates(number))
        stage.bus.before = self._before_publish
        stage.bus.wants_after = lambda subject: self._answer_of(subject) is not None
        stage.bus.after = lambda subject: self._on(self._answer_of(subject) or "", True)

    def will(self, kill: Kill) -> None:
        self._next = kill

    def _before_publish(self, subject: str) -> None:
        self._on(STEPS[2], subject.startswith(_ACK))
        self._on(STEPS[4], subject.startswith(_RECORD))

    def _answer_of(self, subject: str) -> str | None:
        """The step that the answer to this publish is, where the kill is to come at it."""
        step = STEPS[3] if subject.startswith(_ACK) else STEPS[5] if subject.startswith(_RECORD) else None
        return step if self._next is not None and self._next.at == step else None

    def _creates(self, number: int) -> bool:
        return self._stage.api.writes[number - 1].partition("?")[0].endswith("/tasks")

    def _on(self, step: str, is_it: bool) -> None:
        kill = self._next
        if not is_it or kill is None or kill.at != step:
            return
        self._next = None
        if kill.who == "nats-server":
            self._stage.restart_nats()
        else:
            self._stage.operator.kill_and_start()
        kill.done = True
        raise ConnectionAbortedError
