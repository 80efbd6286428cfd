"""Figures of the benchmark of workers."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime

from e2e.bench.machine import Machine
from e2e.bench.processor import spent
from e2e.bench.worker_page import Run, Sample, document, report

SPENT = {"API server": 6.0, "operator": 3.0}
ONE = Sample(replicas=1, submitted=1.0, done=5.0, pods=[400, 200], odd=3, spent=SPENT, floor=0.005)
TWO = Sample(replicas=2, submitted=1.0, done=12.0, pods=[600], odd=0, spent=SPENT, floor=0.004)


def test_the_report_says_how_many_a_second_and_what_was_odd() -> None:
    first, second, third, fourth = report(ONE)

    assert first == "Worker, 1 replica(s), 600 tasks, submit to the last get(): 5.0 s, 120 tasks/s"
    assert "2 pods ran 400, 200 of them; 3 took another attempt" in second
    assert third == "processor time, ms a task: API server 10.0, operator 5.0"
    assert fourth.endswith("with nobody who acts on them: 200 tasks/s")


def test_the_page_has_a_row_for_each_run_and_what_a_task_takes() -> None:
    machine = Machine("AMD", 2, 24, "Debian", "Kubernetes")
    page = document(Run("python -m e2e.bench.worker", datetime(2026, 3, 1, tzinfo=UTC), machine, 0.5, 8), [ONE, TWO])

    assert "| Worker, operator with one replica | 120.0 /s | 120.0 – 120.0 | ≥ 120 /s: met |" in page
    assert "| Worker, operator with 2 replicas | 50.0 /s | 50.0 – 50.0 | ≥ 60 /s: missed |" in page
    assert "their status written once | 225.0 /s | 200.0 – 250.0 |" in page
    assert "| Worker, one replica / that | 0.60 | 0.60 – 0.60 | ≥ 0.32: met |" in page
    assert "| **all of these** | **15.0** | **15.0** |\n| their share of the cores | 90% | 38% |" in page


def test_runs_in_turn_are_one_row_for_each_number_of_replicas() -> None:
    machine, slower = Machine("AMD", 2, 24, "Debian", "Kubernetes"), replace(ONE, done=6.0, floor=0.006)
    found = [ONE, TWO, slower, TWO, slower, TWO]
    page = document(Run("python -m e2e.bench.worker", datetime(2026, 3, 1, tzinfo=UTC), machine, 0.5, 8), found)

    assert "| Worker, operator with one replica | 100.0 /s | 100.0 – 120.0 | ≥ 120 /s: missed |" in page
    assert "| Worker, one replica / that | 0.60 | 0.60 – 0.60 | ≥ 0.32: met |" in page
    assert "| | one replica | 2 replicas |\n|---|---:|---:|" in page
    assert "Runs of each: 3, in turn." in page


def test_processor_time_is_counted_for_those_who_were_there_before_and_after() -> None:
    before = {1: ("/bin/etcd --name=a", 5.0), 2: ("python -m celeriac_operator", 1.0), os.getpid(): ("bench", 0.5)}
    after = {1: ("/bin/etcd --name=a", 7.0), 3: ("python -m celeriac_operator", 9.0), os.getpid(): ("bench", 0.75)}
    found = spent(before, after)

    assert (found["etcd"], found["operator"], found["client"]) == (2.0, 0.0, 0.25)
