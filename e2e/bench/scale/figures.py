"""From samples to figures of a run on fake nodes. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from e2e.bench.figures import Cost, Figure, Row, Target, figure
from e2e.bench.scale.usage import Memory, Reading
from e2e.bench.stopwatch import Burst

OTHERS = "everything else"
THROUGHPUT = Target(0.8, at_most=False)
FLAT = Target(1.2)
"""Flat, up to what two rounds of the same size differ by."""
MEMORY = Target(300)


@dataclass(frozen=True)
class Spent:
    """What one of the objects cost, its share of what the machine does anyway included."""

    cpu_ms: Mapping[str, float]
    writes: float

    @property
    def total_ms(self) -> float:
        """CPU of the processes that are known by name."""
        return sum(each for name, each in self.cpu_ms.items() if name != OTHERS)


@dataclass(frozen=True)
class Sample:
    """One burst."""

    size: int
    burst: Burst
    complete_seconds: float
    """From the first submission until the last Job was complete, too."""
    spent: Spent
    operator: Cost
    memory: Memory
    """The operator's, while all of the burst was there still."""

    @property
    def rate(self) -> float:
        """Objects per second, from the first submission to the last end."""
        return self.size / self.burst.seconds


Round = Mapping[str, Sample]
"""A burst of each kind, by its name."""


def spent(before: Reading, after: Reading, size: int) -> Spent:
    """What each object cost between two readings."""
    cpu = {name: after.cpu[name] - before.cpu[name] for name in after.cpu}
    # Ticks are rounded, each process's for itself: the rest may come out a little below nothing.
    cpu[OTHERS] = max(after.machine - before.machine - sum(cpu.values()), 0.0)
    return Spent({name: seconds * 1000 / size for name, seconds in cpu.items()}, (after.writes - before.writes) / size)


def rows(rounds: Sequence[Round], large: Sample | None) -> list[Row]:
    """All lines of the table; each figure is taken in every round."""
    size = rounds[0]["Task"].size

    def over(take: Callable[[Round], float]) -> Figure:
        return figure([take(each) for each in rounds])

    found = [
        Row(f"{size} Tasks at once", over(lambda r: r["Task"].rate), "/s", 1),
        Row(f"{size} Jobs at once", over(lambda r: r["Job"].rate), "/s", 1),
        Row("throughput: Tasks / Jobs", over(lambda r: r["Task"].rate / r["Job"].rate), target=THROUGHPUT),
        Row("Tasks, until their Jobs are complete", over(lambda r: size / r["Task"].complete_seconds), "/s", 1),
        Row("API writes, a Task", over(lambda r: r["Task"].spent.writes), digits=1),
        Row("API writes, a Job", over(lambda r: r["Job"].spent.writes), digits=1),
        Row("operator: writes, a Task", over(lambda r: r["Task"].operator.writes)),
        Row("operator: CPU, a Task", over(lambda r: r["Task"].operator.cpu_ms), "ms", 1),
        Row(f"operator: memory (RSS) with {size} Tasks", over(lambda r: r["Task"].memory.now), "MiB", 0),
    ]
    return found + (_of_many(rounds, large) if large else [])


def _of_many(rounds: Sequence[Round], large: Sample) -> list[Row]:
    def once(value: float) -> Figure:
        return figure([value])

    def flat(take: Callable[[Sample], float]) -> Figure:
        return figure([take(large) / take(each["Task"]) for each in rounds])

    size = rounds[0]["Task"].size
    return [
        Row(f"{large.size} Tasks at once", once(large.rate), "/s", 1),
        Row(f"unfinished of {large.size} when the last was submitted", once(large.burst.unfinished), digits=0),
        Row(f"operator: writes, a Task of {large.size}", once(large.operator.writes)),
        Row(f"operator: CPU, a Task of {large.size}", once(large.operator.cpu_ms), "ms", 1),
        Row(f"operator: CPU, a Task of {large.size} / of {size}", flat(lambda s: s.operator.cpu_ms), target=FLAT),
        Row(f"all of them: CPU, a Task of {large.size} / of {size}", flat(lambda s: s.spent.total_ms), target=FLAT),
        Row(f"operator: highest memory (RSS) with {large.size} Tasks", once(large.memory.peak), "MiB", 0, MEMORY),
    ]


@dataclass(frozen=True)
class Split:
    """One line of the split of CPU: milliseconds for each object."""

    name: str
    job: float
    task: float
    large: float | None


def split(rounds: Sequence[Round], large: Sample | None) -> list[Split]:
    """Who spent how much, the median of the rounds; the sum is of those that are known by name."""
    names = rounds[0]["Task"].spent.cpu_ms
    lines = [_line(name, rounds, large, lambda s, name=name: s.spent.cpu_ms[name]) for name in names]
    return [*lines, _line("sum without everything else", rounds, large, lambda s: s.spent.total_ms)]


def _line(name: str, rounds: Sequence[Round], large: Sample | None, take: Callable[[Sample], float]) -> Split:
    job, task = (median(take(each[kind]) for each in rounds) for kind in ("Job", "Task"))
    return Split(name, job, task, take(large) if large else None)
