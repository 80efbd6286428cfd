"""Messages accepted a second: `python -m e2e.bench.messages`, or `make bench-messages`. It needs no cluster.

`submit_many` against what nats-py alone publishes with `publish_async`: messages of the same kind, made beforehand, to
the same stream of a nats-server of its own. The two take turns, every other round begins with the other, and the ratio
is taken within a round. The server syncs every write, as the chart's does, unless --no-sync is given.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import nats
import typer
from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig
from rich.console import Console
from rich.table import Table
from tests.support.nats_server import nats_server

from celeriac import AsyncClient, TaskOptions
from celeriac._letter import Letter, letter_of
from celeriac._request import request_of
from celeriac.wire.names import stream_of, submit_subjects

NAMESPACE, QUEUE = "bench", "default"
PENDING = 4000
"""Acknowledgements that nats-py leaves open by default; submit_many leaves 512 open."""
TARGET = 0.5


class Output(StrEnum):
    """How the figures are printed."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True)
class Figures:
    """Messages a second, round by round."""

    messages: int
    sync: bool
    alone: list[float]
    """What nats-py alone publishes."""
    submitted: list[float]
    """What submit_many does."""

    @property
    def ratio(self) -> float:
        """The median of the ratios within a round."""
        return statistics.median(ours / theirs for ours, theirs in zip(self.submitted, self.alone, strict=True))


def requests(count: int) -> list[TaskOptions]:
    """Tasks as programs submit them."""
    return [
        {"definition": "thumbnail", "params": {"path": f"{n}.png", "width": 128}, "priority": 0} for n in range(count)
    ]


def letters(count: int) -> list[Letter]:
    """What those are as messages."""
    now = datetime.now(UTC)
    return [letter_of(request_of(options), NAMESPACE, now) for options in requests(count)]


async def publish_alone(client: nats.NATS, made: list[Letter]) -> None:
    """Publish the bytes with nats-py, and wait for every acknowledgement."""
    stream = client.jetstream(publish_async_max_pending=PENDING)
    answers = [await stream.publish_async(each.subject, each.data, 30, headers=each.headers) for each in made]
    await asyncio.gather(*answers)


async def submit(client: AsyncClient, asked: list[TaskOptions]) -> None:
    """Submit them, and see that all were taken."""
    done = await client.submit_many(asked)
    if failed := [one.error for one in done if one.error]:
        raise failed[0]


async def rate(count: int, deed: Awaitable[None], empty: Callable[[], Awaitable[Any]]) -> float:
    """Messages a second; the stream is emptied afterwards."""
    began = time.perf_counter()
    await deed
    seconds = time.perf_counter() - began
    await empty()
    return count / seconds


async def measure(url: str, rounds: int, count: int, sync: bool) -> Figures:
    """The rounds, after one that warms both up and is not counted."""
    connection = await nats.connect(url)
    manager = connection.jetstream()
    name = stream_of(NAMESPACE, QUEUE)
    subjects = list(submit_subjects(NAMESPACE, QUEUE))
    await manager.add_stream(
        StreamConfig(name=name, subjects=subjects, retention=RetentionPolicy.WORK_QUEUE, discard=DiscardPolicy.NEW)
    )
    figures = Figures(count, sync, [], [])
    async with AsyncClient(NAMESPACE, nats_url=url) as client:
        for number in range(rounds + 1):
            made, asked = letters(count), requests(count)

            async def alone(made: list[Letter] = made) -> float:
                return await rate(count, publish_alone(connection, made), lambda: manager.purge_stream(name))

            async def ours(asked: list[TaskOptions] = asked) -> float:
                return await rate(count, submit(client, asked), lambda: manager.purge_stream(name))

            first, second = (alone, ours) if number % 2 else (ours, alone)
            found = {deed: await deed() for deed in (first, second)}
            if number:
                figures.alone.append(found[alone])
                figures.submitted.append(found[ours])
    await connection.close()
    return figures


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 7,
    messages: Annotated[int, typer.Option(min=1, help="Messages a round.")] = 10_000,
    sync: Annotated[bool, typer.Option(help="The server syncs every write, as the chart's does.")] = True,
    output: Annotated[Output, typer.Option("-o", "--output")] = Output.TABLE,
) -> None:
    """Measure messages a second by submit_many and by nats-py alone, in rounds in which they take turns."""
    with tempfile.TemporaryDirectory() as directory, nats_server(Path(directory), sync_always=sync) as server:
        figures = asyncio.run(measure(server.url, rounds, messages, sync))
    if output is Output.JSON:
        print(json.dumps(asdict(figures) | {"ratio": figures.ratio, "target": TARGET}, indent=2))
        return
    title = f"Messages a second, {rounds} rounds of {messages:,}, {'every write' if sync else 'not every write'} synced"
    table = Table(title=title)
    for heading in ("", "median", "lowest – highest"):
        table.add_column(heading, justify="right")
    for label, values in (("nats-py alone", figures.alone), ("submit_many", figures.submitted)):
        table.add_row(label, f"{statistics.median(values):,.0f}", f"{min(values):,.0f} – {max(values):,.0f}")
    table.add_row("ratio", f"{figures.ratio:.2f}", f"to reach: at least {TARGET}")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    typer.run(main)
