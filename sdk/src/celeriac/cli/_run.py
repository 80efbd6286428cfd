"""``celeriac run``: an image and a command, its log as it comes, and its exit code as one's own."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, cast, get_args

import typer

from celeriac import errors
from celeriac._async_client import AsyncClient, AsyncTaskHandle
from celeriac._outcome import error_of
from celeriac._policy import Resources
from celeriac._request import PullPolicy, TaskOptions
from celeriac._task import Task
from celeriac.cli._console import complain, say, write
from celeriac.cli._exit import ExitCode
from celeriac.cli._flags import Common, Output, TaskFlags, command
from celeriac.cli._params import options_of, parse_pairs, parse_params
from celeriac.cli._print import STYLES, first_line, manifest_of, name_of, print_data
from celeriac.cli._submit import print_submitted

LOG_SECONDS = 30.0
"""How long the rest of the log is waited for once the task has finished: the node may be gone."""


@dataclass(frozen=True)
class ContainerFlags:
    """What the container is like."""

    as_args: Annotated[bool, typer.Option("--args", help="CMD is for the image's entry point, not instead.")] = False
    env: Annotated[list[str] | None, typer.Option("--env", "-e", help="Variable, as KEY=VALUE. Repeatable.")] = None
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="Param, as KEY=VALUE. Repeatable.")] = None
    limits: Annotated[str | None, typer.Option(help="Such as cpu=1,memory=256Mi.")] = None
    requests: Annotated[str | None, typer.Option(help="Such as cpu=100m,memory=64Mi.")] = None
    working_dir: Annotated[str | None, typer.Option("--working-dir", "-w", help="Working directory.")] = None
    pull: Annotated[str | None, typer.Option(help="Always, IfNotPresent or Never.")] = None


@command
def run(
    image: Annotated[str, typer.Argument(help="Image of the container.", metavar="IMAGE")],
    words: Annotated[list[str] | None, typer.Argument(help="What runs in it, after --.", metavar="-- CMD...")] = None,
    *,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Submit only, do not wait.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the task's own output only.")] = False,
    container: ContainerFlags,
    task: TaskFlags,
    common: Common,
) -> None:
    """Run a command in an image as a task, print what it prints, and exit with its exit code.

    Ctrl-C asks whether the task is to be cancelled.
    """
    options = options_of(task) | _container_options(image, words, container)
    if detach:
        with common.client() as client:
            print_submitted(client.submit(**options), common.output)
        return
    raise typer.Exit(_run_attached(common, options, quiet))


def _container_options(image: str, words: list[str] | None, flags: ContainerFlags) -> TaskOptions:
    return TaskOptions(
        image=image,
        command=None if flags.as_args else words,
        args=words if flags.as_args else None,
        env=parse_pairs(flags.env, "a variable"),
        params=parse_params(flags.param or [], None),
        resources=_resources(flags.limits, flags.requests),
        working_dir=flags.working_dir,
        image_pull_policy=_pull_policy(flags.pull),
    )


def _resources(limits: str | None, requests: str | None) -> Resources | None:
    parts = {"limits": limits, "requests": requests}
    given = {k: parse_pairs(v.split(","), "a resource") for k, v in parts.items() if v}
    return Resources.model_validate(given) if given else None


def _pull_policy(text: str | None) -> PullPolicy | None:
    if text is None:
        return None
    if text not in get_args(PullPolicy):
        raise typer.BadParameter(f"--pull takes {', '.join(get_args(PullPolicy))}")
    return cast(PullPolicy, text)


def _run_attached(common: Common, options: TaskOptions, quiet: bool) -> int:
    """Submit, show, and tell how it ended; after Ctrl-C ask what is to become of the task."""
    submitted: list[AsyncTaskHandle] = []
    try:
        task = asyncio.run(_follow(common, options, submitted, quiet))
    except KeyboardInterrupt:
        if submitted:
            _ask_to_cancel(common, submitted[0])
        return ExitCode.INTERRUPTED
    return _end(task, common.output, quiet)


async def _follow(common: Common, options: TaskOptions, submitted: list[AsyncTaskHandle], quiet: bool) -> Task:
    """Submit the task, and show its log and its progress until it has finished."""
    async with AsyncClient(common.namespace, common.context) as client:
        before = await client._submit(options)
        handle = client._handle(before)
        submitted.append(handle)
        if before.finished:
            say("It was submitted before, with the same content, and does not run again.", "yellow")
        log = asyncio.create_task(_print_log(handle))
        try:
            task = await _show_progress(client, handle, quiet)
            await asyncio.wait([log], timeout=LOG_SECONDS)
        finally:
            log.cancel()
            await asyncio.gather(log, return_exceptions=True)
        return task


async def _print_log(handle: AsyncTaskHandle) -> None:
    """The task's own output, to stdout. A log that cannot be read does not end the command."""
    try:
        async with aclosing(handle.logs(follow=True)) as log:
            async for line in log:
                write(line)
    except (errors.LogsUnavailable, errors.TaskNotFound):
        return
    except errors.CeleriacError as error:
        say(f"The log cannot be shown: {error}", "yellow")


async def _show_progress(client: AsyncClient, handle: AsyncTaskHandle, quiet: bool) -> Task:
    """The task's states, to stderr, until it has finished."""
    if not quiet:
        say(f"Task {handle.namespace}/{handle.name}", "dim")
    shown: tuple[str, str] | None = None
    async with aclosing(client.watch(handle.name, namespace=handle.namespace)) as states:
        async for task in states:
            state = (task.phase, first_line(task.status.message or ""))
            if not quiet and not task.finished and state != shown:
                say(": ".join(part for part in state if part), STYLES[task.phase])
            shown = state
    return task


def _ask_to_cancel(common: Common, handle: AsyncTaskHandle) -> None:
    where = f"-n {handle.namespace}"
    if sys.stdin.isatty() and not typer.confirm("\nCancel the task?", default=True, err=True):
        say(f"It goes on: celeriac logs -f {handle.name} {where}")
        return
    with common.client() as client:
        client.cancel(handle.name, "interrupted at the command line", namespace=handle.namespace)
    say(f"Asked for its end: celeriac get {handle.name} {where}", "magenta")


def _end(task: Task, output: Output, quiet: bool) -> int:
    """How it ended, as a message and an exit code."""
    if output is Output.NAME:
        write(name_of(task))
    elif output is not Output.TABLE:
        print_data(manifest_of(task), output)
    if task.succeeded:
        if not quiet:
            say(task.status.message or "Succeeded", "green")
        return ExitCode.OK
    complain(first_line(str(error_of(task))))
    last = task.status.attempts[-1] if task.status.attempts else None
    return (last.exit_code if last else None) or ExitCode.TASK_FAILED
