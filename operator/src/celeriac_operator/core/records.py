"""What NATS has recorded of a Task, as facts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from celeriac.wire.records import AttemptRecord, TaskRecord

BusState = Literal["Off", "Down", "Full", "Up"]
"""Off: the operator runs without NATS. Down: it does not answer now, and what is known of it may be old. Full: it
answers, and takes no record."""

RETENTION = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who may run an attempt that a waiting pod was told of: what is under its key in the bucket."""

    pod_uid: str
    revoked: bool
    """That pod never will; else it does, and no other."""
    time: datetime
    revision: int
    """Of the key: the next one who writes it has to know it."""


@dataclass(frozen=True, slots=True)
class Records:
    """What NATS says of one Task."""

    bus: BusState = "Off"
    looked_up: bool = False
    """``task`` is what there is: it was asked for since NATS last went away, and what has changed since was told."""
    task: TaskRecord | None = None
    """The record of the Task's name; another Task of that name may have left it."""
    attempt: AttemptRecord | None = None
    """Whoever decided the attempt under way, or took its key."""
    claim: Claim | None = None
    """The last word on who runs the attempt under way, or the next, where a waiting pod was told of it."""
    made_here: bool = False
    """This process made the Task of its message, and nobody has told a pod of it since."""
    retention: timedelta = RETENTION
    """How long a task's record is kept once it has finished."""

    @property
    def had_by(self) -> str | None:
        """The uid of the pod that the last word on the claim names."""
        return self.claim.pod_uid if self.claim is not None else None
