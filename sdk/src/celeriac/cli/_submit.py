"""``celeriac submit``: a task of a TaskDefinition."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from celeriac._client import TaskHandle
from celeriac._request import TaskOptions
from celeriac.cli._console import complain, say, write
from celeriac.cli._exit import ExitCode
from celeriac.cli._flags import Common, Output, TaskFlags, command, names_of, parse_duration
from celeriac.cli._params import options_of, parse_params
from celeriac.cli._print import manifest_of, name_of, print_data
from celeriac.errors import CeleriacError


@command
def submit(
    definition: Annotated[
        str,
        typer.Argument(help="Name of the TaskDefinition.", metavar="DEFINITION", callback=names_of("taskdefinition")),
    ],
    params: Annotated[
        list[str] | None,
        typer.Argument(help="Params; a value is JSON where it can be, else text.", metavar="KEY=VALUE"),
    ] = None,
    *,
    params_file: Annotated[
        str | None, typer.Option("--params-file", "-f", help="JSON or YAML file with params; - is stdin.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for the task and print its result.")] = False,
    timeout: Annotated[str | None, typer.Option(help="With --wait: give up waiting after 90, 5m, 2h.")] = None,
    task: TaskFlags,
    common: Common,
) -> None:
    """Submit a task of a TaskDefinition."""
    options = options_of(task) | TaskOptions(definition=definition, params=parse_params(params or [], params_file))
    with common.client() as client:
        handle = client.submit(**options)
        if wait:
            say(f"Submitted {handle.namespace}/{handle.name}; waiting for it.", "dim")
            _print_result(handle, parse_duration(timeout) if timeout else None, common.output)
        else:
            print_submitted(handle, common.output)


def print_submitted(handle: TaskHandle, output: Output) -> None:
    """That a task was submitted."""
    if output is Output.TABLE:
        write(f"task.celeriac.dev/{handle.name} submitted to namespace {handle.namespace}")
    elif output is Output.NAME:
        write(f"task.celeriac.dev/{handle.name}")
    else:
        print_data(manifest_of(handle.status()), output)


def _print_result(handle: TaskHandle, timeout: float | None, output: Output) -> None:
    """The task's result as JSON, or the whole task where a format was asked for."""
    task = handle.wait(timeout)
    if output is Output.NAME:
        write(name_of(task))
    elif output is not Output.TABLE:
        print_data(manifest_of(task), output)
    value = _value_or_exit(handle)
    if output is Output.TABLE:
        write(json.dumps(value, ensure_ascii=False, indent=2))


def _value_or_exit(handle: TaskHandle) -> Any:
    """The result; a task that did not succeed is exit code 1, whatever its error is elsewhere."""
    try:
        return handle.get()
    except CeleriacError as error:
        complain(str(error))
        raise typer.Exit(ExitCode.TASK_FAILED) from None
