"""From samples to figures. Pure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from e2e.bench.figures import Figure, Row, Target, figure

WARM, BESIDE, COLD, JOB, PREFORK, FRESH = "warm", "beside", "cold", "job", "prefork", "fresh"
CALLS = {
    WARM: "Warm, submit to get(), p50",
    BESIDE: "the same beside Celery's idle workers and Redis, p50",
    COLD: "Pod, submit to get(), p50",
    JOB: "raw Job of that pod, create to Complete, p50",
    PREFORK: "Celery prefork, p50",
    FRESH: "Celery prefork, a fresh process for each task, p50",
}
BURSTS = {
    WARM: "Warm, as many at once as pods wait",
    JOB: "raw Jobs, as many at once",
    PREFORK: "Celery prefork, as many at once",
    FRESH: "Celery, fresh processes, as many at once",
}
TARGETS = {WARM: Target(20)}
RATIOS = {PREFORK: Target(4.65)}
"""The same target, by what a call of Celery took where it was set: 20 ms and 4.3."""
BURST, BURST_RATIO = Target(50, at_most=False), Target(0.215, at_most=False)
"""Tasks of a burst in a second, and in the time of such a call."""


@dataclass
class Round:
    """Seconds of calls, and of bursts, by what was called."""

    alone: dict[str, list[float]] = field(default_factory=dict)
    burst: dict[str, list[float]] = field(default_factory=dict)
    misses: int = 0
    """Calls that found no pod waiting; they are among the others all the same."""


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many of them do not exceed."""
    return sorted(values)[max(math.ceil(len(values) * share) - 1, 0)]


def rows(rounds: Sequence[Round], at_once: int) -> list[Row]:
    """All lines of the table; what was not measured has none."""
    everything = [seconds for each in rounds for name in (WARM, BESIDE) for seconds in each.alone.get(name, ())]
    worst = quantile(everything, 0.99) * 1000
    calls = [name for name in CALLS if all(each.alone.get(name) for each in rounds)]
    return [
        *_calls(rounds, calls),
        Row(f"Warm, p99 of all {len(everything)}", Figure(worst, worst, max(everything) * 1000), "ms", 1, Target(100)),
        Row("Warm / raw Job", figure([_call(each, WARM) / _call(each, JOB) for each in rounds]), "", 4, Target(0.01)),
        *_beside_celery(rounds, calls),
        *_bursts(rounds, at_once),
        *_bursts_beside_celery(rounds, calls, at_once),
    ]


def _call(one: Round, name: str) -> float:
    return median(one.alone[name])


def _rate(one: Round, name: str, at_once: int) -> float:
    return at_once / median(one.burst[name])


def _calls(rounds: Sequence[Round], calls: Sequence[str]) -> Iterator[Row]:
    for name in calls:
        yield Row(CALLS[name], figure([1000 * _call(each, name) for each in rounds]), "ms", 1, TARGETS.get(name))


def _beside_celery(rounds: Sequence[Round], calls: Sequence[str]) -> Iterator[Row]:
    for name, what in ((PREFORK, "Celery prefork"), (FRESH, "Celery, a fresh process")):
        if name in calls:
            ratios = [_call(each, WARM) / _call(each, name) for each in rounds]
            yield Row(f"Warm / {what}", figure(ratios), target=RATIOS.get(name))


def _bursts(rounds: Sequence[Round], at_once: int) -> Iterator[Row]:
    for name, what in BURSTS.items():
        if all(each.burst.get(name) for each in rounds):
            rates = [_rate(each, name, at_once) for each in rounds]
            yield Row(f"{what} ({at_once})", figure(rates), "/s", 1, BURST if name == WARM else None)


def _bursts_beside_celery(rounds: Sequence[Round], calls: Sequence[str], at_once: int) -> Iterator[Row]:
    if PREFORK in calls and all(each.burst.get(WARM) for each in rounds):
        shares = [_rate(each, WARM, at_once) * _call(each, PREFORK) for each in rounds]
        yield Row("Warm, tasks of that burst in the time of a call of Celery", figure(shares), "", 3, BURST_RATIO)
