"""Slots by brute force: every minute of UTC, and every minute of the clock on the wall, is looked at."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def slots(expression: str, zone: str, dst: str, after: datetime, until: datetime) -> list[datetime]:
    """The slots after the one moment and up to the other, in UTC."""
    where = ZoneInfo(zone)
    every_hour = len(_values(expression.split()[1], 1)) == 24
    found = set()
    for moment in _minutes(after, until):
        local = moment.astimezone(where)
        if matches(expression, local) and (local.fold == 0 or every_hour or dst == "Twice"):
            found.add(moment)
    if dst != "Skip" and not every_hour:
        start = after.astimezone(where).replace(tzinfo=None) - timedelta(days=2)
        for wall in _minutes(start, start + (until - after) + timedelta(days=4)):
            shown_later = wall.replace(tzinfo=where, fold=0).astimezone(UTC)
            never_shown = shown_later.astimezone(where).replace(tzinfo=None) != wall
            if never_shown and matches(expression, wall):
                found.add(shown_later)
    return sorted(moment for moment in found if after < moment <= until)


def _minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    moment = start.replace(second=0, microsecond=0)
    while moment <= end:
        yield moment
        moment += MINUTE


def matches(expression: str, local: datetime) -> bool:
    """Does the clock on the wall match?"""
    minute, hour, day, month, weekday = expression.split()
    if local.minute not in _values(minute, 0) or local.hour not in _values(hour, 1):
        return False
    if local.month not in _values(month, 3):
        return False
    weekdays = {value % 7 for value in _values(weekday, 4)}
    by_day, by_weekday = _day(day, local), local.isoweekday() % 7 in weekdays
    if len(weekdays) == 7 or ("L" not in day and len(_values(day, 2)) == 31):
        return by_day and by_weekday
    return by_day or by_weekday


def _day(field: str, local: datetime) -> bool:
    last = calendar.monthrange(local.year, local.month)[1]
    items = [str(last) if item == "L" else item for item in field.split(",")]
    return local.day in _values(",".join(items), 2)


@cache
def _values(field: str, position: int) -> set[int]:
    low, high = RANGES[position]
    if position == 4:
        high = 6 if field.startswith("*") else 7
    values: set[int] = set()
    for item in field.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        begin = low if first == "*" else int(first)
        end = high if first == "*" or (step and not last) else int(last or first)
        values |= set(range(begin, end + 1, int(step or 1)))
    return values
