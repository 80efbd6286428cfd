"""The four deadlines of a Task, as moments. Pure.

queueSeconds and totalSeconds run from the later of submission and startTime; startSeconds from the attempt's Job;
runSeconds from its container's start.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from celeriac.api.v1alpha1 import Deadlines
from celeriac_operator.core.facts import TaskFacts

DEFINITION_GRACE_SECONDS = 600
"""How long a Task waits for a TaskDefinition that is not there, where it has no queueSeconds."""


def origin(task: TaskFacts) -> datetime:
    """t0: from here queueSeconds and totalSeconds run."""
    submitted = task.submitted or task.created
    return max(submitted, task.spec.start_time) if task.spec.start_time else submitted


def after(start: datetime | None, seconds: int | None) -> datetime | None:
    """The moment so many seconds after the start; None where either is not there, or it lies beyond the year 9999."""
    if start is None or seconds is None:
        return None
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        return None


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of the moments that there are."""
    return min((moment for moment in moments if moment is not None), default=None)


@dataclass(frozen=True, slots=True)
class Clocks:
    """When each deadline of a Task passes; None: never."""

    queue: datetime | None
    total: datetime | None
    start: datetime | None = None
    run: datetime | None = None

    @property
    def all(self) -> tuple[datetime | None, ...]:
        """Each of them."""
        return (self.queue, self.total, self.start, self.run)

    @property
    def next(self) -> datetime | None:
        """The next that can pass."""
        return earliest(*self.all)


def clocks(
    task: TaskFacts,
    deadlines: Deadlines,
    *,
    first_start: datetime | None,
    job_created: datetime | None = None,
    started: datetime | None = None,
) -> Clocks:
    """The deadlines that are running: queueSeconds ends with the first start, startSeconds with the attempt's."""
    zero = origin(task)
    return Clocks(
        queue=after(zero, deadlines.queue_seconds) if first_start is None else None,
        total=after(zero, deadlines.total_seconds),
        start=after(job_created, deadlines.start_seconds) if started is None else None,
        run=after(started, deadlines.run_seconds),
    )
