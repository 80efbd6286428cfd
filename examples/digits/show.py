"""What people see of the sweep: live on a terminal, a line for each change elsewhere, and the tables at the end."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from examples.digits.follow import State, Sweep
from examples.digits.trainings import RAISES, SPECIAL, in_words
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

PHASES = {
    "Pending": "dim",
    "Queued": "dim",
    "Starting": "cyan",
    "Running": "blue",
    "Retrying": "yellow",
    "Succeeded": "green",
    "Failed": "red",
    "Cancelled": "magenta",
    "Expired": "magenta",
}
NEWEST = 7
NAME_WIDTH = 12
LONGEST_LINE = 150


def one_line(message: str) -> str:
    """A message on one line; of a traceback what it ends with, which is what people look for first."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if len(lines) < 2:
        return "".join(lines)
    return f"{re.sub(r' *Traceback .*', '', lines[0])} … {lines[-1]}"


class Board:
    """The live picture: a bar, how many are in each phase, and what was said last."""

    def __init__(self, console: Console, sweep: Sweep) -> None:
        self._console, self._sweep = console, sweep
        self._newest: deque[Text] = deque(maxlen=NEWEST)
        self._bar = Progress(
            TextColumn("[bold]Sweep"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self._task = self._bar.add_task("sweep", total=sweep.expected)

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show the picture while this lasts; without a terminal there are only lines."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self, console=self._console, refresh_per_second=8):
            yield

    def tell(self, state: State) -> None:
        """Take in a change."""
        self._bar.update(self._task, completed=self._sweep.finished)
        if not state.message:
            return  # just submitted: the counts show it
        line = change_line(state)
        self._newest.append(line)
        if not self._console.is_terminal:
            line.truncate(LONGEST_LINE, overflow="ellipsis")
            self._console.print(Text(f"[{self._sweep.finished:2}/{self._sweep.expected}]"), line, soft_wrap=True)

    def __rich__(self) -> RenderableType:
        return Group(self._bar, phase_counts(self._sweep), *self._newest)


def change_line(state: State) -> Text:
    """One Task's newest state."""
    text = Text(overflow="ellipsis", no_wrap=True)
    text.append(f"{time.strftime('%H:%M:%S')} ", "dim")
    text.append(f"{state.name:<{NAME_WIDTH}} ")
    text.append(f"{state.phase:<9} ", PHASES.get(state.phase, ""))
    accuracy = state.measured("accuracy")
    what = f"reads {accuracy:.2%} of unseen digits" if accuracy is not None else one_line(state.message)
    text.append(what)
    return text


def phase_counts(sweep: Sweep) -> Text:
    """How many Tasks are in each phase, in the order of their lives."""
    counts = Counter(state.phase for state in sweep.states.values())
    parts = [Text(f"{counts[phase]} {phase}", style) for phase, style in PHASES.items() if counts[phase]]
    return Text("  ").join(parts) if parts else Text("nothing yet", "dim")


def ranking(sweep: Sweep) -> list[State]:
    """The Tasks that have an accuracy, best first, and of equals the quicker."""
    ranked = [state for state in sweep.states.values() if state.measured("accuracy") is not None]
    return sorted(ranked, key=lambda state: (-(state.measured("accuracy") or 0), state.measured("seconds") or 0))


def results_table(sweep: Sweep) -> Table:
    """Accuracies, best first, as the statuses have them."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("#", justify="right", style="dim")
    table.add_column("task", no_wrap=True)
    table.add_column("params")
    for heading in ("accuracy", "attempts", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for rank, state in enumerate(ranking(sweep), 1):
        table.add_row(
            str(rank),
            state.name,
            Text(in_words(state.params)),
            f"{state.measured('accuracy') or 0:.2%}",
            str(state.status.attempt_count or 0),
            f"{state.measured('seconds') or 0:.2f}",
            style="bold green" if rank == 1 else "",
        )
    return table


def special_cases(sweep: Sweep) -> Table:
    """What became of the four tasks that were meant to get into trouble, each in a line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for training in SPECIAL:
        state = sweep.states.get(training.name)
        if state is not None:
            phase = Text(state.status.reason or state.phase, PHASES.get(state.phase, ""))
            table.add_row(training.name, phase, Text(trouble(state)))
    return table


def trouble(state: State) -> str:
    """What the Task says, without what stands in the columns before."""
    last = one_line(state.message).rsplit(" … ", 1)[-1]
    return re.sub(r"^Attempt \d+ failed( \(.*?\))?: ", "", last)


def traceback_panel(sweep: Sweep) -> RenderableType:
    """The traceback of the training that raised, from the Task's status: nobody had to look for a pod's log."""
    state = sweep.states.get(RAISES.name)
    message = state.message if state else ""
    return Panel(Text(message), title=f"status.message of task {RAISES.name}", title_align="left", border_style="red")


def what_next(namespace: str) -> Text:
    """Commands to try."""
    commands = (
        ('eval "$(.venv/bin/python -m e2e.cluster env)"', "KUBECONFIG, and kubectl in PATH, for all that follows"),
        (f"kubectl get tasks -n {namespace}", "each task, its phase and reason"),
        (f"kubectl get task {RAISES.name} -n {namespace} -o yaml", "everything that is known of one"),
        (f".venv/bin/celeriac list -n {namespace}", "the same from the command line tool"),
        (f".venv/bin/celeriac why too-big -n {namespace}", "why a task is where it is"),
        (f".venv/bin/celeriac logs svc-01 -n {namespace}", "what its process printed"),
        ("kubectl apply -f examples/30-retries.yaml", "more examples: examples/README.md"),
        ("make cluster-down", "when you have had enough"),
    )
    text = Text.assemble(("What to try next\n", "bold"))
    for command, comment in commands:
        text.append(f"  {command}", "cyan").append(f"\n      {comment}\n", "dim")
    return text
