"""The curves as a picture."""

from collections.abc import Sequence
from pathlib import Path

from e2e.soak.trend import Sample, Trend, settled


def draw(samples: Sequence[Sample], trends: Sequence[Trend], path: Path) -> None:
    """Write a PNG: each curve, and the line through it after the warm-up."""
    import matplotlib  # noqa: PLC0415  of the group soak, which only this needs

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, axes = pyplot.subplots(len(trends), sharex=True, figsize=(9, 2.2 * len(trends)), layout="constrained")
    minutes = [sample.seconds / 60 for sample in samples]
    for axis, found in zip(axes, trends, strict=True):
        axis.plot(minutes, [sample.figures[found.curve.name] for sample in samples], linewidth=0.8)
        axis.plot([_begin(samples), minutes[-1]], [found.first, found.last], linestyle="--")
        axis.set_title(f"{found.curve.name}: {found.per_hour:+.1f} {found.curve.unit} an hour", fontsize=9)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _begin(samples: Sequence[Sample]) -> float:
    return settled(samples)[0].seconds / 60
