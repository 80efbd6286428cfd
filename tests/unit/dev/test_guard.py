"""What is left over when ``celeriac dev`` is gone; that it is ended is tested in tests/nats/dev."""

from __future__ import annotations

import pytest

from celeriac_operator.dev.guard import left_over


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], set(), id="nothing was started"),
        pytest.param(["+11\n", "+12\n", "-11\n"], {12}, id="one has ended"),
        pytest.param(["+11\n", "-11\n", "+11\n"], {11}, id="a number that was used again"),
        pytest.param(["-11\n"], set(), id="an end alone"),
    ],
)
def test_left_over(lines: list[str], expected: set[int]) -> None:
    assert expected == left_over(lines)
