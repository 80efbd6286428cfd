"""Figures and page of the benchmark of pods that wait."""

from __future__ import annotations

from datetime import UTC, datetime

from e2e.bench.machine import Machine
from e2e.bench.warm.document import Run, document
from e2e.bench.warm.figures import COLD, FRESH, JOB, PREFORK, WARM, Round, quantile, rows
from e2e.bench.warm.measure import Plan

ALONE = {WARM: [0.02, 0.03, 0.1], JOB: [3.0], COLD: [2.0]}
CELERY = {PREFORK: [0.005], FRESH: [0.01]}
BURST = {WARM: [0.08], JOB: [4.0]}


def test_a_quantile_is_one_of_the_values() -> None:
    values = [3.0, 1.0, 2.0, 4.0]

    assert [quantile(values, share) for share in (0.0, 0.5, 0.75, 0.99)] == [1.0, 2.0, 3.0, 4.0]


def test_what_was_measured_has_a_row() -> None:
    found = {row.name: row.figure.median for row in rows([Round({**ALONE, **CELERY}, {**BURST, **CELERY})], 4)}

    assert (30, 0.01, 6.0) == (
        found["Warm, submit to get(), p50"],
        found["Warm / raw Job"],
        found["Warm / Celery prefork"],
    )
    assert 100 == found["Warm, p99 of all 3"]
    assert (50, 800, 0.25) == (
        found["Warm, as many at once as pods wait (4)"],
        found["Celery prefork, as many at once (4)"],
        found["Warm, tasks of that burst in the time of a call of Celery"],
    )


def test_without_the_peer_nothing_is_said_of_it() -> None:
    names = [row.name for row in rows([Round(ALONE, BURST)], 4)]

    assert not [name for name in names if "Celery" in name]


def test_the_page_says_why_there_is_no_peer() -> None:
    machine = Machine("a processor", 2, 8, "an OS", "a cluster")
    run = Run("a command", datetime(2026, 11, 26, tzinfo=UTC), machine, 0.1, Plan(1, 3, 1, 4), 1, "not measured: no")
    text = document(run, rows([Round(ALONE, BURST)], 4))

    assert "- Celery: not measured: no\n" in text
    assert "No pod waited for 1 of the calls" in text
