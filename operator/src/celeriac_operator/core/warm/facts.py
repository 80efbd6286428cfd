"""The pods that were started ahead for a TaskDefinition, as facts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from celeriac_operator.core.definition import DefinitionFacts
from celeriac_operator.core.facts import JobFacts, PodFacts
from celeriac_operator.core.records import BusState


@dataclass(frozen=True, slots=True)
class Ahead:
    """A pod that was started ahead, with its Job."""

    pod: PodFacts
    job_uid: str
    heard: bool = False
    """It has said that it waits."""
    given: int = 0
    """Tasks that it was given and that have not ended, or that are being given to it."""
    named: bool = False
    """A Task says that it ran there: its log is kept."""
    slots: int = 1
    """Tasks that it runs at once."""
    left: int = 1
    """Tasks that it takes yet."""
    silent: bool = False
    """It runs, and has said nothing for long."""
    wanted: bool = False
    """Tasks wait that only a pod of its content can take."""
    idle_since: datetime | None = None
    """Of a pod that takes many tasks: when it was last seen to have one, or began."""

    @property
    def age(self) -> tuple[datetime, str]:
        """Sorts the oldest first."""
        return self.pod.created, self.pod.name

    @property
    def stays(self) -> bool:
        """It takes tasks, now, once it has started, or once one has ended."""
        return self.left > 0 and not (self.pod.ended or self.pod.deleted_at is not None or self.silent)

    @property
    def room(self) -> int:
        """So many tasks it can take, now or once it has started."""
        return max(min(self.slots - self.given, self.left), 0) if self.stays else 0

    @property
    def ready(self) -> bool:
        """It can take a task now."""
        return self.room > 0 and self.heard


def room_of(pods: Iterable[Ahead]) -> int:
    """How many tasks they can take, now or once they have started."""
    return sum(pod.room for pod in pods)


def next_to_take(free: Iterable[Ahead], *, last: str | None) -> PodFacts | None:
    """Which of those that have room is given the next task: the one with most tasks, of these the oldest.

    Args:
        last: uid of the pod that this task was taken back from: it says that it has room, and had none for it.
    """
    best = min(free, key=lambda each: (each.pod.uid == last, -each.given, *each.age), default=None)
    return best.pod if best is not None else None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Pods that ended, or were refused, before they took a task: in a row."""

    count: int = 0
    last: datetime | None = None
    reason: str = ""
    """A reason of the condition WarmUnavailable."""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Pool:
    """One snapshot of all that a decision about a TaskDefinition's pods needs."""

    definition: DefinitionFacts
    content: str
    """What the label of pods of its present content says."""
    pods: Sequence[Ahead] = ()
    jobs: Sequence[JobFacts] = ()
    """Jobs that have no pod yet, or none any more."""
    arrivals: Sequence[datetime] = ()
    """When attempts began lately, the oldest first."""
    active: datetime | None = None
    """When an attempt began last, or the definition was made."""
    trouble: Trouble = Trouble()
    bus: BusState = "Up"
    backlog: int = 0
    """Tasks that wait for a pod of its content."""
    hits: int = 0
    """Of the last attempts, those that found a pod."""
    attempts: int = 0
    known: bool = True
    """Every Task of the namespace was looked at: there is none that a pod runs and that says so nowhere."""
