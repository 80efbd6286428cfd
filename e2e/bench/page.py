"""Where the figures of a benchmark are kept, and what every page tells of the run."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from e2e.bench.machine import Machine
from e2e.support.connection import REPOSITORY
from rich.console import Console


@dataclass(frozen=True)
class Run:
    """What is told of a run beside its figures."""

    command: str
    when: datetime
    machine: Machine
    load: float

    @property
    def words(self) -> dict[str, object]:
        """The same, for a page."""
        when = f"{self.when:%Y-%m-%d %H:%M} UTC"
        return {"command": self.command, "when": when, "machine": self.machine, "load": self.load}


def write(page: Path, text: str, wanted: bool, console: Console) -> None:
    """Write the page if that is wanted, and say what became of it."""
    path = page.relative_to(REPOSITORY)
    if not wanted:
        console.print(f"A trial: {path} stays as it was. Add --write to write it all the same.")
        return
    page.parent.mkdir(exist_ok=True)
    page.write_text(text)
    console.print(f"Written: {path}")
