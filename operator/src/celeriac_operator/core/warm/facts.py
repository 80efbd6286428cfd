"""The pods that were started ahead for a TaskDefinition, as facts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from celeriac_operator.core.definition import DefinitionFacts
from celeriac_operator.core.facts import JobFacts, PodFacts


@dataclass(frozen=True, slots=True)
class Ahead:
    """A pod that was started ahead, with its Job."""

    pod: PodFacts
    job_uid: str
    heard: bool = False
    """It has said that it waits."""
    given: bool = False
    """It was given a task that has not finished, or is being given one."""
    named: bool = False
    """A Task says that it ran there: its log is kept."""

    silent: bool = False
    """It runs, and has said nothing for long."""

    @property
    def waits(self) -> bool:
        """It can still take a task, now or once it has started."""
        return not (self.pod.ended or self.pod.deleted_at is not None or self.given or self.named or self.silent)

    @property
    def ready(self) -> bool:
        """It can take a task now."""
        return self.waits and self.heard


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
    bus: str = "Up"
    hits: int = 0
    """Of the last attempts, those that found a pod."""
    attempts: int = 0
