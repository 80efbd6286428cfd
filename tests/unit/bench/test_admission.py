"""The benchmark of admission: a backlog that stays as large as it is said to be, and ratios within rounds."""

from __future__ import annotations

from e2e.bench.admission import QUEUES, SIZES, Backlog, costs


def test_the_backlog_stays_as_large_as_it_was() -> None:
    backlog = Backlog(150)
    for _ in range(2 * QUEUES):
        backlog.change()
    counts = [backlog.admission.counts(queue) for queue in backlog.queues]

    assert sum(count.queued for count in counts) == 150
    assert [1] * QUEUES == [count.running for count in counts]


def test_a_ratio_is_the_median_of_the_ratios_within_a_round() -> None:
    first, middle, last = SIZES
    found = costs([{first: 1, middle: 2, last: 4}, {first: 10, middle: 10, last: 20}, {first: 2, middle: 8, last: 4}])

    assert [1, 2, 2] == [cost.ratio for cost in found]
    assert (8, 2, 10) == (found[1].microseconds, found[1].lowest, found[1].highest)
