"""What the user sees while something is made: a line for each step, with how long it usually takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

# Progress goes to standard error, so that `env`, `kubeconfig` and `-o json` can be used by programs.
console = Console(stderr=True, highlight=False)


@contextmanager
def step(title: str, usual_seconds: float | None = None) -> Iterator[None]:
    """Show a step while it runs, and then that it is done and how long it took."""
    usual = f" [dim](usually {duration(usual_seconds)})[/dim]" if usual_seconds else ""
    began = time.monotonic()
    if not console.is_terminal and (usual_seconds or 0) > 10:
        console.print(f"  … {title}{usual}")
    with console.status(f"{title}{usual}"):
        yield
    console.print(f"  [green]✓[/green] {title} [dim]{time.monotonic() - began:.1f} s[/dim]")


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
