"""What a function knows of its attempt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from celeriac import Context

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        pytest.param(None, None, id="no deadline"),
        pytest.param(2.5, 2.5, id="some time"),
        pytest.param(-3, 0.0, id="it has passed"),
    ],
)
def test_remaining(left: float | None, expected: float | None) -> None:
    deadline = None if left is None else NOW + timedelta(seconds=left)
    assert expected == Context(deadline=deadline, clock=lambda: NOW).remaining()


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_progress_goes_from_0_to_1(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"progress goes from 0\.0 to 1\.0"):
        Context().progress(fraction)


def test_progress_is_reported() -> None:
    reported: list[tuple[float, str]] = []
    Context(report=lambda *each: reported.append(each)).progress(0.5, "half")
    assert [(0.5, "half")] == reported


def test_without_an_attempt_progress_goes_nowhere() -> None:
    Context().progress(0.5)
    assert Context().uid is None
