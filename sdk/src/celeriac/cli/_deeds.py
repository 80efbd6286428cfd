"""The commands about tasks that are there already: get, logs, wait, cancel, retry, why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from celeriac import errors
from celeriac._async_client import AsyncClient
from celeriac._explain import Explanation
from celeriac._task import Task
from celeriac.cli._console import complain, out, write
from celeriac.cli._escape import escape, escape_json
from celeriac.cli._exit import ExitCode, code_of
from celeriac.cli._flags import Common, Output, command, names_of, parse_duration
from celeriac.cli._print import (
    STYLES,
    first_line,
    manifest_of,
    name_of,
    print_data,
    print_details,
    print_facts,
    print_tasks,
)

Names = Annotated[list[str], typer.Argument(help="Names of tasks.", metavar="NAME...", callback=names_of("task"))]
Name = Annotated[str, typer.Argument(help="Name of the task.", metavar="NAME", callback=names_of("task"))]


@command
def get(names: Names, *, common: Common) -> None:
    """Show tasks: one in detail, several as a table."""
    with common.client() as client:
        tasks, code = _each(names, client.get)
    if len(names) > 1:
        print_tasks(tasks, common.output)
    elif tasks and common.output is Output.TABLE:
        print_details(tasks[0])
    elif tasks:
        _print_one(tasks[0], common.output)
    raise typer.Exit(code)


@command
def logs(
    name: Name,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for the start, and go on until the task has finished.")
    ] = False,
    attempt: Annotated[int | None, typer.Option(help="This attempt. Default: the last.", min=1)] = None,
    tail: Annotated[int | None, typer.Option(help="The last so many lines.", min=0)] = None,
    common: Common,
) -> None:
    """Print what a task printed; as JSON an object for each line."""
    if common.output is Output.NAME:
        raise typer.BadParameter("lines of a log have no names: -o takes table, json and yaml here")
    with common.client() as client:
        for line in client.logs(name, follow, attempt, tail):
            _print_line(line, common.output)


def _print_line(line: str, output: Output) -> None:
    """One of many, so that what is printed is whole after each."""
    if output is Output.JSON:
        write(escape_json(json.dumps({"line": line}, ensure_ascii=False)))
    elif output is Output.YAML:
        print_data([{"line": line}], output)
    else:
        write(line)


@command
def wait(
    names: Names,
    *,
    timeout: Annotated[str | None, typer.Option(help="Give up after 90, 5m, 2h. Default: never.")] = None,
    common: Common,
) -> None:
    """Wait until tasks have finished; the exit code says whether all succeeded."""
    tasks, code = asyncio.run(_wait_all(common, names, parse_duration(timeout) if timeout else None))
    if common.output is Output.TABLE:
        for task in tasks:
            write(f"{name_of(task)} {_how_it_ended(task)}")
    else:
        print_tasks(tasks, common.output)
    raise typer.Exit(code or (ExitCode.OK if all(task.succeeded for task in tasks) else ExitCode.TASK_FAILED))


def _how_it_ended(task: Task) -> str:
    """In a word, and why it did not succeed; a message may begin with that word."""
    outcome, message = str(task.outcome), first_line(task.status.message or "")
    if task.succeeded or not message:
        return outcome
    return message if message.startswith(outcome) else f"{outcome}: {message}"


async def _wait_all(common: Common, names: list[str], seconds: float | None) -> tuple[list[Task], int]:
    """The tasks that finished in time, and the exit code for those that did not."""
    async with AsyncClient(common.namespace, common.context) as client:
        waits = (client.wait(name, seconds) for name in names)
        ended = await asyncio.gather(*waits, return_exceptions=True)
    code = 0
    for error in ended:
        if isinstance(error, errors.CeleriacError):
            complain(str(error))
            code = max(code, code_of(error))
        elif isinstance(error, BaseException):
            raise error
    return [task for task in ended if isinstance(task, Task)], code


@command
def cancel(
    names: Names,
    *,
    reason: Annotated[str, typer.Option(help="Why, for people.")] = "",
    common: Common,
) -> None:
    """Ask for tasks to end: SIGTERM, and SIGKILL after their graceSeconds. One that has finished stays as it is."""
    with common.client() as client:
        tasks, code = _each(names, lambda name: client.cancel(name, reason))
    if common.output is Output.TABLE:
        for task in tasks:
            write(f"{name_of(task)} " + (f"had finished: {task.outcome}" if task.finished else "cancel asked"))
    else:
        print_tasks(tasks, common.output)
    raise typer.Exit(code)


@command
def retry(names: Names, *, common: Common) -> None:
    """Run finished tasks again, each as a new task named NAME-r1, NAME-r2 …"""
    with common.client() as client:
        tasks, code = _each(names, lambda name: client.retry(name).status())
    if common.output is Output.TABLE:
        for task in tasks:
            write(f"{name_of(task)} submitted, a retry of {task.annotations.get('celeriac.dev/retry-of')}")
    else:
        print_tasks(tasks, common.output)
    raise typer.Exit(code)


@command
def why(name: Name, *, common: Common) -> None:
    """Explain why a task is where it is."""
    with common.client() as client:
        explanation = client.why(name)
    if common.output is Output.TABLE:
        _print_explanation(explanation)
    elif common.output is Output.NAME:
        write(f"task.celeriac.dev/{explanation.task}")
    else:
        print_data(asdict(explanation), common.output)


def _print_explanation(explanation: Explanation) -> None:
    reason = f" ({explanation.reason})" if explanation.reason else ""
    out().print(
        Text.assemble(
            escape(f"{explanation.namespace}/{explanation.task} is "),
            (
                escape(f"{explanation.phase}{reason}"),
                next((s for p, s in STYLES.items() if p == explanation.phase), ""),
            ),
            f": {escape(explanation.summary)}",
        )
    )
    if explanation.facts:
        print_facts([(f"  {label}", text) for label, text in explanation.facts])


def _each(names: list[str], deed: Callable[[str], Task]) -> tuple[list[Task], int]:
    """Do it for every name; trouble with one is reported and does not keep the others from it."""
    done: list[Task] = []
    code = 0
    for name in names:
        try:
            done.append(deed(name))
        except errors.CeleriacError as error:
            complain(str(error))
            code = max(code, code_of(error))
    return done, code


def _print_one(task: Task, output: Output) -> None:
    if output is Output.NAME:
        write(name_of(task))
    else:
        print_data(manifest_of(task), output)
