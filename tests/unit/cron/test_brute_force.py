"""The calendar against brute force: random schedules, zones and policies, mostly around changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.support import brute_calendar
from tests.support.profiles import examples

from celeriac.cron.calendar import Calendar
from celeriac.cron.errors import CalendarError
from celeriac.cron.expression import parse_expression

CHANGES = {
    "Europe/Berlin": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/New_York": ("2026-03-08T07:00", "2026-11-01T06:00"),
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),
    "Africa/Casablanca": ("2026-02-15T02:00", "2026-03-22T02:00"),
    "Africa/Cairo": ("2026-04-23T22:00", "2026-10-29T21:00"),
    "Asia/Beirut": ("2026-03-28T22:00", "2026-10-24T21:00"),
    "America/Santiago": ("2026-04-05T03:00", "2026-09-06T04:00"),
    "Antarctica/Troll": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "Pacific/Apia": ("2011-12-30T10:00", "2011-09-24T14:00"),
    "Europe/Dublin": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "Etc/UTC": ("2028-02-29T00:00", "2100-02-28T12:00"),
}
"""Where the clock changes, in UTC; a day that is missing as a whole, and days that are not there every year, too."""


def field(low: int, high: int) -> st.SearchStrategy[str]:
    """A field of an expression."""
    number = st.integers(low, high)
    step = st.integers(1, max(high // 2, 1))
    span = st.lists(number, min_size=2, max_size=2, unique=True).map(lambda pair: f"{min(pair)}-{max(pair)}")
    item = st.one_of(number.map(str), span, st.tuples(span, step).map(lambda pair: f"{pair[0]}/{pair[1]}"))
    return st.one_of(
        st.just("*"),
        st.just("*"),
        step.map(lambda n: f"*/{n}"),
        st.lists(item, min_size=1, max_size=3).map(",".join),
    )


EXPRESSIONS = st.tuples(
    field(0, 59),
    st.one_of(st.just("0-23"), field(0, 23), field(0, 4)),
    st.one_of(st.just("*"), st.just("L"), field(1, 31)),
    st.one_of(st.just("*"), field(1, 12)),
    st.one_of(st.just("*"), field(0, 6)),
).map(" ".join)


@given(
    expression=EXPRESSIONS,
    place=st.sampled_from([(zone, change) for zone, changes in CHANGES.items() for change in changes]),
    dst=st.sampled_from(["Once", "Skip", "Twice"]),
    before=st.integers(0, 36 * 60),
    hours=st.integers(1, 40),
)
@examples(100)
def test_the_calendar_has_just_the_slots_that_brute_force_finds(
    expression: str, place: tuple[str, str], dst: str, before: int, hours: int
) -> None:
    zone, change = place
    after = datetime.fromisoformat(change).replace(tzinfo=UTC) - timedelta(minutes=before)
    until = after + timedelta(hours=hours)
    expected = brute_calendar.slots(expression, zone, dst, after, until)
    try:
        calendar = Calendar(parse_expression(expression, "media/x"), zone, dst)  # type: ignore[arg-type]
    except CalendarError:
        assert expected == []
        return

    assert expected == list(calendar.between(after, until))


@given(
    expression=EXPRESSIONS,
    zone=st.sampled_from(sorted(CHANGES)),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1)),
    hours=st.integers(1, 30),
)
@examples(25)
def test_on_any_day(expression: str, zone: str, start: datetime, hours: int) -> None:
    after = start.replace(tzinfo=UTC)
    until = after + timedelta(hours=hours)
    expected = brute_calendar.slots(expression, zone, "Once", after, until)
    try:
        calendar = Calendar(parse_expression(expression, "media/x"), zone, "Once")
    except CalendarError:
        assert expected == []
        return

    assert expected == list(calendar.between(after, until))
