"""Tasks as tables for people and as JSON, YAML and names for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import yaml
from rich.table import Table
from rich.text import Text

from celeriac._explain import local, priority, span
from celeriac._phase import Phase
from celeriac._task import Task
from celeriac.api.v1alpha1 import Attempt, Result
from celeriac.cli._console import out, say, write
from celeriac.cli._escape import escape, escape_json
from celeriac.cli._flags import Output

STYLES = {
    Phase.BACKLOGGED: "dim",
    Phase.PENDING: "dim",
    Phase.QUEUED: "blue",
    Phase.STARTING: "cyan",
    Phase.RUNNING: "bold cyan",
    Phase.RETRYING: "yellow",
    Phase.SUCCEEDED: "green",
    Phase.FAILED: "bold red",
    Phase.CANCELLED: "magenta",
    Phase.EXPIRED: "red",
}
"""Green is well, red needs a person, yellow may come to need one, blue and cyan are under way."""

GAP = 2
WIDEST = {"NAME": 40, "WHAT": 30, "MESSAGE": 24}
"""Columns that are cut to so many characters; the message gets what room is left."""

DROPPED = ("WHAT", "RAN", "TRIES", "QUEUE", "MESSAGE", "NAMESPACE", "AGE")
"""What goes first where a terminal is narrow. The name and the phase never do."""


def print_tasks(tasks: Sequence[Task], output: Output, *, namespaces: bool = False) -> None:
    """Tasks in the form that was asked for."""
    if output is Output.NAME:
        for task in tasks:
            write(name_of(task))
    elif output is Output.TABLE:
        print_table(tasks, namespaces=namespaces)
    else:
        items = [manifest_of(task) for task in tasks]
        print_data({"apiVersion": "v1", "kind": "List", "items": items}, output)


def name_of(task: Task) -> str:
    """The task's name, as kubectl takes and prints it."""
    return f"task.celeriac.dev/{task.name}"


def manifest_of(task: Task) -> dict[str, Any]:
    """The task's manifest, without what only the API server can want, and with the phase that people are told."""
    metadata = {k: v for k, v in task.manifest["metadata"].items() if k != "managedFields"}
    status = {"phase": task.phase, **task.manifest.get("status", {})}
    return {"apiVersion": "celeriac.dev/v1alpha1", "kind": "Task", **task.manifest} | {
        "metadata": metadata,
        "status": status,
    }


def print_data(data: Any, output: Output) -> None:
    """A JSON value as JSON or YAML."""
    if output is Output.YAML:
        plain = json.loads(json.dumps(data))  # enums and the like are words to YAML too
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
        write(text.rstrip("\n").removesuffix("\n..."))
    else:
        write(escape_json(json.dumps(data, indent=2, ensure_ascii=False)))


def print_table(tasks: Sequence[Task], *, namespaces: bool = False) -> None:
    """A table: cut to the terminal's width where there is one, whole otherwise."""
    if not tasks:
        say("No tasks.")
    elif sys.stdout.isatty():
        console = out()
        console.print(rich_table(tasks, namespaces=namespaces, width=console.width), soft_wrap=False)
    else:
        print_columns([_headings(namespaces), *(_cells(task, namespaces) for task in tasks)])


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Rows in columns that are as wide as they must be, for programs that read them."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        write("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def rich_table(tasks: Sequence[Task], *, namespaces: bool = False, width: int) -> Table:
    """The table for a terminal of so many columns: some go where there is no room, and the message is cut to fit."""
    rows = [_headings(namespaces), *(_cells(task, namespaces) for task in tasks)]
    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="bold", pad_edge=False)
    chosen = fit(rows, width)
    for column, size in chosen.items():
        table.add_column(rows[0][column], no_wrap=True, overflow="ellipsis", width=size)
    for task, row in zip(tasks, rows[1:], strict=True):
        style = STYLES[task.phase]
        cells = {column: Text(escape(row[column])) for column in chosen}
        cells[rows[0].index("PHASE")].stylize(style)
        table.add_row(*cells.values())
    return table


def fit(rows: Sequence[Sequence[str]], width: int) -> dict[int, int]:
    """The columns of a table that a terminal has room for, each with its width."""
    sizes = {
        column: min(max(len(row[column]) for row in rows), WIDEST.get(heading, width))
        for column, heading in enumerate(rows[0])
    }
    for heading in DROPPED:
        if sum(sizes.values()) + GAP * len(sizes) <= width:
            break
        if heading in rows[0]:
            sizes.pop(list(rows[0]).index(heading))
    message = len(rows[0]) - 1
    if message in sizes:
        sizes[message] += max(0, width - sum(sizes.values()) - GAP * len(sizes))
    return sizes


def _headings(namespaces: bool) -> list[str]:
    return [*(["NAMESPACE"] if namespaces else []), "NAME", "PHASE", "QUEUE", "WHAT", "TRIES", "RAN", "AGE", "MESSAGE"]


def _cells(task: Task, namespaces: bool) -> list[str]:
    now = datetime.now(UTC)
    cells = [
        task.name,
        str(task.phase),
        task.queue,
        what_of(task),
        str(task.status.attempt_count or 0),
        _ran(task, now),
        span(now, task.created),
        first_line(task.status.message or task.status.reason or ""),
    ]
    return [task.namespace, *cells] if namespaces else cells


def first_line(text: str) -> str:
    """The text up to its first end of line: what follows is the process's own output."""
    return text.partition("\n")[0]


def what_of(task: Task) -> str:
    """What runs: the definition, or the image."""
    return task.spec.definition_name or (task.spec.container.image if task.spec.container else "")


def _ran(task: Task, now: datetime) -> str:
    started = task.status.start_time
    return span(task.status.finish_time or now, started) if started else "-"


def print_details(task: Task) -> None:
    """All that people want to know of one task."""
    status = task.status
    facts: list[tuple[str, str]] = [
        ("Name", f"{task.namespace}/{task.name}"),
        ("Phase", str(task.phase) + (f" ({status.reason})" if status.reason else "")),
        ("Message", status.message or ""),
        ("Runs", what_of(task) + (f" ({status.definition.revision})" if status.definition else "")),
        ("Queue", f"{task.queue}, priority {priority(task)}"),
        ("Labels", ", ".join(f"{k}={v}" for k, v in task.labels.items())),
        ("Params", _shown(task.spec.params)),
        ("Created", _time(task.created)),
        ("Started", _time(status.start_time)),
        ("Finished", _time(status.finish_time)),
        *[(f"Attempt {a.number}", _attempt(a)) for a in status.attempts],
        ("Result", _result(status.result)),
    ]
    print_facts([(label, text) for label, text in facts if text], STYLES[task.phase], styled="Phase")


def _attempt(attempt: Attempt) -> str:
    state = attempt.failure or ("succeeded" if attempt.finish_time else "under way")
    code = f", exit code {attempt.exit_code}" if attempt.exit_code is not None else ""
    return f"{state}{code}, pod {attempt.pod_name or '-'}" + (f": {attempt.message.strip()}" if attempt.message else "")


def _result(result: Result | None) -> str:
    if result is None:
        return ""
    return f"{result.ref.size:,} bytes in {result.ref.bucket}" if result.ref else _shown(result.value)


def _shown(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _time(moment: datetime | None) -> str:
    return local(moment).isoformat(" ", "seconds") if moment else ""


def print_facts(facts: Sequence[tuple[str, str]], style: str = "", *, styled: str = "") -> None:
    """Headings and what they say, aligned; one of them coloured."""
    width = max(len(label) for label, _ in facts)
    for label, text in facts:
        body = escape(text).replace("\n", "\n" + " " * (width + 2))
        out().print(Text.assemble((f"{label:<{width}}  ", "bold"), (body, style if label == styled else "")))
