"""The benchmark's arithmetic: what the page claims must be what was measured."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from e2e.bench.document import Run, document, spread, target_text, verdict
from e2e.bench.figures import Cost, Figure, Round, Row, Target, cost, figure, rows
from e2e.bench.machine import Machine, kibibytes, processor_name
from e2e.support.metrics import parse

MACHINE = Machine("A Processor", 2, 24.0, "Debian 12, Linux 6.1", "Kubernetes v1.34.4, 1 node, containerd 1.6")


def scrape(creates: int, patches: int, gets: int, cpu: float, finished: int) -> str:
    """The operator's metrics, as far as they matter here."""
    return f"""\
celeriac_api_calls_total{{verb="create",resource="jobs",code="201"}} {creates}
celeriac_api_calls_total{{verb="patch",resource="tasks",code="200"}} {patches}
celeriac_api_calls_total{{verb="get",resource="tasks",code="200"}} {gets}
celeriac_tasks_finished_total{{phase="Succeeded"}} {finished}
process_cpu_seconds_total {cpu}
process_resident_memory_bytes 104857600
"""


def a_round(task: float, job: float, task_burst: float, job_burst: float) -> Round:
    """A round with three samples of each kind around these times."""
    alone = {"Task": [task - 0.1, task, task + 5], "Job": [job, job, job + 9]}
    spent = Cost(3.0, 10.0, 100.0, others=0)
    return Round(alone, {"Task": task_burst, "Job": job_burst}, [spent], spent)


def test_a_figure_is_the_median_with_the_lowest_and_the_highest() -> None:
    assert Figure(2.0, 1.0, 9.0) == figure([9.0, 1.0, 2.0])


def test_a_cost_is_what_was_spent_between_two_scrapes_for_each_task_and_reads_are_no_writes() -> None:
    before, after = parse(scrape(10, 20, 5, 1.0, 100)), parse(scrape(20, 40, 500, 1.2, 112))

    spent = cost(before, after, tasks=10)

    assert spent.writes == 3.0
    assert spent.cpu_ms == pytest.approx(20.0)
    assert spent.rss_mib == 100.0
    assert spent.others == 2


def test_ratios_are_taken_within_a_round_so_that_a_slow_round_does_not_count_against_one_side() -> None:
    rounds = [a_round(1.0, 2.0, 20.0, 25.0), a_round(10.0, 20.0, 200.0, 250.0)]

    found = {row.name: row.figure for row in rows(rounds, burst=60)}

    assert Figure(0.5, 0.5, 0.5) == found["alone: Task / Job"]
    assert Figure(1.25, 1.25, 1.25) == found["throughput: Tasks / Jobs"]


def test_a_throughput_is_the_size_of_the_burst_by_its_time() -> None:
    found = {row.name: row.figure for row in rows([a_round(1.0, 2.0, 20.0, 30.0)], burst=60)}

    assert found["60 Tasks at once"].median == 3.0
    assert found["60 Jobs at once"].median == 2.0


@pytest.mark.parametrize(
    ("median", "target", "met"),
    [
        pytest.param(0.5, Target(0.5), True, id="at most, just so"),
        pytest.param(0.504, Target(0.5), True, id="a difference that is not printed does not count"),
        pytest.param(0.51, Target(0.5), False, id="at most, and it is more"),
        pytest.param(1.0, Target(1.0, at_most=False), True, id="at least, just so"),
        pytest.param(0.98, Target(1.0, at_most=False), False, id="at least, and it is less"),
        pytest.param(7.0, None, None, id="without a target there is no verdict"),
    ],
)
def test_a_target_is_met_or_missed_by_the_median_as_printed(
    median: float, target: Target | None, met: bool | None
) -> None:
    row = Row("x", Figure(median, 0, 9), target=target)

    assert verdict(row) is met


def test_a_missed_target_is_said_in_the_table() -> None:
    row = Row("CPU", Figure(20.0, 18.0, 22.0), "ms", 1, Target(15))

    assert target_text(row) == "≤ 15 ms: missed"
    assert spread(row) == "18.0 – 22.0"


def test_the_page_has_the_command_the_machine_and_every_figure() -> None:
    run = Run("python -m e2e.bench", datetime(2026, 11, 23, 12, 0, tzinfo=UTC), MACHINE, 0.2, 5, 10, 60)
    measured = rows([a_round(1.0, 2.5, 20.0, 25.0)], burst=60)

    page = document(run, measured)

    assert "$ python -m e2e.bench" in page
    assert "2026-11-23 12:00 UTC, on 2 cores (A Processor), 24 GiB; Debian 12" in page
    assert all(f"| {row.name} |" in page for row in measured)
    assert "{" not in page


def test_a_processor_is_known_by_its_model_name() -> None:
    assert processor_name("processor\t: 0\nmodel name\t: A Processor @ 2GHz\n") == "A Processor @ 2GHz"
    assert processor_name("Hardware: something else") == "processor unknown"


def test_a_nodes_memory_is_in_ki() -> None:
    assert kibibytes("1048576Ki") / 1024**2 == 1.0
