"""Time zones: their names, and the moments at which their offsets change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from celeriac.cron.errors import CalendarError
from celeriac.cron.zone import periods, zone_of


@pytest.mark.parametrize("name", ["Etc/UTC", "UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kolkata"])
def test_is_known(name: str) -> None:
    assert name == zone_of(name).key


@pytest.mark.parametrize(
    "name",
    [
        *("Mars/Olympus", "europe/Berlin", "", "Berlin", "../Europe/Berlin", "/etc/localtime", "Europe"),
        *("right/Europe/Berlin", "posix/Europe/Berlin", "localtime", "Factory", "a\x00b", "tzdata.zi", "zone.tab"),
    ],
)
def test_is_not_known(name: str) -> None:
    with pytest.raises(CalendarError, match=r"spec\.timeZone") as refused:
        zone_of(name)

    assert "UnknownTimeZone" == refused.value.reason


@pytest.mark.parametrize(
    ("zone", "start", "expected"),
    [
        pytest.param(
            *("Europe/Berlin", "2026-01-10", ["2026-03-29T01:00 60", "2026-10-25T01:00 120", "2027-01-01T00:00 60"]),
            id="summer and winter",
        ),
        pytest.param(
            *("Africa/Casablanca", "2026-01-10", ["2026-02-15T02:00 60", "2026-03-22T02:00 0", "2027-01-01T00:00 60"]),
            id="Ramadan",
        ),
        pytest.param(
            "Etc/UTC", "2026-01-10", ["2027-01-01T00:00 0", "2028-01-01T00:00 0"], id="no change but the year"
        ),
        pytest.param(
            "Pacific/Apia", "2011-12-01", ["2011-12-30T10:00 -600", "2012-01-01T00:00 840"], id="a missing day"
        ),
    ],
)
def test_periods_end_with_changes_and_years(zone: str, start: str, expected: list[str]) -> None:
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
    found = islice(periods(zone, moment), len(expected))

    assert expected == [f"{p.end:%Y-%m-%dT%H:%M} {int(p.offset / timedelta(minutes=1))}" for p in found]


def test_a_period_remembers_the_change_that_it_began_with() -> None:
    first = next(periods("Europe/Berlin", datetime(2026, 10, 25, 1, 20, tzinfo=UTC)))

    assert datetime(2026, 10, 25, 1, 0, tzinfo=UTC) == first.changed
    assert (timedelta(hours=2), timedelta(hours=1)) == (first.before, first.offset)
