"""``celeriac list``: tasks as a table, once or as they change."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import typer
from rich.live import Live

from celeriac._async_client import AsyncClient
from celeriac._task import Task
from celeriac.cli._console import out, write
from celeriac.cli._flags import Common, Output, command
from celeriac.cli._print import first_line, name_of, print_columns, print_data, print_tasks, rich_table, what_of
from celeriac.cli._print import manifest_of as manifest
from celeriac.cli._selection import Selection

REFRESH_SECONDS = 0.5


@command
def list_tasks(
    selection: Selection,
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and show what changes.")] = False,
    limit: Annotated[int | None, typer.Option(help="The newest so many.", min=1)] = None,
    *,
    common: Common,
) -> None:
    """List tasks, the newest last."""
    if watch:
        asyncio.run(_watch(common, selection, limit))
        return
    with common.client() as client:
        tasks = client.list(**selection.arguments())
    print_tasks(tasks[-limit:] if limit else tasks, common.output, namespaces=selection.all_namespaces)


async def _watch(common: Common, selection: Selection, limit: int | None) -> None:
    """Show the tasks until interrupted: a table that is drawn anew on a terminal, a line for each change elsewhere."""
    async with AsyncClient(common.namespace, common.context) as client:
        changes = selection.changes(client)
        if sys.stdout.isatty() and common.output is Output.TABLE:
            await _draw(changes, selection, limit)
        else:
            async with aclosing(changes):
                async for task, deleted in changes:
                    _print_change(task, deleted, common.output)


async def _draw(changes: AsyncGenerator[tuple[Task, bool], None], selection: Selection, limit: int | None) -> None:
    tasks: dict[str, Task] = {}
    changed = asyncio.Event()

    async def collect() -> None:
        async with aclosing(changes):
            async for task, deleted in changes:
                if deleted:
                    tasks.pop(task.uid, None)
                else:
                    tasks[task.uid] = task
                changed.set()

    collecting = asyncio.create_task(collect())
    with Live(console=out(), auto_refresh=False) as live:
        while not collecting.done():
            await asyncio.wait([collecting], timeout=REFRESH_SECONDS)
            room = max(1, live.console.height - 2)
            newest = sorted(tasks.values(), key=lambda task: task.created)[-min(limit or room, room) :]
            table = rich_table(newest, namespaces=selection.all_namespaces, width=live.console.width)
            live.update(table, refresh=True)
    await collecting


def _print_change(task: Task, deleted: bool, output: Output) -> None:
    if output is Output.NAME:
        write(name_of(task))
    elif output is Output.TABLE:
        state = "Deleted" if deleted else str(task.phase)
        print_columns([[task.name, state, task.queue, what_of(task), first_line(task.status.message or "")]])
    else:
        print_data({"type": "DELETED" if deleted else "MODIFIED", "object": manifest(task)}, output)
