"""Real changes of the clock, and other odd days, for every policy. Times are local, with their offset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from celeriac.api.v1alpha1 import CronTaskSpec, DstPolicy
from celeriac.cron.calendar import Calendar, calendar_of, described
from celeriac.cron.expression import parse_expression

TEMPLATE = {"spec": {"container": {"image": "x"}}}


def make_calendar(schedule: str, zone: str = "Etc/UTC", dst: DstPolicy = "Once") -> Calendar:
    """A calendar."""
    return Calendar(parse_expression(schedule, "media/nightly"), zone, dst)


def day(schedule: str, zone: str, dst: DstPolicy, date: str) -> list[str]:
    """The slots of a local day, each as the clock shows it, with its offset."""
    where = ZoneInfo(zone)
    start = datetime.fromisoformat(date).replace(tzinfo=where)
    end = datetime.fromisoformat(date).replace(tzinfo=where) + timedelta(days=1)
    second = timedelta(seconds=1)
    found = make_calendar(schedule, zone, dst).between(start.astimezone(UTC) - second, end.astimezone(UTC) - second)
    return [slot.astimezone(where).strftime("%H:%M%z") for slot in found]


BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
LORD_HOWE, CASABLANCA = "Australia/Lord_Howe", "Africa/Casablanca"

CHANGES: list[tuple[str, str, str, str, dict[str, list[str]]]] = [
    (
        "Berlin, 02:00 becomes 03:00: a missing time",
        *(BERLIN, "2026-03-29", "30 2 * * *"),
        {"Once": ["03:30+0200"], "Skip": [], "Twice": ["03:30+0200"]},
    ),
    (
        "Berlin, 02:00 becomes 03:00: a time that falls together with a missing one runs once",
        *(BERLIN, "2026-03-29", "0 2,3 * * *"),
        {"Once": ["03:00+0200"], "Skip": ["03:00+0200"], "Twice": ["03:00+0200"]},
    ),
    (
        "Berlin, 03:00 becomes 02:00: a repeated time",
        *(BERLIN, "2026-10-25", "30 2 * * *"),
        {"Once": ["02:30+0200"], "Skip": ["02:30+0200"], "Twice": ["02:30+0200", "02:30+0100"]},
    ),
    (
        "Berlin, 03:00 becomes 02:00: the end of the repetition is no part of it",
        *(BERLIN, "2026-10-25", "0 2,3 * * *"),
        {
            "Once": ["02:00+0200", "03:00+0100"],
            "Skip": ["02:00+0200", "03:00+0100"],
            "Twice": ["02:00+0200", "02:00+0100", "03:00+0100"],
        },
    ),
    (
        "New York, 02:00 becomes 03:00: two missing times keep their distance",
        *(NEW_YORK, "2026-03-08", "0,30 2 * * *"),
        {"Once": ["03:00-0400", "03:30-0400"], "Skip": [], "Twice": ["03:00-0400", "03:30-0400"]},
    ),
    (
        "New York, 02:00 becomes 01:00: a repeated time",
        *(NEW_YORK, "2026-11-01", "15 1 * * *"),
        {"Once": ["01:15-0400"], "Skip": ["01:15-0400"], "Twice": ["01:15-0400", "01:15-0500"]},
    ),
    (
        "Lord Howe, 02:00 becomes 02:30: later by half an hour",
        *(LORD_HOWE, "2026-10-04", "15 2 * * *"),
        {"Once": ["02:45+1100"], "Skip": [], "Twice": ["02:45+1100"]},
    ),
    (
        "Lord Howe, 02:00 becomes 01:30: half an hour is repeated",
        *(LORD_HOWE, "2026-04-05", "15,45 1 * * *"),
        {
            "Once": ["01:15+1100", "01:45+1100"],
            "Skip": ["01:15+1100", "01:45+1100"],
            "Twice": ["01:15+1100", "01:45+1100", "01:45+1030"],
        },
    ),
    (
        "Casablanca, Ramadan begins, 03:00 becomes 02:00: a repeated time",
        *(CASABLANCA, "2026-02-15", "30 2 * * *"),
        {"Once": ["02:30+0100"], "Skip": ["02:30+0100"], "Twice": ["02:30+0100", "02:30+0000"]},
    ),
    (
        "Casablanca, Ramadan is over, 02:00 becomes 03:00: a missing time",
        *(CASABLANCA, "2026-03-22", "30 2 * * *"),
        {"Once": ["03:30+0100"], "Skip": [], "Twice": ["03:30+0100"]},
    ),
    (
        "Cairo, 00:00 becomes 01:00: the day begins late, and a daily task is not lost",
        *("Africa/Cairo", "2026-04-24", "@daily"),
        {"Once": ["01:00+0300"], "Skip": [], "Twice": ["01:00+0300"]},
    ),
    (
        "Cairo, 24:00 becomes 23:00: the repeated hour is the evening's",
        *("Africa/Cairo", "2026-10-29", "30 23 * * *"),
        {"Once": ["23:30+0300"], "Skip": ["23:30+0300"], "Twice": ["23:30+0300", "23:30+0200"]},
    ),
    (
        "an ordinary day is the same for all",
        *(BERLIN, "2026-03-30", "30 2 * * *"),
        {"Once": ["02:30+0200"], "Skip": ["02:30+0200"], "Twice": ["02:30+0200"]},
    ),
]


@pytest.mark.parametrize("dst", ["Once", "Skip", "Twice"])
@pytest.mark.parametrize(
    ("zone", "date", "schedule", "expected"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES]
)
def test_a_schedule_that_names_hours(
    dst: DstPolicy, zone: str, date: str, schedule: str, expected: dict[str, list[str]]
) -> None:
    assert expected[dst] == day(schedule, zone, dst, date)


EVERY_HOUR = [
    ("hourly, Berlin in spring: 23 hours", BERLIN, "2026-03-29", "0 * * * *", 23, []),
    ("hourly, Berlin in autumn: 25 hours", BERLIN, "2026-10-25", "0 * * * *", 25, []),
    ("every 15 minutes, New York in spring", NEW_YORK, "2026-03-08", "*/15 * * * *", 23 * 4, []),
    ("every 15 minutes, New York in autumn", NEW_YORK, "2026-11-01", "*/15 * * * *", 25 * 4, []),
    ("every 15 minutes, Lord Howe in autumn", LORD_HOWE, "2026-04-05", "*/15 * * * *", 98, []),
    ("hourly as a range", BERLIN, "2026-10-25", "0 0-23 * * *", 25, []),
    (
        "hourly, Lord Howe in spring: what the clock never shows does not run",
        *(LORD_HOWE, "2026-10-04", "10 * * * *", 23),
        ["02:10"],
    ),
]


@pytest.mark.parametrize("dst", ["Once", "Skip", "Twice"])
@pytest.mark.parametrize(
    ("zone", "date", "schedule", "count", "never"), [row[1:] for row in EVERY_HOUR], ids=[row[0] for row in EVERY_HOUR]
)
def test_a_schedule_of_every_hour_goes_by_what_the_clock_shows(
    dst: DstPolicy, zone: str, date: str, schedule: str, count: int, never: list[str]
) -> None:
    found = day(schedule, zone, dst, date)

    assert count == len(found)
    assert len(found) == len(set(found))
    assert [] == [time for time in found if time[:5] in never]


def firsts(schedule: str, after: str, count: int, zone: str = "Etc/UTC") -> list[str]:
    """The first slots after a moment of UTC, as local dates and times."""
    start = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found = islice(make_calendar(schedule, zone).after(start), count)
    return [slot.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M") for slot in found]


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        pytest.param(
            *("0 0 29 2 *", "2026-01-01", ["2028-02-29 00:00", "2032-02-29 00:00"]),
            id="leap days come every four years",
        ),
        pytest.param(*("0 0 29 2 *", "2096-03-01", ["2104-02-29 00:00"]), id="the year 2100 has no leap day"),
        pytest.param(
            *("0 12 L * *", "2028-01-30", ["2028-01-31 12:00", "2028-02-29 12:00", "2028-03-31 12:00"]),
            id="the last day of the month",
        ),
        pytest.param(*("0 9 * * 5#3", "2026-03-01", ["2026-03-20 09:00", "2026-04-17 09:00"]), id="the third Friday"),
        pytest.param(*("0 9 * * L5", "2026-03-01", ["2026-03-27 09:00", "2026-04-24 09:00"]), id="the last Friday"),
        pytest.param(
            *("0 0 13 * 5", "2026-02-12", ["2026-02-13 00:00", "2026-02-20 00:00", "2026-02-27 00:00"]),
            id="day of month or day of week, where both are given",
        ),
        pytest.param(
            *("0 8 * * fri-mon", "2026-03-05", ["2026-03-06 08:00", "2026-03-07 08:00", "2026-03-08 08:00"]),
            id="days by name, over the end of the week",
        ),
        pytest.param(*("@weekly", "2026-03-01T00:00:01", ["2026-03-08 00:00"]), id="weekly is Sunday, midnight"),
        pytest.param(*("@monthly", "2026-03-01", ["2026-04-01 00:00"]), id="monthly is the first, midnight"),
        pytest.param(*("@yearly", "2026-03-01", ["2027-01-01 00:00"]), id="yearly is New Year, midnight"),
        pytest.param(*("@hourly", "2026-03-01T23:59:59", ["2026-03-02 00:00"]), id="a moment before the slot"),
        pytest.param(*("0 0 * * *", "2026-03-01", ["2026-03-02 00:00"]), id="a slot is not after itself"),
    ],
)
def test_days_that_are_not_like_the_rest(schedule: str, after: str, expected: list[str]) -> None:
    assert expected == firsts(schedule, after, len(expected))


def test_a_day_that_is_missing_as_a_whole_runs_a_day_later() -> None:
    """Samoa went over the date line: there was no 30 December 2011."""
    expected = ["2011-12-29 12:00", "2011-12-31 12:00", "2012-01-01 12:00"]

    assert expected == firsts("0 12 * * *", "2011-12-29T12:00", 3, "Pacific/Apia")


def test_h_is_one_fixed_time_of_the_day_for_each_crontask() -> None:
    times = {
        next(calendar_of(spec("H H * * *"), "media", f"task-{n}").after(datetime(2026, 3, 1, tzinfo=UTC)))
        for n in range(40)
    }

    assert len(times) > 30  # 40 of 1,440 minutes
    assert firsts("H H * * *", "2026-03-01", 2)[0][11:] == firsts("H H * * *", "2026-03-01", 2)[1][11:]


def test_h_in_a_range_stays_in_it() -> None:
    hours = {firsts_of(f"task-{n}") for n in range(40)}

    assert hours <= {0, 1, 2, 3, 4, 5}
    assert len(hours) > 2


def firsts_of(name: str) -> int:
    """The hour of a CronTask of that name."""
    return next(calendar_of(spec("H H(0-5) * * *"), "media", name).after(datetime(2026, 3, 1, tzinfo=UTC))).hour


def test_a_nickname_is_not_hashed() -> None:
    assert ["2026-03-02 00:00"] == firsts("@daily", "2026-03-01T12:00", 1)


def spec(schedule: str, **fields: str) -> CronTaskSpec:
    """A CronTask's spec."""
    return CronTaskSpec.model_validate({"schedule": schedule, "taskTemplate": TEMPLATE, **fields})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, "0 2 * * * Etc/UTC Once", id="defaults are spelt out"),
        pytest.param(
            {"timeZone": "Europe/Berlin", "dstPolicy": "Twice"}, "0 2 * * * Europe/Berlin Twice", id="all of it"
        ),
    ],
)
def test_a_calendar_is_described_by_what_it_is_made_of(fields: dict[str, str], expected: str) -> None:
    assert expected == described(spec(" 0 2  * * *", **fields))


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        pytest.param(1, ["23:59"], id="the newest of a year of minutes"),
        pytest.param(3, ["23:57", "23:58", "23:59"], id="the newest three, in order"),
    ],
)
def test_the_newest_are_found_without_going_through_all(most: int, expected: list[str]) -> None:
    after, until = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 12, 31, 23, 59, 30, tzinfo=UTC)
    looked_at = 0

    class Counted(Calendar):
        """A calendar that counts."""

        def after(self, moment: datetime):  # type: ignore[no-untyped-def]
            nonlocal looked_at
            for slot in Calendar.after(self, moment):
                looked_at += 1
                yield slot

    plain = make_calendar("* * * * *")
    found = Counted(plain.expression, plain.zone, plain.dst).newest(after, until, most)

    assert expected == [slot.strftime("%H:%M") for slot in found]
    assert looked_at < 200


@pytest.mark.parametrize("most", [1, 2, 5, 30])
@pytest.mark.parametrize("schedule", ["*/7 3 * * *", "* * * 1 *", "0 0 1,15 * 1", "0 0 31 12 *"])
def test_the_newest_are_the_end_of_all(schedule: str, most: int) -> None:
    after, until = datetime(2026, 1, 20, 0, 0, 30, tzinfo=UTC), datetime(2026, 3, 9, 3, 20, tzinfo=UTC)
    calendar = make_calendar(schedule)
    everything = tuple(calendar.between(after, until))

    assert everything[-most:] == calendar.newest(after, until, most)
    assert min(len(everything), most) == calendar.count(after, until, most)
