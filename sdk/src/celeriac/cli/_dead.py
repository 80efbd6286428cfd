"""``celeriac dead``: messages that could not become a task."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from nats.js import JetStreamContext

from celeriac import _dead_letters, errors
from celeriac._async_client import AsyncClient
from celeriac._dead_letters import Letter
from celeriac._explain import span
from celeriac.cli._console import complain, say, write
from celeriac.cli._exit import ExitCode
from celeriac.cli._flags import Common, Output, command
from celeriac.cli._print import print_columns, print_data

app = typer.Typer(help="Messages that could not become a task.", no_args_is_help=True)

HEADINGS = ["NUMBER", "QUEUE", "NAME", "REASON", "AGE", "MESSAGE"]

Numbers = Annotated[list[int] | None, typer.Argument(help="Numbers, as `dead list` shows them.", metavar="NUMBER")]
QueueOption = Annotated[str | None, typer.Option("--queue", "-q", help="Only of this queue.")]
ReasonOption = Annotated[str | None, typer.Option(help="Only with this reason, such as TooOld.")]
EveryNamespace = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of every namespace.")]
All = Annotated[bool, typer.Option("--all", help="All that --queue and --reason leave.")]


@command
def list_dead(
    queue: QueueOption = None,
    reason: ReasonOption = None,
    limit: Annotated[int, typer.Option(help="At most so many, the oldest.", min=1)] = 500,
    all_namespaces: EveryNamespace = False,
    *,
    common: Common,
) -> None:
    """List dead letters, the oldest first."""

    async def run() -> list[Letter]:
        namespace = None if all_namespaces else await namespace_of(common)
        async with _dead_letters.connection(os.environ) as client:
            return await _found(client.jetstream(), namespace, queue, reason, limit)

    _print(asyncio.run(run()), common.output, namespaces=all_namespaces)


@command
def show(number: Annotated[int, typer.Argument(help="Its number.", metavar="NUMBER")], *, common: Common) -> None:
    """Show a dead letter: why it died, and the message itself."""

    async def run() -> Letter:
        async with _dead_letters.connection(os.environ) as client:
            return await _dead_letters.get(client.jetstream(), number, common.namespace)

    letter = asyncio.run(run())
    if common.output is Output.NAME:
        write(str(letter.number))
    else:
        print_data(wire_of(letter), Output.YAML if common.output is Output.TABLE else common.output)


@command
def replay(
    numbers: Numbers = None,
    queue: QueueOption = None,
    reason: ReasonOption = None,
    every: All = False,
    rate: Annotated[float, typer.Option(help="At most so many a second.", min=0.01)] = 10.0,
    all_namespaces: EveryNamespace = False,
    *,
    common: Common,
) -> None:
    """Send dead letters to their queues again; what a queue has taken is a dead letter no more."""

    async def do(js: JetStreamContext, letter: Letter) -> None:
        await _dead_letters.replay(js, letter)

    _each(_Selection(numbers, queue, reason, every, all_namespaces), do, "replayed", 1 / rate, common)


@command
def drop(
    numbers: Numbers = None,
    queue: QueueOption = None,
    reason: ReasonOption = None,
    every: All = False,
    all_namespaces: EveryNamespace = False,
    *,
    common: Common,
) -> None:
    """Forget dead letters for good."""
    _each(_Selection(numbers, queue, reason, every, all_namespaces), _dead_letters.drop, "dropped", 0, common)


class _Selection:
    """Which dead letters are meant: by their numbers, or all that filters leave."""

    def __init__(
        self, numbers: list[int] | None, queue: str | None, reason: str | None, every: bool, all_namespaces: bool
    ) -> None:
        if bool(numbers) == every:
            raise typer.BadParameter("give the numbers of dead letters, or --all, with --queue or --reason if need be")
        self._numbers, self._queue, self._reason, self._all_namespaces = numbers, queue, reason, all_namespaces

    async def letters(self, js: JetStreamContext, common: Common) -> list[Letter]:
        """Those that there are now: what dies again meanwhile is not among them."""
        if self._numbers:
            return [await _dead_letters.get(js, number, common.namespace) for number in self._numbers]
        namespace = None if self._all_namespaces else await namespace_of(common)
        return await _found(js, namespace, self._queue, self._reason, None)


def _each(
    selection: _Selection,
    do: Callable[[JetStreamContext, Letter], Awaitable[None]],
    what: str,
    pause: float,
    common: Common,
) -> None:
    async def run() -> tuple[list[Letter], bool]:
        done: list[Letter] = []
        failed = False
        async with _dead_letters.connection(os.environ) as client:
            js = client.jetstream()
            for letter in await selection.letters(js, common):
                try:
                    await do(js, letter)
                except (errors.UnknownQueue, errors.QueueFull) as error:
                    complain(f"{letter.number}: {error}")
                    failed = True
                    continue
                done.append(letter)
                _tell(letter, what, common.output)
                await asyncio.sleep(pause)
        return done, failed

    done, failed = asyncio.run(run())
    if common.output in (Output.JSON, Output.YAML):
        print_data({"items": [wire_of(letter) for letter in done]}, common.output)
    elif common.output is Output.TABLE:
        say(f"{len(done)} {what}.")
    if failed:
        raise typer.Exit(ExitCode.CLUSTER)


def _tell(letter: Letter, what: str, output: Output) -> None:
    if output is Output.NAME:
        write(str(letter.number))
    elif output is Output.TABLE:
        write(f"{letter.number} {what}: {letter.about.name or 'without a name'}, {letter.about.reason}")


async def namespace_of(common: Common) -> str:
    """The namespace that was named, else the context's."""
    if common.namespace is not None:
        return common.namespace
    async with AsyncClient(common.namespace, common.context) as client:
        return await client._in(None)


async def _found(
    js: JetStreamContext, namespace: str | None, queue: str | None, reason: str | None, limit: int | None
) -> list[Letter]:
    found: list[Letter] = []
    async with aclosing(_dead_letters.find(js, namespace, queue, reason)) as letters:
        async for letter in letters:
            found.append(letter)
            if len(found) == limit:
                break
    return found


def wire_of(letter: Letter) -> dict[str, Any]:
    """A dead letter as JSON, with its message as what it says, or as text where it is none."""
    about = letter.about
    try:
        message = json.loads(letter.data)
    except (ValueError, RecursionError):
        message = letter.data.decode(errors="replace")
    return {
        "number": letter.number,
        "namespace": about.namespace,
        "queue": about.queue,
        "name": about.name,
        "reason": about.reason,
        "why": about.message,
        "submitTime": about.submitted.isoformat() if about.submitted else None,
        "deadTime": letter.died.isoformat() if letter.died else None,
        "origin": about.origin,
        "message": message,
    }


def _print(found: Sequence[Letter], output: Output, *, namespaces: bool) -> None:
    if output is Output.NAME:
        for letter in found:
            write(str(letter.number))
    elif output is not Output.TABLE:
        print_data({"items": [wire_of(letter) for letter in found]}, output)
    elif not found:
        say("No dead letters.")
    else:
        now = datetime.now(UTC)
        rows = [([each.about.namespace] if namespaces else []) + _cells(each, now) for each in found]
        print_columns([[*(["NAMESPACE"] if namespaces else []), *HEADINGS], *rows])


def _cells(letter: Letter, now: datetime) -> list[str]:
    about = letter.about
    age = span(now, letter.died) if letter.died is not None else "-"
    return [str(letter.number), about.queue, about.name or "-", about.reason, age, about.message]


app.command("list")(list_dead)
app.command("show")(show)
app.command("replay")(replay)
app.command("drop")(drop)
