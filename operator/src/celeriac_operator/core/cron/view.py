"""One CronTask's situation: the snapshot, read. Pure; every rule of ``decide`` starts from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from celeriac.cron.calendar import Calendar, calendar_of, described
from celeriac.cron.errors import CalendarError
from celeriac_operator.core.cron.backlog import Backlog, Timing, backlog
from celeriac_operator.core.cron.facts import CronFacts, CronWorld, Run
from celeriac_operator.core.cron.jitter import due_time
from celeriac_operator.core.cron.policy import CronPolicy, policy_of
from celeriac_operator.core.names import SUSPENDED


@dataclass(frozen=True)
class CronView:
    """The world at a moment, with what follows from it."""

    world: CronWorld
    now: datetime

    @property
    def cron(self) -> CronFacts:
        return self.world.cron

    @cached_property
    def policy(self) -> CronPolicy:
        return policy_of(self.cron.spec)

    @cached_property
    def found(self) -> Calendar | CalendarError:
        """The calendar, or why there is none."""
        try:
            return calendar_of(self.cron.spec, self.cron.key.namespace, self.cron.key.name)
        except CalendarError as problem:
            return problem

    @property
    def calendar(self) -> Calendar:
        """The calendar; the first rules have seen to it that there is one."""
        if isinstance(self.found, CalendarError):
            raise self.found
        return self.found

    @property
    def description(self) -> str:
        return described(self.cron.spec)

    @property
    def calendar_changed(self) -> bool:
        """The times in the status are of another calendar."""
        return self.cron.status.observed_schedule not in (None, self.description)

    @cached_property
    def fence(self) -> datetime:
        """Slots up to here are decided, or were before the CronTask."""
        status = self.cron.status
        known = (self.cron.created, status.last_schedule_time, status.decided_time)
        return max(moment for moment in known if moment is not None)

    @cached_property
    def unfinished(self) -> tuple[Run, ...]:
        """Runs that go on, the oldest first."""
        runs = (run for run in self.world.runs if not run.finished)
        return tuple(sorted(runs, key=lambda run: (run.slot or run.created, run.name)))

    @cached_property
    def in_the_way(self) -> tuple[Run, ...]:
        """Runs that concurrencyPolicy is about: those by hand too, but no backfill, which has its own concurrency."""
        return tuple(run for run in self.unfinished if not run.backfill)

    @cached_property
    def backlog(self) -> Backlog:
        """The slots that are not decided."""
        ends = (run.finish_time for run in self.world.runs if run.finish_time is not None and not run.backfill)
        free_since = self.now if self.in_the_way else max(ends, default=None)
        return backlog(self.calendar, self.policy, Timing(self.fence, self.now, free_since, self.cron.uid))

    @property
    def unwanted(self) -> bool:
        """Slots since the fence are of a suspension that catchUp does not make up for: nobody wanted them."""
        was = self.cron.status.condition(SUSPENDED)
        suspended = self.cron.spec.suspend or (was is not None and was.status == "True")
        return suspended and self.policy.catch_up == "None"

    @property
    def slot(self) -> datetime | None:
        """The slot that is to be run now."""
        return self.backlog.run[0] if self.backlog.run else None

    def due(self, slot: datetime) -> datetime:
        """When the slot is due."""
        return due_time(slot, self.calendar, self.cron.uid, self.policy.jitter_seconds)
