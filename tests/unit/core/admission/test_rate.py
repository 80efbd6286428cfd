"""The rate limit, over any sequence of starts, and when the clock jumps."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.clock import T0, at
from tests.support.profiles import examples

from celeriac.api.v1alpha1 import RateLimit
from celeriac_operator.core.admission.rate import bounded, interval, next_token, replayed, taken

LIMIT = RateLimit(tasks=3, period_seconds=60)


def starts(limit: RateLimit, wishes: list[float]) -> list[datetime]:
    """When attempts start that are wished for at these moments, each as early as the limit allows."""
    arrival: datetime | None = None
    found: list[datetime] = []
    for wish in sorted(wishes):
        now = max([at(wish), *found[-1:]])
        now = max(now, next_token(limit, bounded(limit, arrival, now)))
        arrival = taken(limit, arrival, now)
        found.append(now)
    return found


@given(
    st.builds(RateLimit, tasks=st.integers(1, 7), period_seconds=st.integers(1, 90)),
    st.lists(st.floats(0, 300), min_size=1, max_size=40),
)
@examples(100)
def test_no_span_of_time_has_more_starts_than_a_full_bucket_and_what_came_back(
    limit: RateLimit, wishes: list[float]
) -> None:
    found = starts(limit, wishes)
    for number, first in enumerate(found):
        for count, last in enumerate(found[number:], start=1):
            assert count <= limit.tasks + (last - first) / interval(limit) + 0.001


def test_a_bucket_that_nobody_used_is_full() -> None:
    assert [T0, T0, T0, at(20), at(40)] == starts(LIMIT, [0] * 5)


@pytest.mark.parametrize(
    ("arrival", "expected"),
    [(None, 0), (-500.0, 0), (30.0, 30), (3600.0, 60)],
    ids=["an unknown time is now", "a past time is now", "a time within the period stays", "no time is beyond it"],
)
def test_the_arrival_time_is_bounded(arrival: float | None, expected: float) -> None:
    assert at(expected) == bounded(LIMIT, at(arrival) if arrival is not None else None, T0)


def test_a_clock_that_jumps_back_a_day_blocks_for_one_token_only() -> None:
    day_later = taken(LIMIT, None, T0 + timedelta(days=1))

    assert at(20) == next_token(LIMIT, bounded(LIMIT, day_later, T0))


def test_starts_that_were_not_recorded_are_counted_in_whatever_order_they_come() -> None:
    recorded = taken(LIMIT, None, T0)

    assert taken(LIMIT, taken(LIMIT, recorded, at(1)), at(2)) == replayed(LIMIT, recorded, [at(2), at(1)])
    assert recorded == replayed(LIMIT, recorded, [])
