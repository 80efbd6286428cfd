"""What a backlog of messages costs the operator: `python -m e2e.bench.backlog`, or `make bench-backlog`. No cluster.

Messages wait in a held queue, up to its bound; the operator's memory is read as they grow in number, once more of an
operator that starts beside them, and while the queue goes on. A nats-server, an API server that simulates and an
operator of its own process; the first syncs every write, as the chart's does.
"""

import asyncio
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from e2e.bench.scale.usage import Memory, memory
from e2e.bench.stopwatch import BenchError
from e2e.chaos.laboratory import NAMESPACE, Notes, simulated_cluster
from e2e.support.kube import QUEUES, TASKS, Kube
from e2e.support.manifests import definition, queue
from e2e.support.operator import LocalOperator, local_operator
from e2e.support.predicates import takes_messages
from rich.console import Console
from rich.table import Table
from tests.support.nats_server import nats_server

from celeriac import AsyncClient, QueueFull, TaskOptions

QUEUE, DEFINITION, CHUNK, SLOTS = "default", "nothing", 10_000, 2
GOES_ON_SECONDS = 30.0
console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Sight:
    """One look at the operator."""

    when: str
    messages: int
    tasks: int
    """Task objects at the API server."""
    memory: Memory


@dataclass
class Backlog:
    """A held queue, and who looks after it."""

    kube: Kube
    operator: LocalOperator
    url: str
    bound: int

    def hold(self, held: bool) -> None:
        """Hold the queue, or let it go on; the operator has seen it afterwards."""
        spec = {"maxConcurrency": SLOTS, "backlog": {"maxTasks": self.bound, "maxBytes": 8 * 1024**3}}
        applied = self.kube.apply(queue(QUEUE, stopPolicy="Hold" if held else "None", **spec), NAMESPACE)
        self.kube.wait(QUEUES, NAMESPACE, QUEUE, takes_messages(applied["metadata"]["generation"]))

    def look(self, when: str, messages: int) -> Sight:
        """The operator as it is."""
        return Sight(when, messages, len(self.kube.list(TASKS, NAMESPACE)), memory(self.operator.pid))

    def fill(self, sizes: list[int]) -> Iterator[Sight]:
        """Submit up to each of the sizes in turn, and once beyond the bound."""
        there = 0
        for size in sizes:
            console.print(f"{size:,} messages")
            asyncio.run(submit(self.url, range(there, size)))
            there = size
            yield self.look("they wait", size)
        asyncio.run(refused(self.url))

    def restart(self) -> float:
        """SIGKILL and a new operator. Returns seconds until it is ready."""
        began = time.monotonic()
        self.operator.kill_and_start()
        self.operator.wait_ready()
        return time.monotonic() - began

    def go_on(self) -> int:
        """Let the queue go on for a while. Returns the most Tasks that were unfinished at once.

        Raises:
            BenchError: there were none.
        """
        self.hold(False)
        most, end = 0, time.monotonic() + GOES_ON_SECONDS
        while time.monotonic() < end:
            waiting = [task for task in self.kube.list(TASKS, NAMESPACE) if not _finished(task)]
            most = max(most, len(waiting))
            time.sleep(0.5)
        if not most:
            raise BenchError("no message became a Task")
        return most


def _finished(task: dict[str, dict[str, str]]) -> bool:
    return "finishTime" in task.get("status", {})


async def submit(url: str, numbers: range) -> None:
    """Submit one message for each number, so many in a call."""
    async with AsyncClient(NAMESPACE, nats_url=url) as client:
        for start in range(numbers.start, numbers.stop, CHUNK):
            some = range(start, min(start + CHUNK, numbers.stop))
            done = await client.submit_many([_message(number) for number in some])
            if failed := [one.error for one in done if one.error]:
                raise BenchError(f"{len(failed)} messages were not taken: {failed[0]}")


async def refused(url: str) -> None:
    """The queue takes no more than its bound."""
    async with AsyncClient(NAMESPACE, nats_url=url) as client:
        try:
            await client.submit(**_message(-1))
        except QueueFull:
            return
    raise BenchError("the queue took a message beyond its bound")


def _message(number: int) -> TaskOptions:
    return {"definition": DEFINITION, "params": {"number": number}}


def run(sizes: list[int], tell: Callable[[str], None]) -> list[Sight]:
    """All of it."""
    with (
        tempfile.TemporaryDirectory() as place,
        nats_server(Path(place)) as server,
        simulated_cluster(Path(place), Notes()) as (kubeconfig, _store),
        Kube(kubeconfig) as kube,
        local_operator(kubeconfig, NAMESPACE, CELERIAC_NATS_URL=server.url) as operator,
    ):
        kube.apply(definition(DEFINITION), NAMESPACE)
        backlog = Backlog(kube, operator, server.url, sizes[-1])
        backlog.hold(True)
        sights = [backlog.look("empty", 0), *backlog.fill(sizes)]
        tell(f"A message more is refused: QueueFull. A new operator is ready after {backlog.restart():.1f} s")
        sights.append(backlog.look("a new operator", sizes[-1]))
        tell(f"The queue goes on with {SLOTS} slots: at most {backlog.go_on()} Tasks are unfinished at once")
        return [*sights, backlog.look("it goes on", sizes[-1])]


def table(sights: list[Sight]) -> Table:
    """The figures."""
    found = Table(title="A backlog of messages, and the operator's memory")
    for heading in ("", "messages", "Task objects", "RSS, MiB", "highest RSS, MiB"):
        found.add_column(heading, justify="right")
    for each in sights:
        used = each.memory
        found.add_row(each.when, f"{each.messages:,}", f"{each.tasks:,}", f"{used.now:.0f}", f"{used.peak:.0f}")
    return found


def main(messages: Annotated[int, typer.Option(min=1000, help="The queue's bound.")] = 1_000_000) -> None:
    """Read the operator's memory as messages wait: a hundredth of them, a tenth, and all."""
    for noisy in ("aiohttp.server", "asyncio"):  # the operator is killed, and its watches with it
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    sights = run([messages // 100, messages // 10, messages], console.print)
    Console(highlight=False).print(table(sights))


if __name__ == "__main__":
    typer.run(main)
