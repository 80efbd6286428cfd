"""The commands about queues: queues, queues delete, pause, resume, drain."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import aclosing, nullcontext, suppress
from functools import partial
from typing import Annotated, Any

import typer
from rich.status import Status

from celeriac import _dead_letters, _queues, _tasks, errors
from celeriac._async_client import AsyncClient
from celeriac._burial import retention
from celeriac._explain import duration
from celeriac._queue import Queue
from celeriac.api.v1alpha1 import API_VERSION
from celeriac.cli._console import err, say, write
from celeriac.cli._flags import (
    Common,
    ContextOption,
    NamespaceOption,
    Output,
    OutputOption,
    command,
    names_of,
    parse_duration,
)
from celeriac.cli._print import print_columns, print_data

QueueName = Annotated[
    str, typer.Argument(help="Name of the TaskQueue.", metavar="QUEUE", callback=names_of("taskqueue"))
]
Reason = Annotated[str, typer.Option(help="Why, for people: waiting tasks say it.")]
HEADINGS = ["NAME", "STATE", "RUNNING", "QUEUED", "OLDEST", "RATE", "WHY"]


app = typer.Typer(invoke_without_command=True)


@command
def _list_queues(
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of every namespace.")] = False,
    *,
    common: Common,
) -> None:
    """List the TaskQueues, and how full each is."""
    with common.client() as client:
        _print(client.queues(all_namespaces=all_namespaces), common.output, namespaces=all_namespaces)


@app.callback()
def queues(
    ctx: typer.Context,
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of every namespace.")] = False,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the TaskQueues, and how full each is."""
    ctx.obj = Common(namespace, context, output).after(ctx.obj)
    if ctx.invoked_subcommand is None:
        own = {"namespace": None, "context": None, "output": Output.TABLE}  # they are in ctx.obj now
        _list_queues(ctx, all_namespaces=all_namespaces, **own)


@command
def delete(
    queue: QueueName,
    *,
    purge: Annotated[bool, typer.Option("--purge", help="Make dead letters of the messages that wait for it.")] = False,
    common: Common,
) -> None:
    """Delete a TaskQueue. Messages that wait for it stay, for a queue of the same name, unless --purge is given."""
    namespace, count = asyncio.run(_delete(common, queue, purge))
    _print_deleted(queue, namespace, common.output)
    if purge:
        say(f"{count} message(s) are dead letters now: `celeriac dead list -n {namespace} --queue {queue}`.")


def _print_deleted(queue: str, namespace: str, output: Output) -> None:
    if output in (Output.JSON, Output.YAML):
        metadata = {"name": queue, "namespace": namespace}
        print_data({"apiVersion": API_VERSION, "kind": "TaskQueue", "metadata": metadata}, output)
    else:
        write(f"taskqueue.celeriac.dev/{queue}{' deleted' * (output is Output.TABLE)}")


async def _delete(common: Common, queue: str, purge: bool) -> tuple[str, int]:
    """One that is gone already is purged all the same: the command can be repeated."""
    async with AsyncClient(common.namespace, common.context) as client:
        namespace = await client._in(None)
        if not purge:
            await _queues.delete(client._api, namespace, queue)
            return namespace, 0
        async with _dead_letters.connection(os.environ) as nats:
            with suppress(errors.UnknownQueue):
                await _queues.delete(client._api, namespace, queue)
            task = partial(_tasks.annotations_of, client._api, namespace)
            kept = retention(os.environ)
            return namespace, await _dead_letters.Rest(nats, namespace, queue, task, kept).bury()


app.command("delete")(delete)


@command
def pause(queue: QueueName, *, reason: Reason = "", common: Common) -> None:
    """Have a queue start no attempts. What runs goes on; what waits says why."""
    with common.client() as client:
        _say(client.pause(queue, reason), "paused", common.output)


@command
def resume(queue: QueueName, *, common: Common) -> None:
    """Have a queue that was paused or drained go on."""
    with common.client() as client:
        _say(client.resume(queue), "resumed", common.output)


@command
def drain(
    queue: QueueName,
    *,
    reason: Reason = "",
    timeout: Annotated[str | None, typer.Option(help="Give up waiting after 90, 5m, 2h. Default: never.")] = None,
    common: Common,
) -> None:
    """Stop what a queue runs, start nothing, and wait until nothing runs any more.

    The stopped attempts count as disruptions; resume has their tasks go on.
    """
    drained = asyncio.run(_drain(common, queue, reason, parse_duration(timeout) if timeout else None))
    _say(drained, "drained", common.output)


async def _drain(common: Common, name: str, reason: str, seconds: float | None) -> Queue:
    async with AsyncClient(common.namespace, common.context) as client:
        queue = await client.pause(name, reason, drain=True)
        progress = Status("", console=err())
        try:
            with progress if sys.stderr.isatty() else nullcontext():
                async with asyncio.timeout(seconds), aclosing(_queues.drained(client._api, queue)) as states:
                    async for state in states:
                        queue = state
                        _tell(progress, queue)
        except TimeoutError:
            raise errors.TimeoutError(
                f"TaskQueue {queue.namespace}/{name} still has {queue.running} running after {seconds:g} seconds; "
                f"it goes on draining. 'celeriac queues -n {queue.namespace}' shows how far it is."
            ) from None
    return queue


def _tell(progress: Status, queue: Queue) -> None:
    """A line that changes on a terminal; elsewhere a line for each number."""
    text = f"Draining {queue.namespace}/{queue.name}: {queue.running} running, {queue.queued} queued"
    if sys.stderr.isatty():
        progress.update(text)
    else:
        say(text)


def _say(queue: Queue, what: str, output: Output) -> None:
    if output is Output.TABLE:
        why = f": {queue.spec.stop_reason}" if queue.spec.stop_reason else ""
        write(f"{name_of(queue)} {what}{why}")
    else:
        _print([queue], output, namespaces=False)


def _print(found: Sequence[Queue], output: Output, *, namespaces: bool) -> None:
    if output is Output.NAME:
        for queue in found:
            write(name_of(queue))
    elif output is not Output.TABLE:
        print_data({"apiVersion": "v1", "kind": "List", "items": [manifest_of(queue) for queue in found]}, output)
    elif not found:
        say("No TaskQueues: a queue that nobody declares follows the operator's defaults.")
    else:
        scope = ["NAMESPACE"] if namespaces else []
        rows = [[*([queue.namespace] if namespaces else []), *_cells(queue)] for queue in found]
        print_columns([[*scope, *HEADINGS], *rows])


def name_of(queue: Queue) -> str:
    """The queue's name, as kubectl takes and prints it."""
    return f"taskqueue.celeriac.dev/{queue.name}"


def manifest_of(queue: Queue) -> dict[str, Any]:
    """The queue's manifest, without what only the API server can want."""
    metadata = {k: v for k, v in queue.manifest["metadata"].items() if k != "managedFields"}
    return {"apiVersion": API_VERSION, "kind": "TaskQueue", **queue.manifest, "metadata": metadata}


def _cells(queue: Queue) -> list[str]:
    spec, oldest = queue.spec, queue.status.oldest_queued_seconds
    rate = spec.rate_limit
    return [
        queue.name,
        queue.state,
        f"{queue.running}/{spec.max_concurrency}" if spec.max_concurrency is not None else str(queue.running),
        str(queue.queued),
        duration(oldest) if oldest is not None else "-",
        f"{rate.tasks} in {duration(rate.period_seconds)}" if rate is not None else "-",
        spec.stop_reason or "",
    ]
