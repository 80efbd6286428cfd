"""Whether a curve of a soak grows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from e2e.soak.trend import Curve, Sample, settled, trend

CURVE = Curve("RSS", "MiB", per_hour=4, noise=3)


def samples(figure: Callable[[float], float], hours: float) -> list[Sample]:
    return [Sample(at, {"RSS": figure(at)}) for at in range(0, int(hours * 3600) + 1, 30)]


@pytest.mark.parametrize(
    ("figure", "hours", "grows"),
    [
        pytest.param(lambda _: 80.0, 1, False, id="what stays the same does not grow"),
        pytest.param(lambda at: 80 + at / 3600 * 3, 6, False, id="what grows less than the bound may"),
        pytest.param(lambda at: 80 + at / 3600 * 5, 6, True, id="what grows more than the bound is found"),
        pytest.param(lambda at: 80 + at / 3600 * 5, 0.25, False, id="a small rise of a short run is noise"),
        pytest.param(lambda at: 80 + at / 60, 0.25, True, id="a large rise of a short run is none"),
        pytest.param(lambda at: 80 + min(at, 600) / 10, 1, False, id="what grows in the warm-up only is left out"),
        pytest.param(lambda at: 80 + at % 60, 1, False, id="what goes up and down does not grow"),
        pytest.param(lambda at: 80 - at / 60, 1, False, id="what falls does not grow"),
    ],
)
def test_growth(figure: Callable[[float], float], hours: float, grows: bool) -> None:
    assert trend(CURVE, settled(samples(figure, hours))).grows is grows


def test_the_line_tells_where_it_begins_and_ends() -> None:
    found = trend(CURVE, settled(samples(lambda at: 80 + at / 360, 1)))

    assert (round(found.first, 1), round(found.last, 1), round(found.per_hour, 1)) == (83.3, 90.0, 10.0)
