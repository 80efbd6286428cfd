"""Whether a curve grows: a straight line through its samples after the warm-up, against a bound. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import linear_regression

WARM_UP = 1 / 3
"""Of the whole time: caches fill, finished Tasks and records reach the number that is kept."""


@dataclass(frozen=True)
class Sample:
    """The operator at one moment."""

    seconds: float
    """Since the beginning."""
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Curve:
    """What is measured, and how much it may grow."""

    name: str
    unit: str
    per_hour: float
    """More than that is a leak: it would be seen in a day."""
    noise: float
    """Of a short run: so much the line may rise from its first to its last sample, whatever that is in an hour."""


CURVES = (
    Curve("RSS", "MiB", per_hour=4, noise=4),
    Curve("asyncio tasks", "", per_hour=4, noise=6),
    Curve("threads", "", per_hour=1, noise=1),
    Curve("file descriptors", "", per_hour=2, noise=3),
)


@dataclass(frozen=True)
class Trend:
    """The line through a curve."""

    curve: Curve
    first: float
    last: float
    """Where the line begins and ends."""
    per_hour: float

    @property
    def grows(self) -> bool:
        """Whether it is more than the bound allows."""
        return self.per_hour > self.curve.per_hour and self.last - self.first > self.curve.noise


def settled(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Those after the warm-up."""
    begin = samples[-1].seconds * WARM_UP
    return [sample for sample in samples if sample.seconds >= begin]


def trend(curve: Curve, samples: Sequence[Sample]) -> Trend:
    """The line through these samples."""
    times = [sample.seconds for sample in samples]
    slope, start = linear_regression(times, [sample.figures[curve.name] for sample in samples])
    return Trend(curve, start + slope * times[0], start + slope * times[-1], slope * 3600)
