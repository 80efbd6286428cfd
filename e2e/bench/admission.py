"""What admission costs as the backlog grows: `python -m e2e.bench.admission`, or `make bench-admission`. No cluster.

One change is what the operator does when an attempt ends: its slot is given back and the next Task gets it. The sizes
take turns in each round, so that a machine that slows down slows all of them, and only ratios within the run are told.
"""

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.core.admission.admission import Admission
from celeriac_operator.core.admission.standing import Asks, QueueKey
from celeriac_operator.core.facts import Key

SIZES = (100, 1_000, 10_000)
QUEUES = 100
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPEC = TaskQueueSpec.model_validate(
    {"maxConcurrency": 1, "maxConcurrencyPerKey": 1, "fairness": {"byLabel": "example.com/tenant"}}
)


class Output(StrEnum):
    """How the figures are printed."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True)
class Cost:
    """What a change costs with so many Tasks waiting."""

    waiting: int
    microseconds: float
    lowest: float
    highest: float
    ratio: float
    """To the smallest backlog, within the run."""


class Backlog:
    """So many Tasks that wait in 100 queues, each of which has one slot."""

    def __init__(self, waiting: int) -> None:
        self.admission = Admission(TaskQueueSpec())
        self.queues = [QueueKey("bench", f"queue-{number}") for number in range(QUEUES)]
        for queue in self.queues:
            self.admission.configure(queue, SPEC)
        for number in range(waiting + QUEUES):
            self.admission.set(Key("bench", f"task-{number}"), self._asks(number))
        self.running = [self._next(queue) for queue in self.queues]
        self.turn = 0

    def _asks(self, number: int) -> Asks:
        key = f"key-{number % 37}" if number % 2 else None
        labels = {"example.com/tenant": f"tenant-{number % 7}"}
        since = NOW + timedelta(seconds=number * 7919 % 9973)
        return Asks(self.queues[number % QUEUES], number % 3, since, key, labels)

    def _next(self, queue: QueueKey) -> Key:
        (name,) = self.admission.grants(queue, NOW).tasks
        return Key(queue.namespace, name)

    def change(self) -> None:
        """An attempt ends, and the next Task gets its slot. The one that ended asks again, so the backlog stays."""
        number = self.turn % QUEUES
        queue, done = self.queues[number], self.running[number]
        self.admission.set(done, None)
        self.running[number] = self._next(queue)
        self.admission.set(done, self._asks(int(done.name.removeprefix("task-"))))
        self.turn += 1

    def measure(self, changes: int) -> float:
        """Microseconds a change."""
        began = time.process_time_ns()
        for _ in range(changes):
            self.change()
        return (time.process_time_ns() - began) / changes / 1000


def rounds(count: int, changes: int) -> Iterator[dict[int, float]]:
    """Microseconds a change by size, round by round; every other round begins with the largest."""
    backlogs = {size: Backlog(size) for size in SIZES}
    for backlog in backlogs.values():
        backlog.measure(changes)  # warm
    for number in range(count):
        order = SIZES if number % 2 else SIZES[::-1]
        yield {size: backlogs[size].measure(changes) for size in order}


def costs(measured: list[dict[int, float]]) -> list[Cost]:
    """The median of each size, and its ratio to the smallest: the median of the ratios within a round."""
    found = []
    for size in SIZES:
        figures = [each[size] for each in measured]
        ratio = statistics.median(each[size] / each[SIZES[0]] for each in measured)
        found.append(Cost(size, statistics.median(figures), min(figures), max(figures), ratio))
    return found


def main(
    count: Annotated[int, typer.Option("--rounds", min=1)] = 9,
    changes: Annotated[int, typer.Option(min=1, help="Changes a size in each round.")] = 2000,
    output: Annotated[Output, typer.Option("-o", "--output")] = Output.TABLE,
) -> None:
    """Measure the cost of a change against a backlog of 100, 1,000 and 10,000 Tasks in 100 queues."""
    found = costs(list(rounds(count, changes)))
    if output is Output.JSON:
        print(json.dumps([asdict(cost) for cost in found], indent=2))
        return
    table = Table(title=f"Admission: CPU time of a change, {count} rounds of {changes} changes, {QUEUES} queues")
    for heading in ("waiting", "µs, median", "lowest – highest", f"ratio to {SIZES[0]}"):
        table.add_column(heading, justify="right")
    for cost in found:
        spread = f"{cost.lowest:.1f} – {cost.highest:.1f}"
        table.add_row(f"{cost.waiting:,}", f"{cost.microseconds:.1f}", spread, f"{cost.ratio:.2f}")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    typer.run(main)
