"""The arithmetic of a run on fake nodes: shares of a burst, medians of rounds, and one burst of many."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from e2e.bench.document import verdict
from e2e.bench.figures import Cost, Figure
from e2e.bench.machine import Machine
from e2e.bench.scale.document import Run, as_json, document
from e2e.bench.scale.figures import OTHERS, Sample, Spent, Split, rows, spent, split
from e2e.bench.scale.measure import Plan
from e2e.bench.scale.usage import Memory, Reading
from e2e.bench.stopwatch import Burst

MACHINE = Machine("A Processor", 2, 24.0, "Debian 12, Linux 6.1", "Kubernetes v1.34.4, 1 node, containerd 1.6")


def sample(  # a burst that took so long, and cost so much for each object
    seconds: float, *, size: int = 1000, etcd: float = 5.0, operator: float = 10.0, peak: float = 200.0
) -> Sample:
    """A burst of a kind."""
    cpu = {"etcd": etcd, "operator": operator, OTHERS: 2.0}
    cost = Cost(3.0, operator, 100.0, others=0)
    return Sample(size, Burst(seconds, size // 2), seconds + 5, Spent(cpu, 14.0), cost, Memory(100.0, peak))


def test_what_an_object_cost_is_its_share_and_the_rest_of_the_machine_is_everything_else() -> None:
    before = Reading({"etcd": 10.0, "operator": 1.0}, machine=100.0, writes=50)
    after = Reading({"etcd": 12.0, "operator": 2.0}, machine=104.0, writes=1450)

    found = spent(before, after, size=100)

    assert {"etcd": 20.0, "operator": 10.0, OTHERS: 10.0} == pytest.approx(dict(found.cpu_ms))
    assert 14.0 == found.writes
    assert pytest.approx(30.0) == found.total_ms


def test_everything_else_is_never_less_than_nothing() -> None:
    before = Reading({"etcd": 10.0}, machine=100.0, writes=0)

    assert 0.0 == spent(before, Reading({"etcd": 12.0}, machine=101.9, writes=0), size=1).cpu_ms[OTHERS]


def test_throughput_is_compared_within_a_round() -> None:
    rounds = [{"Task": sample(50), "Job": sample(40)}, {"Task": sample(500), "Job": sample(400)}]

    found = {row.name: row for row in rows(rounds, None)}

    assert Figure(0.8, 0.8, 0.8) == found["throughput: Tasks / Jobs"].figure
    assert verdict(found["throughput: Tasks / Jobs"]) is True
    assert Figure(11.0, 2.0, 20.0) == found["1000 Tasks at once"].figure
    assert 1000 / 55 == found["Tasks, until their Jobs are complete"].figure.high


def test_the_cost_of_one_of_many_is_compared_with_that_of_each_round() -> None:
    rounds = [{"Task": sample(50, operator=8.0), "Job": sample(40)}, {"Task": sample(50), "Job": sample(40)}]

    found = {row.name: row for row in rows(rounds, sample(500, size=10_000, operator=16.0, peak=301.0))}

    assert Figure(1.8, 1.6, 2.0) == found["operator: CPU, a Task of 10000 / of 1000"].figure
    assert verdict(found["operator: CPU, a Task of 10000 / of 1000"]) is False
    assert verdict(found["operator: highest memory (RSS) with 10000 Tasks"]) is False
    assert 5000 == found["unfinished of 10000 when the last was submitted"].figure.median


def test_the_split_has_every_process_and_the_sum_of_the_known_ones() -> None:
    rounds = [{"Task": sample(50, etcd=float(etcd)), "Job": sample(40, operator=0.0)} for etcd in (6, 7, 11)]

    found = split(rounds, sample(500, etcd=8.0))

    assert [
        Split("etcd", 5.0, 7.0, 8.0),
        Split("operator", 0.0, 10.0, 10.0),
        Split(OTHERS, 2.0, 2.0, 2.0),
        Split("sum without everything else", 5.0, 17.0, 18.0),
    ] == found


@pytest.mark.parametrize(
    ("large", "heading"),
    [
        pytest.param(sample(500, size=10_000), "|  | Job of 1000 | Task of 1000 | Task of 10000 |", id="with many"),
        pytest.param(None, "|  | Job of 1000 | Task of 1000 |\n", id="without"),
    ],
)
def test_the_page_has_the_command_the_machine_and_every_figure(large: Sample | None, heading: str) -> None:
    rounds = [{"Task": sample(50), "Job": sample(40)}]
    measured, lines = rows(rounds, large), split(rounds, large)

    page = document(run(large.size if large else 0), measured, lines)

    assert "$ python -m e2e.bench.scale" in page
    assert "2026-11-23 12:00 UTC, on 2 cores (A Processor)" in page
    assert heading in page
    assert all(f"| {row.name} |" in page for row in measured)
    assert all(f"| {line.name} |" in page for line in lines)
    assert "{" not in page


def test_programs_read_the_same_figures_as_json() -> None:
    rounds = [{"Task": sample(50), "Job": sample(40)}]

    found = json.loads(json.dumps(as_json(run(0), rows(rounds, None), split(rounds, None))))

    assert {"job": 5.0, "task": 5.0, "taskOfMany": None} == found["cpuMilliseconds"]["etcd"]
    ratio = next(each for each in found["figures"] if each["name"] == "throughput: Tasks / Jobs")
    assert (0.8, 0.8, True) == (ratio["median"], ratio["target"], ratio["met"])


def run(live: int) -> Run:
    """What is told of a run."""
    when = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    return Run("python -m e2e.bench.scale", when, MACHINE, 0.2, Plan(1, 1000, live), 10, "v0.8.0")
