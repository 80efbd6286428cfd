"""The command history."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Annotated

import typer

from celeriac import errors
from celeriac._async_client import AsyncClient
from celeriac._nats_options import NatsOptions
from celeriac.cli._console import write
from celeriac.cli._escape import escape
from celeriac.cli._flags import Common, Output, command, names_of
from celeriac.cli._print import print_columns, print_data
from celeriac.wire.events import TaskEvent

HEADINGS = ["TIME", "PHASE", "ATTEMPT", "REASON", "MESSAGE"]


@command
def history(
    task: Annotated[str, typer.Argument(help="Name of the task.", metavar="TASK", callback=names_of("task"))],
    *,
    progress: Annotated[bool, typer.Option("--progress", help="With its last report of its progress.")] = False,
    common: Common,
) -> None:
    """Show what happened to a task, also to one that is gone: from NATS, which keeps it for seven days."""
    found = asyncio.run(_read(common, task))
    _print([event for event in found if progress or event.progress is None], common.output)


async def _read(common: Common, task: str) -> list[TaskEvent]:
    from celeriac._history import history as read  # noqa: PLC0415 -- NATS is an extra

    async with AsyncClient(common.namespace, common.context) as client:
        namespace = await client.namespace()
        found = await read(NatsOptions.from_env(os.environ), namespace, task)
    if not found:
        raise errors.TaskNotFound(
            f"Nothing is known of a task {task} in namespace {namespace}: the operator has not seen it yet, there was "
            "never one, or its history has expired."
        )
    return found


def _print(events: Sequence[TaskEvent], output: Output) -> None:
    if output is Output.NAME:
        for event in events:
            write(event.phase)
    elif output is not Output.TABLE:
        print_data([event.to_wire() for event in events], output)
    else:
        print_columns([HEADINGS, *(_cells(event) for event in events)])


def _cells(event: TaskEvent) -> list[str]:
    done = f"{event.progress:.0%} " if event.progress is not None else ""
    return [
        f"{event.time:%Y-%m-%d %H:%M:%S}",
        escape(event.phase),
        str(event.attempt) if event.attempt is not None else "-",
        escape(event.reason) or "-",
        escape(f"{done}{event.message.splitlines()[0] if event.message else ''}"),
    ]
