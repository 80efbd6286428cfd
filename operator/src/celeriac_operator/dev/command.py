"""The command ``celeriac dev``, which the SDK's command line finds by its entry point."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from celeriac.cli._escape import escape

if TYPE_CHECKING:
    from celeriac_operator.dev.session import Wishes

DEV_IMAGE = "dev"
"""Stands for the image of tasks that name none: there are no images here."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dev")(dev)


def dev(
    ctx: typer.Context,
    location: Annotated[str, typer.Argument(metavar="MODULE:APP", help="for example shop.tasks:app")],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[-- COMMAND…]", help="run this against it, and end with it")
    ] = None,
    queue: Annotated[
        list[str] | None, typer.Option(help="a queue beside those that tasks name; may be repeated")
    ] = None,
    slots: Annotated[int, typer.Option(min=1, help="tasks of a queue that run at once")] = max(os.cpu_count() or 2, 2),
    nats: Annotated[bool, typer.Option(help="with a nats-server: tasks are messages, as in production")] = True,
    log_level: Annotated[str, typer.Option(help="of the operator's log")] = "info",
) -> None:
    """Run an App's tasks on this machine: the operator as in a cluster, subprocesses instead of pods, nothing kept."""
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  what Python itself does with -m
    try:
        wishes = _wishes(location, ctx.obj.namespace or "default", frozenset(queue or ()), slots, nats, log_level)
        code = asyncio.run(_run(wishes, location, command or []))
    except KeyboardInterrupt:
        code = 130
    except asyncio.CancelledError:  # SIGTERM
        code = 143
    raise typer.Exit(code)


def _wishes(location: str, namespace: str, queues: frozenset[str], slots: int, nats: bool, log_level: str) -> Wishes:
    from celeriac.app.definition import definitions_of  # noqa: PLC0415  imports take a second that --help need not wait
    from celeriac.app.loading import NotThere, load_app  # noqa: PLC0415
    from celeriac.app.signature import BadSignature  # noqa: PLC0415
    from celeriac_operator.dev.session import Wishes  # noqa: PLC0415

    try:
        definitions = tuple(definitions_of(load_app(location), location, image=DEV_IMAGE))
    except (NotThere, BadSignature, ModuleNotFoundError) as error:
        raise typer.BadParameter(str(error)) from error
    named = {(each["spec"].get("defaults") or {}).get("queueName") or "default" for each in definitions}
    return Wishes(
        definitions, frozenset({"default"}) | named | queues, namespace, slots, with_nats=nats, log_level=log_level
    )


async def _run(wishes: Wishes, location: str, command: Sequence[str]) -> int:
    from celeriac_operator.dev.processes import DevError  # noqa: PLC0415
    from celeriac_operator.dev.session import session  # noqa: PLC0415

    main = asyncio.current_task()
    assert main is not None  # noqa: S101  asyncio.run has made one
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)
    try:
        async with session(wishes, _tell) as running:
            _tell(f"{location} is ready: {len(wishes.definitions)} tasks, queues {', '.join(sorted(wishes.queues))}")
            if command:
                return await _with_command(command, dict(running.env), running.ended)
            _how_to_connect(dict(running.env))
            raise await running.ended
    except DevError as error:
        _tell(f"error: {error}")
        return 1


async def _with_command(command: Sequence[str], env: dict[str, str], ended: asyncio.Task[Exception]) -> int:
    """Run the command until it ends, or something that it needs does."""
    try:
        process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **env})
    except OSError as error:
        _tell(f"error: {command[0]}: {error.strerror}")
        return 127
    waiting = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait([waiting, ended], return_when="FIRST_COMPLETED")
        if not waiting.done():
            raise ended.result()
        return waiting.result()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def _how_to_connect(env: dict[str, str]) -> None:
    _tell("in another terminal, so that programs and `celeriac` find it:\n")
    for name, value in env.items():
        typer.echo(f"  export {name}={value}")
    _tell("\nCtrl-C ends it, and nothing is kept.")


def _tell(line: str) -> None:
    typer.echo(escape(line), err=True)
