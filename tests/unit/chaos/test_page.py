"""The figures of the fault matrix on the page: what was run, and that the rest was not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from e2e.chaos.outcomes import Outcome, keep, read
from e2e.chaos.page import BEGIN, END, with_figures

KILLED = Outcome(1, "killed", "Pod", 7, 6, 20, (), 3.21, "2026-11-26 07:00 UTC")
LOST = Outcome(
    15, "cut", "Warm", 7, 2, 8, ("every_task_ends: t-1", "t-1: never ended", "an_attempt_starts_once: t"), 9.0
)


def test_a_row_tells_its_figures_and_one_that_was_not_run_says_so() -> None:
    page = with_figures(f"before {BEGIN}old{END} after", {"slow": 33, "killed": 1}, {"killed": KILLED})

    assert page.startswith("before ")
    assert page.endswith(" after")
    assert "old" not in page
    lines = [line for line in page.splitlines() if line.startswith("|")][2:]
    assert lines == [
        "| 1 | killed | Pod | 6 | 20 | 0 | 0 | 3.2 | 7, 2026-11-26 07:00 UTC |",
        "| 33 | slow | not run | | | | | | |",
        "|  | 1 rows |  | 6 | 20 | 0 | 0 | 3.2 at most |  |",
    ]


def test_what_was_lost_or_ran_twice_is_counted_and_problems_are_named() -> None:
    page = with_figures(f"{BEGIN}{END}", {"cut": 15}, {"cut": LOST})

    assert "| 15 | cut | Warm | 2 | 8 | 2 | 1 | 9.0 | 7, ; 3 problems |" in page


def test_what_kubernetes_itself_started_twice_is_told_apart() -> None:
    page = with_figures(f"{BEGIN}{END}", {"killed": 1}, {"killed": replace(KILLED, twins=2)})

    assert "| 1 | killed | Pod | 6 | 20 | 0 | 0; 2 by Kubernetes | 3.2 |" in page


def test_a_run_of_some_rows_leaves_the_others(tmp_path: Path) -> None:
    keep([KILLED, LOST], tmp_path / "a" / "chaos.json")
    again = Outcome(1, "killed", "Pod", 8, 6, 20, (), 1.0, "later")
    keep([again], tmp_path / "a" / "chaos.json")

    assert read(tmp_path / "a" / "chaos.json") == {"killed": again, "cut": LOST}
