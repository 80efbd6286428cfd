"""The delay of a slot."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice, pairwise

import pytest
from tests.support.cron import clock, cron_spec

from celeriac.cron.calendar import calendar_of
from celeriac_operator.core.cron.jitter import due_time


@pytest.mark.parametrize("seconds", [0, 1, 59, 240, 86_400])
def test_slots_are_due_in_order_and_never_early(seconds: int) -> None:
    calendar = calendar_of(cron_spec("*/5 * * * *"), "media", "x")
    slots = list(islice(calendar.after(clock("12:00")), 200))
    due = [due_time(slot, calendar, "uid-1", seconds) for slot in slots]

    assert all(slot <= moment <= slot + timedelta(seconds=seconds) for slot, moment in zip(slots, due, strict=True))
    assert all(moment < slot for moment, (_, slot) in zip(due, pairwise(slots), strict=False))


def test_it_spreads_and_is_the_same_for_everybody() -> None:
    calendar = calendar_of(cron_spec("0 * * * *"), "media", "x")
    slot = clock("13:00")
    found = [due_time(slot, calendar, f"uid-{n}", 600) for n in range(100)]

    assert found == [due_time(slot, calendar, f"uid-{n}", 600) for n in range(100)]
    assert len(set(found)) > 80
    assert max(found) - min(found) > timedelta(seconds=500)
