"""What is to be done about a CronTask, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from celeriac.api.v1alpha1 import CronTaskStatus
from celeriac_operator.core.plan import Event


class Outcome(StrEnum):
    """What became of a slot."""

    STARTED = "started"
    MISSED = "missed"
    """Nobody could run it at its time, and catchUp does not make up for it."""
    SKIPPED = "skipped"
    """concurrencyPolicy Forbid."""


@dataclass(frozen=True, slots=True)
class CreateRun:
    """Create the slot's Task."""

    slot: datetime
    due: datetime
    """The slot with its jitter."""


@dataclass(frozen=True, slots=True)
class CancelRun:
    """Ask for the end of a run that is replaced."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DeleteRun:
    """Remove a finished run that is beyond the limits of the history."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class CronPlan:
    """A create, or one status write, then events, cancels and deletes; and when to look again.

    After a create the world is another: it is decided upon once more, with the run in it.
    """

    create: CreateRun | None = None
    status: CronTaskStatus | None = None
    events: tuple[Event, ...] = ()
    cancel: tuple[CancelRun, ...] = ()
    delete: tuple[DeleteRun, ...] = ()
    passed: tuple[Outcome, int] | None = None
    """Slots that the status counts as missed for the first time, for the metrics."""
    look_again: datetime | None = None
