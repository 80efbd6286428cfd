"""Figures of the benchmark of workers."""

from __future__ import annotations

from e2e.bench.worker import Sample, report


def test_the_report_says_how_many_a_second_and_what_was_odd() -> None:
    first, second = report(Sample(submitted=1.0, done=5.0, pods=[400, 200], odd=3))

    assert first == "Worker, 600 tasks, submit to the last get(): 5.0 s, 120 tasks/s"
    assert "2 pods ran 400, 200 of them; 3 took another attempt" in second
