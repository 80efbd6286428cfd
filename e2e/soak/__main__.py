"""`python -m e2e.soak --hours 24`, or `make soak HOURS=24`: a steady mixed load on an operator, and whether it grows.

No cluster: the API server and the processes of `celeriac dev`, a real nats-server, and a real operator. Tasks come by
message and from kubectl, in pods of their own and in pods that waited; some fail, some are retried.
"""

import json
import re
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from e2e.chaos.laboratory import Laboratory, laboratory
from e2e.soak.drawing import draw
from e2e.soak.trend import CURVES, Sample, Trend, settled, trend
from rich.console import Console
from rich.table import Table

SAMPLE_SECONDS = 5.0
BATCH = 8
SETTINGS = {
    # So that the number of Tasks and records that are kept is reached within minutes.
    "CELERIAC_MAX_FINISHED_TASKS": "100",
    "CELERIAC_RECORD_RETENTION_DAYS": "0.001",
    # A machine that sleeps for minutes must not end the process that is looked at.
    "CELERIAC_LEASE_SECONDS": "7200",
    "CELERIAC_RENEW_DEADLINE_SECONDS": "7000",
}
DOCKERFILE = Path(__file__).parents[2] / "operator/Dockerfile"


class Soak:
    """The load and the samples."""

    def __init__(self, lab: Laboratory, console: Console) -> None:
        self._lab, self._console = lab, console
        self.samples: list[Sample] = []
        self._begin, self._next = time.monotonic(), 0.0

    def run(self, hours: float) -> None:
        """Submit a batch whenever the one before has ended, each second one to pods that wait."""
        number = 0
        while self._passed() < hours * 3600:
            self._lab.mode = ("Pod", "Warm")[number % 2]
            self._lab.submit(f"soak{number}", BATCH)
            number += 1
            assert self._lab.wait(self._all_ended), "tasks do not end"

    def _all_ended(self) -> bool:
        self._sample()
        return set(self._lab.expected) <= set(self._lab.notes.ended())

    def _passed(self) -> float:
        return time.monotonic() - self._begin

    def _sample(self) -> None:
        if self._passed() < self._next:
            return
        self._next = self._passed() + SAMPLE_SECONDS
        with suppress(OSError):  # it answers late on a machine that is busy: the next sample will do
            self.samples.append(Sample(self._passed(), figures(self._lab)))
        if len(self.samples) % 60 == 0:
            self._console.print(
                f"{self._passed() / 60:.0f} min, {len(self._lab.expected)} tasks", self.samples[-1].figures
            )


def heap_settings() -> dict[str, str]:
    """What the image says to the C library, as this operator runs without the image."""
    return dict(re.findall(r"(MALLOC_\w+)=(\S+)", DOCKERFILE.read_text()))


def figures(lab: Laboratory) -> dict[str, float]:
    """The operator as the kernel and its metrics tell it."""
    process = Path(f"/proc/{lab.operator.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return {
        "RSS": int(status["VmRSS"].split()[0]) / 1024,
        "asyncio tasks": lab.operator.metrics().total("celeriac_asyncio_tasks"),
        "threads": int(status["Threads"]),
        "file descriptors": len(list((process / "fd").iterdir())),
    }


def main(
    hours: Annotated[float, typer.Option(help="how long; fractions are allowed")],
    output: Annotated[Path, typer.Option(help="directory of the picture and the samples")] = Path("dist/soak"),
) -> None:
    """Run it, draw the curves, and fail where one grows or a promise was broken."""
    console = Console(width=120)
    output.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="celeriac-soak-") as directory,
        laboratory(Path(directory), nats=True, mode="Pod", **SETTINGS, **heap_settings()) as lab,
    ):
        lab.define("Warm")
        soak, pid = Soak(lab, console), lab.operator.pid
        soak.run(hours)
        pids, problems, tasks = {pid, lab.operator.pid}, lab.problems(), len(lab.expected)
    assert len(pids) == 1, "the operator was started again, and so were its curves"
    trends = [trend(curve, settled(soak.samples)) for curve in CURVES]
    (output / "samples.json").write_text(json.dumps([asdict(sample) for sample in soak.samples]))
    draw(soak.samples, trends, output / "soak.png")
    console.print(table(trends), f"{tasks} tasks in {soak.samples[-1].seconds / 60:.0f} minutes; problems: {problems}")
    raise typer.Exit(1 if problems or any(each.grows for each in trends) else 0)


def table(trends: list[Trend]) -> Table:
    """The lines after the warm-up."""
    shown = Table("", "from", "to", "an hour", "bound", "")
    for each in trends:
        ends = (f"{figure:.1f}" for figure in (each.first, each.last))
        bound = f"{each.curve.per_hour:.0f} {each.curve.unit}"
        shown.add_row(each.curve.name, *ends, f"{each.per_hour:+.1f}", bound, "grows" if each.grows else "stays")
    return shown


if __name__ == "__main__":
    typer.run(main)
