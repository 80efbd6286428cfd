"""The slots of a CronTask: a schedule of local times, laid on real time.

A slot is the moment at which the zone's clock shows a matching time. Where the clock is put back, times are shown
twice; where it is put forward, times are never shown. A schedule that names hours then goes by its dstPolicy; one that
takes every hour (``*/15 * * * *``) goes by what the clock shows, so that it neither pauses nor runs in a bunch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import islice, takewhile

from celeriac.api.v1alpha1 import CronTaskSpec, DstPolicy
from celeriac.cron.expression import Expression, parse_expression
from celeriac.cron.zone import Period, periods, zone_of

DEFAULT_ZONE = "Etc/UTC"
DEFAULT_DST: DstPolicy = "Once"

_MINUTE = timedelta(minutes=1)
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a CronTask has slots."""

    expression: Expression
    zone: str
    dst: DstPolicy

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The slots after that moment, in UTC, in order, without end."""
        last = moment = moment.astimezone(UTC)
        for period in periods(self.zone, moment):
            for slot in merge(self._shown(period, moment), self._made_up(period, moment)):
                if slot > last:  # a made-up time may fall together with one that is shown
                    last = slot
                    yield slot

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The slots after the one moment and up to the other, that one included."""
        return takewhile(lambda slot: slot <= until, self.after(after))

    def next(self, moment: datetime) -> datetime | None:
        """The first slot after that moment; None where the year 9998 comes first."""
        return next(self.after(moment), None)

    def newest(self, after: datetime, until: datetime, most: int) -> tuple[datetime, ...]:
        """The newest slots between the two moments, at most so many, in order; however many there are, it is quick."""
        some = tuple(islice(self.between(after, until), 2 * most + 1))
        if len(some) <= 2 * most:
            return some[-most:]
        low, high = 0, int((until - after) / _MINUTE) + 1
        while high - low > 1:
            middle = (low + high) // 2
            rest = sum(1 for _ in islice(self.between(after + middle * _MINUTE, until), most))
            low, high = (middle, high) if rest == most else (low, middle)
        return tuple(self.between(after + low * _MINUTE, until))[-most:]

    def count(self, after: datetime, until: datetime, most: int) -> int:
        """How many slots are between the two moments, counted up to so many."""
        return sum(1 for _ in islice(self.between(after, until), most))

    def _shown(self, period: Period, moment: datetime) -> Iterator[datetime]:
        """Slots at which the clock shows a matching time."""
        repeated_until = period.changed + (period.before - period.offset)
        twice = self.expression.every_hour or self.dst == "Twice"
        for slot in self._matches(period, moment, period.offset, period.end):
            if slot >= repeated_until or twice:
                yield slot

    def _made_up(self, period: Period, moment: datetime) -> Iterator[datetime]:
        """Slots whose times the clock never shows, later by as much as it was put forward."""
        missing = period.offset - period.before
        if missing <= timedelta(0) or self.expression.every_hour or self.dst == "Skip":
            return
        yield from self._matches(period, moment, period.before, min(period.end, period.changed + missing))

    def _matches(self, period: Period, moment: datetime, offset: timedelta, end: datetime) -> Iterator[datetime]:
        """Matching local times at that offset, as moments of the period after the given one."""
        start = max(moment, period.start - _MOMENT)
        if start >= end:
            return
        for local in self.expression.after(start.replace(tzinfo=None) + offset):
            slot = (local - offset).replace(tzinfo=UTC)
            if slot >= end:
                return
            yield slot


def calendar_of(spec: CronTaskSpec, namespace: str, name: str) -> Calendar:
    """The calendar of a CronTask.

    Raises:
        CalendarError: its schedule or time zone cannot be used.
    """
    zone = spec.time_zone or DEFAULT_ZONE
    zone_of(zone)
    return Calendar(parse_expression(spec.schedule, f"{namespace}/{name}"), zone, spec.dst_policy or DEFAULT_DST)


def described(spec: CronTaskSpec) -> str:
    """What the calendar is made of, in one line: another line is another calendar."""
    return f"{' '.join(spec.schedule.split())} {spec.time_zone or DEFAULT_ZONE} {spec.dst_policy or DEFAULT_DST}"
