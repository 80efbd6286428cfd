"""Figures of the benchmark of waiting pods."""

from __future__ import annotations

from e2e.bench.warm import Samples, quantile, report


def test_a_quantile_is_one_of_the_values() -> None:
    values = [3.0, 1.0, 2.0, 4.0]

    assert [quantile(values, share) for share in (0.0, 0.5, 0.75, 0.99)] == [1.0, 2.0, 3.0, 4.0]


def test_the_report_says_what_was_missed() -> None:
    lines = report(Samples(warm=[0.02, 0.03, 0.1], cold=[2.0], misses=1, burst=50.0))

    assert lines[0] == "Warm, submit to get(): p50 30 ms, p99 100 ms of 3; no pod waited for 1"
    assert "1/67" in lines[1]
