"""What somebody who waits sees: bars on a terminal, elsewhere a line for each part."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Told:
    """What is being done now, and how far the present burst is."""

    def __init__(self, bar: Progress, steps: int) -> None:
        self._bar, self._all = bar, bar.add_task("", total=steps, completed=-1)
        self._part = bar.add_task("", total=1, visible=False)
        self._last = ""

    def __call__(self, what: str) -> None:
        """The next step begins."""
        self._bar.update(self._all, advance=1, description=what)
        self._bar.update(self._part, visible=False)
        if self._bar.disable and what != self._last:
            self._bar.console.print(what)
        self._last = what

    def found(self, what: str) -> None:
        """Something that is worth knowing even if the rest is stopped."""
        self._bar.console.print(what)

    def ended(self, count: int, size: int) -> None:
        """So many of a burst have ended."""
        self._bar.update(self._part, completed=count, total=size, description="ended", visible=True)


@contextmanager
def progress(console: Console, steps: int) -> Iterator[Told]:
    """Bars for so many steps."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)
    with bar:
        yield Told(bar, steps)
