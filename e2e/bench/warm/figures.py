"""From samples to figures. Pure."""

import math
from collections.abc import Callable, Sequence
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

    def over(take: Callable[[Round], float]) -> Figure:
        return figure([take(each) for each in rounds])

    calls = [name for name in CALLS if all(each.alone.get(name) for each in rounds)]
    bursts = [name for name in BURSTS if all(each.burst.get(name) for each in rounds)]
    everything = [seconds for each in rounds for name in (WARM, BESIDE) for seconds in each.alone.get(name, ())]
    worst = quantile(everything, 0.99) * 1000
    return [
        *(
            Row(CALLS[name], over(lambda r, name=name: 1000 * median(r.alone[name])), "ms", 1, TARGETS.get(name))  # type: ignore[misc]
            for name in calls
        ),
        Row(f"Warm, p99 of all {len(everything)}", Figure(worst, worst, max(everything) * 1000), "ms", 1, Target(100)),
        Row("Warm / raw Job", over(lambda r: median(r.alone[WARM]) / median(r.alone[JOB])), "", 4, Target(0.01)),
        *(
            Row(
                f"Warm / {what}",
                over(lambda r, name=name: median(r.alone[WARM]) / median(r.alone[name])),  # type: ignore[misc]
                target=RATIOS.get(name),
            )
            for name, what in ((PREFORK, "Celery prefork"), (FRESH, "Celery, a fresh process"))
            if name in calls
        ),
        *(
            Row(
                f"{BURSTS[name]} ({at_once})",
                over(lambda r, name=name: at_once / median(r.burst[name])),  # type: ignore[misc]
                "/s",
                1,
                Target(50, at_most=False) if name == WARM else None,
            )
            for name in bursts
        ),
    ]
