"""What a schedule may not say, and that the message names the field."""

from __future__ import annotations

import pytest

from celeriac.cron.errors import CalendarError
from celeriac.cron.expression import parse_expression


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        pytest.param("0 0 0 * * *", "6 fields, not the five minute, hour", id="a field of seconds"),
        pytest.param("0 0 * *", "4 fields", id="a field too few"),
        pytest.param("0 0 1 1 * * 2030", "7 fields", id="a field of years"),
        pytest.param("TZ=Europe/Berlin 0 0 * * *", "6 fields", id="a time zone in the schedule"),
        pytest.param("@reboot", "none of @yearly", id="reboot"),
        pytest.param("@every 5m", "none of @yearly", id="every"),
        pytest.param("R * * * *", "minute R is random", id="a random minute"),
        pytest.param("0 R(0-5) * * *", "hour R(0-5) is random", id="a random hour"),
        pytest.param("0 0 * * 1,r", "day of week 1,r is random", id="a random day in a list"),
        pytest.param("61 * * * *", "minute 61", id="a minute that is none"),
        pytest.param("0 24 * * *", "hour 24", id="an hour that is none"),
        pytest.param("0 0 0 * *", "day of month 0", id="a day that is none"),
        pytest.param("0 0 * 13 *", "month 13", id="a month that is none"),
        pytest.param("0 0 * * 8", "day of week 8", id="a day of the week that is none"),
        pytest.param("*/0 * * * *", "minute */0", id="a step of nothing"),
        pytest.param("*/90 * * * *", "step 90 of its minute", id="every 90 minutes, which would be every hour"),
        pytest.param("0 H/36 * * *", "step 36 of its hour", id="every 36 hours, which would be every day"),
        pytest.param("0 0 1,*/32 * *", "step 32 of its day of month", id="a step beyond the month, in a list"),
        pytest.param("5-5 * * * *", "range 5-5 of its minute", id="a range of one, which croniter takes for all"),
        pytest.param("* 22-2 * * *", "range 22-2 of its hour", id="a range over midnight"),
        pytest.param("0 0 15W * *", "day of month 15W", id="working days"),
        pytest.param("0 0 1 * L5", "day of week L5 needs * as day of month", id="the last Friday beside a day"),
        pytest.param("0 0 30 2 *", "no day matches", id="the 30 February"),
        pytest.param("0 0 31 4,6,9,11 *", "no day matches", id="the 31st of months of 30 days"),
        pytest.param("0 0 ; * *", "characters", id="other characters"),
        pytest.param("a b c d e", "minute a", id="words"),
        pytest.param("", "1 fields", id="nothing"),
        pytest.param("9" * 200 + " * * * *", "minute 999", id="a number without end"),
    ],
)
def test_is_refused_with_the_name_of_the_field(schedule: str, says: str) -> None:
    with pytest.raises(CalendarError) as refused:
        parse_expression(schedule, "media/x")

    assert "InvalidSchedule" == refused.value.reason
    assert "spec.schedule" in str(refused.value)
    assert says in str(refused.value)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "H H * * *",
        "H/15 * * * *",
        "*/60 */24 * * *",
        "H H(0-7) * * H",
        "0 9-17 * * MON-FRI",
        "0 0 L * *",
        "@Daily",
        "0 0 ? * *",
    ],
)
def test_is_taken(schedule: str) -> None:
    parse_expression(schedule, "media/x")


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        pytest.param("0 * * * *", True, id="a star"),
        pytest.param("0 0-23 * * *", True, id="all hours as a range"),
        pytest.param("0 */1 * * *", True, id="a step of one"),
        pytest.param("0 */2 * * *", False, id="every second hour"),
        pytest.param("*/5 9-17 * * *", False, id="office hours"),
        pytest.param("0 H * * *", False, id="a hashed hour"),
    ],
)
def test_knows_whether_it_names_hours(schedule: str, expected: bool) -> None:
    assert expected == parse_expression(schedule, "media/x").every_hour
