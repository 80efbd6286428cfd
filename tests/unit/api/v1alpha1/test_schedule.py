"""What the API server lets through: all that the parser takes, and little else."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.profiles import examples

from celeriac.api.v1alpha1.schedule import SCHEDULE_VALUES
from celeriac.cron.errors import CalendarError
from celeriac.cron.expression import FIELDS, parse_expression

TOKENS = (
    *"0157*?/-,#LHWR()",
    "00",
    "12",
    "13",
    "23",
    "24",
    "31",
    "32",
    "59",
    "60",
    "mon",
    "SUN",
    "jan",
    "Dec",
    "H(1-5)",
)
FIELD = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=5).map("".join)


def fits(schedule: str) -> bool:
    return re.search(SCHEDULE_VALUES, schedule) is not None


@examples(2000)
@given(st.integers(0, len(FIELDS) - 1), FIELD)
@example(2, "23-L")
@example(4, "mon#2,L5,fri-sun/2")
def test_whatever_the_parser_takes_fits(position: int, field: str) -> None:
    fields = ["0", "0", "*", "*", "*"]
    fields[position] = field
    schedule = " ".join(fields)
    try:
        parse_expression(schedule, "media/x")
    except CalendarError:
        return
    assert fits(schedule)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        pytest.param(" 0\t2 * *  * ", True, id="spaces around and between"),
        pytest.param("@DAILY", True, id="a nickname in capitals"),
        pytest.param("H/15 9-17 * * MON-FRI", True, id="H with a step, names of days"),
        pytest.param("60 * * * *", False, id="a minute that is none"),
        pytest.param("0 24 * * *", False, id="an hour that is none"),
        pytest.param("0 0 32 * *", False, id="a day that is none"),
        pytest.param("0 0 0 * *", False, id="a day before the first"),
        pytest.param("0 0 * 13 *", False, id="a month that is none"),
        pytest.param("0 0 * * 8", False, id="a day of the week that is none"),
        pytest.param("0 0 * * MONDAY", False, id="a whole name of a day"),
        pytest.param("*/0 * * * *", False, id="a step of nothing"),
        pytest.param("R * * * *", False, id="a random minute"),
        pytest.param("0 0 15W * *", False, id="a working day"),
        pytest.param("1, * * * *", False, id="a list that ends in a comma"),
        pytest.param("0 0 * *", False, id="a field too few"),
        pytest.param("0 0 0 * * *", False, id="a field of seconds"),
        pytest.param("@reboot", False, id="reboot"),
    ],
)
def test_a_schedule(schedule: str, expected: bool) -> None:
    assert expected == fits(schedule)
