"""What came of each row: a table for people, and a file for the page that keeps the figures."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

FILE = Path(os.environ.get("CELERIAC_CHAOS_OUTPUT", "dist/chaos.json"))
"""A run of some rows replaces those, and leaves the others."""
_LOST = ("every_promise_is_kept", "every_task_ends", "never ended")
_TWICE = (
    "an_attempt_starts_once",
    "nothing_runs_after_a_success",
    "attempts_do_not_overlap",
    "what_was_buried_never_runs",
)


@dataclass(frozen=True)
class Outcome:
    """A row of the matrix has run."""

    row: int
    """Its number in the fault matrix."""
    name: str
    mode: str
    """Isolation of the tasks."""
    seed: int
    times: int
    """How often the fault has struck."""
    tasks: int
    problems: tuple[str, ...]
    """What the invariant checker says."""
    recovery_seconds: float
    """From the end of the fault until all its tasks, and four that were submitted after it, had ended."""
    at: str = ""
    twins: int = 0
    """Attempts to which the Job controller gave a second pod, which may have run."""

    @property
    def lost(self) -> int:
        """Tasks and acknowledged messages that have come to nothing."""
        return sum(problem.startswith(_LOST) or ": never ended" in problem for problem in self.problems)

    @property
    def twice(self) -> int:
        """Processes that must not have run."""
        return sum(problem.startswith(_TWICE) for problem in self.problems)


def told(outcomes: Iterable[Outcome]) -> Table:
    """The table."""
    columns = ("row", "fault", "tasks in", "times", "tasks", "lost", "twice", "recovery, s", "problems")
    table = Table(*columns, title="Fault matrix")
    for each in outcomes:
        wrong = "; ".join(each.problems[:2]) or "none"
        figures = (each.times, each.tasks, each.lost, each.twice, f"{each.recovery_seconds:.1f}")
        table.add_row(str(each.row), each.name, each.mode, *map(str, figures), wrong)
    return table


def keep(outcomes: Iterable[Outcome], path: Path) -> None:
    """Put them into the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {**read(path), **{each.name: each for each in outcomes}}
    path.write_text(json.dumps([asdict(each) for each in kept.values()], indent=1) + "\n")


def read(path: Path) -> Mapping[str, Outcome]:
    """What the file has, by name; nothing where there is none."""
    rows = json.loads(path.read_text()) if path.exists() else []
    return {row["name"]: Outcome(**{**row, "problems": tuple(row["problems"])}) for row in rows}


def now() -> str:
    """The time for an outcome, to the minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
