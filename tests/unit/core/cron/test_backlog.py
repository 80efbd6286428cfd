"""Jitter at the edge of the backlog: a slot that has come and is not due yet is neither run nor missed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from tests.support.cron import clock, cron_spec

from celeriac.cron.calendar import calendar_of
from celeriac_operator.core.cron.backlog import Timing, backlog
from celeriac_operator.core.cron.jitter import due_time
from celeriac_operator.core.cron.policy import policy_of

SPEC = cron_spec("0 * * * *", jitterSeconds=3000)
CALENDAR = calendar_of(SPEC, "media", "nightly")
SLOT = clock("13:00")
DUE = next(
    (uid, due)
    for uid in map(str, range(100))
    if (due := due_time(SLOT, CALENDAR, uid, 3000)) - SLOT > timedelta(minutes=20)
)


def sorted_at(now: datetime, *, fence: datetime | None = None, catch_up: str = "None") -> tuple[list[datetime], int]:
    """The slots to be run, and how many are missed."""
    policy = policy_of(cron_spec("0 * * * *", jitterSeconds=3000, catchUp=catch_up))
    found = backlog(CALENDAR, policy, Timing(fence or clock("12:30"), now, None, DUE[0]))
    return list(found.run), found.missed


@pytest.mark.parametrize("catch_up", ["None", "Latest", "All"])
@pytest.mark.parametrize(
    ("late", "run"),
    [
        pytest.param(timedelta(seconds=-1), [], id="a second before it is due"),
        pytest.param(timedelta(0), [SLOT], id="when it is due"),
        pytest.param(timedelta(seconds=60), [SLOT], id="a minute after"),
    ],
)
def test_a_slot_with_jitter(catch_up: str, late: timedelta, run: list[datetime]) -> None:
    assert (run, 0) == sorted_at(DUE[1] + late, catch_up=catch_up)


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        pytest.param("None", ([], 1), id="None: it is missed"),
        pytest.param("Latest", ([SLOT], 0), id="Latest: it runs"),
        pytest.param("All", ([SLOT], 0), id="All: it runs"),
    ],
)
def test_a_slot_with_jitter_that_is_late(catch_up: str, expected: tuple[list[datetime], int]) -> None:
    assert expected == sorted_at(DUE[1] + timedelta(seconds=61), catch_up=catch_up)


def test_what_comes_before_a_slot_that_is_not_due_is_missed_without_it() -> None:
    found = backlog(CALENDAR, policy_of(SPEC), Timing(clock("09:30"), DUE[1] - timedelta(seconds=1), None, DUE[0]))

    assert ((), 3, SLOT) == (found.run, found.missed, found.next)
    assert found.missed_until is not None
    assert clock("12:00") < found.missed_until < SLOT


def test_a_fence_in_the_future_has_nothing_behind_it() -> None:
    assert ([], 0) == sorted_at(clock("13:00:30"), fence=clock("15:30"), catch_up="All")
