"""Where the figures of a benchmark are kept."""

from pathlib import Path

from e2e.support.connection import REPOSITORY
from rich.console import Console


def write(page: Path, text: str, wanted: bool, console: Console) -> None:
    """Write the page if that is wanted, and say what became of it."""
    path = page.relative_to(REPOSITORY)
    if not wanted:
        console.print(f"A trial: {path} stays as it was. Add --write to write it all the same.")
        return
    page.parent.mkdir(exist_ok=True)
    page.write_text(text)
    console.print(f"Written: {path}")
