"""The table of what was shown, at the end."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from rich.console import Console
from rich.table import Table as RichTable


@dataclass
class Table:
    """A line for each row of the matrix that has run."""

    lines: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, number: int, fault: str, times: int, tasks: int, problems: list[str], recovered: float) -> None:
        """A row has run."""
        told = "; ".join(problems[:2]) or "none"
        self.lines.append((str(number), fault, str(times), str(tasks), told, f"{recovered:.1f}"))

    def __rich__(self) -> RichTable:
        rich = RichTable("row", "fault", "times", "tasks", "problems", "4 tasks after it, s", title="Fault matrix")
        for line in self.lines:
            rich.add_row(*line)
        return rich


_TABLE = Table()


@pytest.fixture(scope="session")
def table() -> Table:
    """Takes a line for each row."""
    return _TABLE


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary() -> Iterator[None]:
    """Print it."""
    yield
    if _TABLE.lines:
        Console(width=120).print(_TABLE)
