"""Which of the slots that are due are to be run, and which are missed: catchUp, in one place. Pure.

A slot is on time for a minute after it was due; where it waited for another run (concurrencyPolicy Queue or Replace),
for a minute after that one's end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from celeriac.cron.calendar import Calendar
from celeriac_operator.core.cron.jitter import due_time
from celeriac_operator.core.cron.policy import GRACE, CronPolicy

MOST_COUNTED = 1000
"""A long outage of a frequent schedule counts for so many missed slots: exact numbers are of no use, and cost time."""

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Backlog:
    """The slots after the last decided one, sorted."""

    run: tuple[datetime, ...] = ()
    """To be run, the oldest first."""
    missed: int = 0
    """How many are missed, counted up to 1,000."""
    missed_until: datetime | None = None
    """Those up to here."""
    next: datetime | None = None
    """The first that is not due yet."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What lateness is measured by.

    Attributes:
        fence: slots up to here are decided.
        free_since: when the last run ended that a slot may have waited for; now, while one goes on.
    """

    fence: datetime
    now: datetime
    free_since: datetime | None
    uid: str


def backlog(calendar: Calendar, policy: CronPolicy, timing: Timing) -> Backlog:
    """Sort the slots after the fence. However long ago that is, it is quick."""
    fence, now = timing.fence, timing.now
    first = calendar.next(fence)
    if first is None or first > now:
        return Backlog(next=first)
    most = 1 if policy.catch_up == "Latest" or policy.concurrency == "Replace" else policy.max_runs
    oldest = _oldest_on_time(policy, timing)
    newest = calendar.newest(max(fence, oldest - timedelta(seconds=policy.jitter_seconds) - _SECOND), now, most + 1)
    due = {slot: due_time(slot, calendar, timing.uid, policy.jitter_seconds) for slot in newest}
    upcoming = next((slot for slot in newest if due[slot] > now), None)
    ready = [slot for slot in newest if due[slot] <= now][-most:]
    run = tuple(slot for slot in ready if due[slot] >= oldest)
    kept = next(iter(run), upcoming)
    until = kept - _SECOND if kept is not None else now.replace(microsecond=0)
    missed = calendar.count(fence, until, MOST_COUNTED)
    return Backlog(run, missed, until if missed else None, upcoming or calendar.next(now))


def _oldest_on_time(policy: CronPolicy, timing: Timing) -> datetime:
    """Slots that were due before this are missed."""
    if policy.catch_up != "None":
        return timing.now - policy.window
    waited = policy.concurrency in ("Queue", "Replace") and timing.free_since is not None
    if waited and timing.free_since is not None and timing.free_since >= timing.now - GRACE:
        return timing.fence
    return timing.now - GRACE
