"""What the API server makes sure of in a schedule: five fields, each with the values that it can have. Pure.

A regular expression cannot say all: that a range goes up, or that some day matches. The parser
(``celeriac.cron.expression``) does, and the CronTask's status tells; whatever the parser takes fits here.
"""

from __future__ import annotations

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_NICKNAMES = "yearly|annually|monthly|weekly|daily|midnight|hourly"
_STEP = "(/0*[1-9][0-9]?)?"
_HASHED = r"H(\([0-9]+-[0-9]+\))?"
_DAY = "|".join(("[0-7]", *WEEKDAYS))
_MONTH = "|".join(("[1-9]", "1[0-2]", *MONTHS))

SCHEDULE_PATTERN = rf"^\s*(@(?i:{_NICKNAMES})|[^@\s]\S*(\s+\S+){{4}})\s*$"
"""Five fields or a nickname: seconds, years, @reboot and TZ= do not fit. The operator takes such a schedule in, and
says what is wrong with its values."""


def _field(value: str, *others: str) -> str:
    """A list of values, ranges and stars, each with a step or without."""
    one = f"0*({value})"
    item = f"({'|'.join((r'[*?]', f'{one}(-{one})?', _HASHED, *others))}){_STEP}"
    return f"{item}(,{item})*"


_FIELDS = (
    _field("[1-5]?[0-9]"),
    _field("1?[0-9]|2[0-3]"),
    _field("[1-9]|[12][0-9]|3[01]|L"),
    _field(_MONTH),
    _field(_DAY, f"0*({_DAY})#[1-5L]", "L0*[0-7]"),
)
_FIVE = r"\s+".join(_FIELDS)
SCHEDULE_VALUES = rf"(?i)^\s*(@({_NICKNAMES})|{_FIVE})\s*$"
"""What the API server takes. RE2, as CEL has it, and Python's ``re``."""
