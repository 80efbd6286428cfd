"""A schedule's text as a calendar of local times. croniter reads the fields; what we do not want of it is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from croniter import croniter

from celeriac.api.v1alpha1.schedule import MONTHS, WEEKDAYS
from celeriac.cron.errors import CalendarError

FIELDS = ("minute", "hour", "day of month", "month", "day of week")
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
LONGEST_GAP_YEARS = 50
"""Beyond this a schedule counts as one that never matches. The longest gap of one that does is 40, of February's fifth
Sunday around the year 2100, which is no leap year."""

_SIZES = (60, 24, 31, 12, 7)
_EPOCH = datetime(2024, 1, 1)
_RANDOM = re.compile(r"R($|[(/])", re.IGNORECASE)
_NTH = re.compile(r"#|L", re.IGNORECASE)
_NUMBERS: dict[str, int] = {
    **{name: number for number, name in enumerate(WEEKDAYS)},
    **{name: number for number, name in enumerate(MONTHS, 1)},
}
_CHARACTERS = re.compile(r"[0-9A-Za-z*/,()#?-]+")


@dataclass(frozen=True, slots=True)
class Expression:
    """Five fields that were found to be good."""

    fields: str
    hash_id: str
    """What H is derived from."""
    every_hour: bool
    """The hour field takes every hour."""

    def after(self, local: datetime) -> Iterator[datetime]:
        """Local times that match, after that one, in order, without end. Naive in, naive out."""
        found = croniter(self.fields, local, hash_id=self.hash_id.encode(), max_years_between_matches=LONGEST_GAP_YEARS)
        while True:
            yield found.get_next(datetime)  # type: ignore[no-untyped-call]


def parse_expression(schedule: str, hash_id: str) -> Expression:
    """The expression that a schedule stands for.

    Args:
        hash_id: what H is derived from, such as namespace/name.

    Raises:
        CalendarError: it is none, and the message names the field.
    """
    text = " ".join(schedule.split())
    fields = _fields(NICKNAMES.get(text.lower(), text))
    try:
        whole = _unrestricted(fields, hash_id)
        plain = " ".join("*" if all_of_it else field for field, all_of_it in zip(fields, whole, strict=True))
        expression = Expression(plain, hash_id, every_hour=whole[FIELDS.index("hour")])
        next(expression.after(_EPOCH))
    except (ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise _refused(schedule, _why(fields, hash_id, error)) from None
    return expression


def _unrestricted(fields: list[str], hash_id: str) -> list[bool]:
    """Which fields take every value, however that is written: croniter has its own mind about ``*/1`` beside L."""
    expanded, nth = croniter.expand(" ".join(fields), hash_id=hash_id.encode())
    whole = [values == ["*"] or len(set(values)) == size for values, size in zip(expanded, _SIZES, strict=True)]
    return [*whole[:-1], whole[-1] and not nth]


def _fields(text: str) -> list[str]:
    if text.startswith("@"):
        known = ", ".join(NICKNAMES)
        raise _refused(text, f"it is none of {known}")
    fields = text.split(" ")
    if len(fields) != len(FIELDS):
        raise _refused(text, f"it has {len(fields)} fields, not the five {', '.join(FIELDS)}")
    for name, field in zip(FIELDS, fields, strict=True):
        _check(text, name, field)
    if _NTH.search(_numbers(fields[4])) and fields[2] not in ("*", "?"):
        raise _refused(text, f"its day of week {fields[4]} needs * as day of month")
    return fields


def _check(text: str, name: str, field: str) -> None:
    """What croniter would take, and we do not."""
    if not _CHARACTERS.fullmatch(field):
        raise _refused(text, f"its {name} {field} has characters that no field has")
    if name == "day of month" and "W" in field.upper():
        raise _refused(text, f"its {name} {field} asks for a working day, which no calendar here knows")
    if backwards := _runs_backwards(field):
        raise _refused(text, f"the range {backwards} of its {name} does not go up")
    if step := _too_large(field, _SIZES[FIELDS.index(name)]):
        raise _refused(text, f"the step {step} of its {name} goes beyond it, and would not carry over into the next")
    if any(_RANDOM.match(item) for item in field.split(",")):
        raise _refused(text, f"its {name} {field} is random, and a restart would change it; H gives a fixed value")


def _runs_backwards(field: str) -> str:
    """A range that does not go up: croniter takes 5-5 for all there is. Days by name may go over the week's end."""
    for item in field.split(","):
        first, dash, last = item.partition("/")[0].lower().partition("-")
        begin, end = _number(first), _number(last)
        if not dash or begin is None or end is None:
            continue
        by_name = first in WEEKDAYS and last in WEEKDAYS
        if begin == end or (begin > end and not by_name):
            return item
    return ""


def _too_large(field: str, size: int) -> str:
    """A step that has more values than the field: */90 is not every 90 minutes, it is every hour."""
    steps = (item.partition("/")[2] for item in field.split(","))
    return next((step for step in steps if step.isdecimal() and int(step[:9]) > size), "")


def _number(value: str) -> int | None:
    return int(value) if value.isdecimal() else _NUMBERS.get(value)


def _numbers(field: str) -> str:
    """The field without names of days, which have an L in none and a # in none; and without H and its range."""
    return re.sub(rf"(?i){'|'.join(WEEKDAYS)}|H(\([0-9-]*\))?", "", field)


def _why(fields: list[str], hash_id: str, error: Exception) -> str:
    """The field that croniter does not take by itself; or that no day is ever all of it."""
    for position, (name, field) in enumerate(zip(FIELDS, fields, strict=True)):
        alone = ["*"] * len(FIELDS)
        alone[position] = field
        try:
            croniter.expand(" ".join(alone), hash_id=hash_id.encode())
        except (ValueError, KeyError, IndexError, TypeError, OverflowError):
            return f"its {name} {field} is not valid"
    return "no day matches it" if "failed to find" in str(error) else str(error)


def _refused(schedule: str, why: str) -> CalendarError:
    return CalendarError("InvalidSchedule", f"spec.schedule {schedule[:100]!r} cannot be used: {why}. Correct it")
