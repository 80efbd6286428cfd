"""Time zones, as stretches of time with one offset from UTC each. zoneinfo knows the offsets, not when they change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from celeriac.cron.errors import CalendarError

DAY = timedelta(days=1)
LAST_YEAR = 9998

_NOT_ZONES = frozenset({"Factory", "localtime", "posixrules"})
_OTHER_TREES = frozenset({"posix", "right"})
"""Directories of some systems: ``right`` counts leap seconds."""


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time, half open, with one offset."""

    start: datetime
    end: datetime
    offset: timedelta
    changed: datetime
    """When the offset came to be: the start, or before it."""
    before: timedelta
    """The offset until then."""


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name.

    Raises:
        CalendarError: there is none.
    """
    try:
        if name in _NOT_ZONES or name.split("/", maxsplit=1)[0] in _OTHER_TREES:
            raise KeyError(name)
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        message = (
            f"spec.timeZone {name[:64]!r} is not in the IANA database: use a name such as Europe/Berlin or Etc/UTC"
        )
        raise CalendarError("UnknownTimeZone", message) from None


def periods(zone: str, moment: datetime) -> Iterator[Period]:
    """The stretches from that moment on, in order; a new year (in UTC) ends one too."""
    start = changed = moment - 2 * DAY  # no repetition and no gap is longer than a day: what was before does not matter
    offset = before = _offset(zone, start)
    for year in range(start.year, LAST_YEAR):
        for boundary in (*_changes(zone, year), datetime(year + 1, 1, 1, tzinfo=UTC)):
            if boundary <= start:
                continue
            if boundary > moment:
                yield Period(start, boundary, offset, changed, before)
            start, after = boundary, _offset(zone, boundary)
            if after != offset:
                changed, before, offset = boundary, offset, after


@lru_cache(maxsize=512)
def _changes(zone: str, year: int) -> tuple[datetime, ...]:
    """The moments of a year at which the offset changes."""
    first = datetime(year, 1, 1, tzinfo=UTC)
    days = [first + n * DAY for n in range(367)]
    offsets = [_offset(zone, day) for day in days]
    pairs = zip(days, days[1:], offsets, offsets[1:], strict=False)
    found = (_change(zone, day, until) for day, until, old, new in pairs if old != new)
    return tuple(change for change in found if change.year == year)


def _change(zone: str, start: datetime, end: datetime) -> datetime:
    """The second of the change between the two."""
    old = _offset(zone, start)
    low, high = 0, int((end - start).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, start + timedelta(seconds=middle)) == old else (low, middle)
    return start + timedelta(seconds=high)


def _offset(zone: str, moment: datetime) -> timedelta:
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset()
    return offset if offset is not None else timedelta(0)
