"""The command line: `python -m e2e.bench`, or `make bench`."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from e2e.bench import command, figures, machine, page
from e2e.bench.document import Run, document, table
from e2e.bench.progress import progress
from e2e.bench.rounds import Bench, Plan
from e2e.cluster.settings import Provider, from_environ
from e2e.support.connection import REPOSITORY, apply_crds, connect, kubeconfig_path
from e2e.support.kube import DEPLOYMENTS, Kube
from e2e.support.namespaces import RESTRICTED, fresh_namespace
from e2e.support.release import Release
from rich.console import Console

FULL = Plan(rounds=5, alone=10, burst=60)
PAGE = REPOSITORY / "docs" / "benchmarks.md"

console = Console(highlight=False)
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def bench(
    rounds: Annotated[int, typer.Option(min=1)] = FULL.rounds,
    alone: Annotated[int, typer.Option(min=1, help="Tasks, and Jobs, alone in each round.")] = FULL.alone,
    burst: Annotated[int, typer.Option(min=2, help="Tasks, and Jobs, at once in each round.")] = FULL.burst,
    write: Annotated[
        bool | None, typer.Option(help="Write docs/benchmarks.md. Left out: only if the run is a full one.")
    ] = None,
) -> None:
    """Measure Tasks against raw Jobs of the same pod, in turn, on a machine that does nothing else."""
    plan, load = Plan(rounds, alone, burst), command.load(console)
    with connect(kubeconfig_path()) as kube:
        release = _release(kube)
        measured = _measure(kube, release, plan)
        what = machine.describe(kube)
    rows = figures.rows(measured, burst)
    console.print(table(rows))
    others = sum(each.others for each in measured)
    if others:
        console.print(
            f"[yellow]Meanwhile {others} tasks of somebody else finished: they are in the operator's figures.[/yellow]"
        )
    run = Run(command.line("e2e.bench"), datetime.now(UTC), what, load, rounds, alone, burst)
    page.write(PAGE, document(run, rows), write if write is not None else plan == FULL and not others, console)


def main() -> None:
    """Run, and tell what went wrong in words."""
    command.run(app, console)


def _release(kube: Kube) -> Release:
    """The release under test: as it is in a cluster of your own, else that of the image as it is now."""
    release = Release(kube, "celeriac", "celeriac-system")
    installed = kube.get(DEPLOYMENTS, release.namespace, release.name) is not None
    if not (installed and from_environ().provider is Provider.CURRENT):
        with console.status("Installing Celeriac with helm"):
            apply_crds(kube)
            release.install()
    return release


def _measure(kube: Kube, release: Release, plan: Plan) -> list[figures.Round]:
    with fresh_namespace(kube, "bench", RESTRICTED) as namespace, progress(console, plan.steps) as told:
        run = Bench(kube, namespace.name, release.metrics, told)
        subjects = run.subjects()
        return [run.round(number, subjects, plan) for number in range(1, plan.rounds + 1)]
