"""Jumps of the clock are noticed, corrections and the passing of time are not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.clock import T0

from celeriac_operator.clock_jumps import ClockJumps


@pytest.mark.parametrize(
    ("shown", "passed", "jump"),
    [
        pytest.param(10, 10, 0, id="time passes"),
        pytest.param(11.5, 10, 0, id="the clock is corrected"),
        pytest.param(3610, 10, 3600, id="the clock is put forward"),
        pytest.param(-3590, 10, -3600, id="the clock is put back"),
        pytest.param(3600, 0, 3600, id="the machine was asleep"),
    ],
)
def test_a_look(shown: float, passed: float, jump: float) -> None:
    times = iter([(0.0, 0.0), (shown, passed), (shown + 10, passed + 10)])
    now = (0.0, 0.0)

    def clock():  # type: ignore[no-untyped-def]
        nonlocal now
        now = next(times)
        return T0 + timedelta(seconds=now[0])

    jumps = ClockJumps(clock, lambda: now[1])

    assert jump == pytest.approx(jumps.look())
    assert 0 == jumps.look()
