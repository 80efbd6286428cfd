"""What was observed of a CronTask and its runs, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from celeriac.api.v1alpha1 import CronTaskSpec, CronTaskStatus
from celeriac.cron.run import slot_of
from celeriac_operator.core.facts import Refusal, TaskFacts
from celeriac_operator.core.names import SUCCEEDED


class CronKey(NamedTuple):
    """Namespace and name of a CronTask. The kind is part of it: a Task of the same name is another key."""

    namespace: str
    name: str
    kind: str = "CronTask"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class CronFacts:
    """A CronTask."""

    key: CronKey
    uid: str
    version: str
    """resourceVersion."""
    generation: int
    created: datetime
    spec: CronTaskSpec
    status: CronTaskStatus = field(default_factory=CronTaskStatus)
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A Task that the CronTask controls."""

    name: str
    uid: str
    created: datetime
    slot: datetime | None = None
    """None: it was started by hand."""
    finished: bool = False
    succeeded: bool = False
    finish_time: datetime | None = None
    cancelling: bool = False
    """Its cancellation was asked for."""
    backfill: bool = False
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class CronWorld:
    """One snapshot of all that a decision about one CronTask needs."""

    cron: CronFacts
    runs: tuple[Run, ...] = ()
    refusal: Refusal | None = None
    """What the API server said when a run was last to be created."""


def run_of(cron: CronKey, task: TaskFacts) -> Run:
    """The run that a Task is."""
    succeeded = task.status.condition(SUCCEEDED)
    return Run(
        name=task.key.name,
        uid=task.uid,
        created=task.created,
        slot=slot_of(cron.name, task.key.name),
        finished=task.finished,
        succeeded=succeeded is not None and succeeded.status == "True",
        finish_time=task.status.finish_time,
        cancelling=task.spec.cancel is not None,
        backfill=task.backfill,
        deleting=task.deleting,
    )
