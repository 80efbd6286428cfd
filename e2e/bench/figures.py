"""From samples to figures: medians, ratios, and whether a target is met. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean, median

from e2e.support.metrics import Samples

MIB = 1024 * 1024


@dataclass(frozen=True)
class Cost:
    """What the operator spent on some Tasks, for each of them."""

    writes: float
    cpu_ms: float
    rss_mib: float
    others: int
    """Tasks of somebody else that it finished meanwhile, and that are in these figures."""


@dataclass
class Round:
    """One round: samples of one object alone, a burst of each kind, and what the burst of Tasks cost."""

    alone: dict[str, list[float]] = field(default_factory=lambda: {"Task": [], "Job": []})
    burst: dict[str, float] = field(default_factory=dict)
    alone_costs: list[Cost] = field(default_factory=list)
    burst_cost: Cost | None = None

    @property
    def others(self) -> int:
        """Tasks of somebody else that came between."""
        return sum(each.others for each in (*self.alone_costs, self.burst_cost) if each is not None)


@dataclass(frozen=True)
class Figure:
    """The median of the rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Target:
    """What a figure should be: at most, or at least, so much."""

    bound: float
    at_most: bool = True

    def met(self, value: float) -> bool:
        """Whether the value is within."""
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    figure: Figure
    unit: str = ""
    digits: int = 2
    target: Target | None = None


def figure(values: Sequence[float]) -> Figure:
    """Median, lowest and highest of what the rounds gave."""
    return Figure(median(values), min(values), max(values))


def cost(before: Samples, after: Samples, tasks: int) -> Cost:
    """What was spent between two scrapes, for each task."""
    writes = sum(after.writes().values()) - sum(before.writes().values())
    cpu = after.total("process_cpu_seconds_total") - before.total("process_cpu_seconds_total")
    rss = after.total("process_resident_memory_bytes")
    finished = after.total("celeriac_tasks_finished_total") - before.total("celeriac_tasks_finished_total")
    return Cost(writes / tasks, cpu * 1000 / tasks, rss / MIB, round(finished) - tasks)


def rows(rounds: Sequence[Round], burst: int) -> list[Row]:
    """All lines of the table; each figure is taken in every round, and the rounds are what min and max are of."""

    def over(take: Callable[[Round], float]) -> Figure:
        return figure([take(each) for each in rounds])

    def costs(take: Callable[[Cost], float]) -> Figure:
        return figure([take(each.burst_cost) for each in rounds if each.burst_cost is not None])

    return [
        Row("one Task alone, p50", over(lambda r: median(r.alone["Task"])), "s"),
        Row("one Job alone, p50", over(lambda r: median(r.alone["Job"])), "s"),
        Row("alone: Task / Job", over(alone_ratio), target=Target(0.50)),
        Row(f"{burst} Tasks at once", over(lambda r: burst / r.burst["Task"]), "/s"),
        Row(f"{burst} Jobs at once", over(lambda r: burst / r.burst["Job"]), "/s"),
        Row("throughput: Tasks / Jobs", over(throughput_ratio), target=Target(1.0, at_most=False)),
        Row(
            "operator: writes, a Task alone",
            over(lambda r: mean(c.writes for c in r.alone_costs)),
            target=Target(3),
        ),
        Row("operator: writes, in a burst", costs(lambda c: c.writes), target=Target(3)),
        Row("operator: CPU, in a burst", costs(lambda c: c.cpu_ms), "ms", 1, Target(15)),
        Row("operator: memory (RSS)", costs(lambda c: c.rss_mib), "MiB", 0),
    ]


def alone_ratio(each: Round) -> float:
    """A Task's time by a Job's, medians of one round."""
    return median(each.alone["Task"]) / median(each.alone["Job"])


def throughput_ratio(each: Round) -> float:
    """Tasks per second by Jobs per second, in one round."""
    return each.burst["Job"] / each.burst["Task"]
