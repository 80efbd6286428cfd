"""From samples to figures. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from e2e.bench.figures import Figure, Row, Target, figure

LATENCY = Target(0.35)


@dataclass
class Round:
    """One round: seconds of a function and of a Job alone, and Tasks a second by intake and by clients."""

    function: list[float] = field(default_factory=list)
    job: list[float] = field(default_factory=list)
    intake: float = 0.0
    created: float = 0.0

    @property
    def ratio(self) -> float:
        """A function's time by a Job's."""
        return median(self.function) / median(self.job)


def rows(rounds: Sequence[Round], messages: int) -> list[Row]:
    """All lines of the table; each figure is taken in every round."""

    def over(take: Callable[[Round], float]) -> Figure:
        return figure([take(each) for each in rounds])

    return [
        Row("one function, until get() returns, p50", over(lambda r: median(r.function)), "s"),
        Row("one Job of that pod, until Complete, p50", over(lambda r: median(r.job)), "s"),
        Row("alone: get() / Complete", over(lambda r: r.ratio), target=LATENCY),
        Row(f"intake: {messages} messages into Tasks", over(lambda r: r.intake), "/s", 1),
        Row(f"{messages} Tasks created by clients", over(lambda r: r.created), "/s", 1),
        Row("intake / created by clients", over(lambda r: r.intake / r.created)),
    ]
