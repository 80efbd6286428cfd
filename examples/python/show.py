"""What people see at the end of the census."""

from __future__ import annotations

from collections.abc import Sequence

from examples.python.parts import Line
from rich import box
from rich.table import Table
from rich.text import Text


def results(lines: Sequence[Line]) -> Table:
    """A line for each part."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("what", no_wrap=True)
    table.add_column("messages", justify="right")
    table.add_column("what became of it")
    table.add_column("seconds", justify="right", no_wrap=True)
    for line in lines:
        style = "" if line.good else "bold red"
        table.add_row(line.what, f"{line.messages:,}", Text(line.outcome), f"{line.seconds:.0f}", style=style)
    return table


def what_next(namespace: str) -> Text:
    """Commands to try."""
    commands = (
        (f"kubectl get taskqueues,taskdefinitions -n {namespace}", "what an administrator applied"),
        (f"kubectl get tasks -n {namespace}", "what was made of the messages"),
        (f".venv/bin/celeriac queues -n {namespace}", "how full each queue is"),
        ("less examples/python/census.py", "the functions; examples/python/README.md says how to run your own"),
    )
    text = Text.assemble(("\nWhat to try next\n", "bold"))
    for command, comment in commands:
        text.append(f"  {command}", "cyan").append(f"\n      {comment}\n", "dim")
    return text
