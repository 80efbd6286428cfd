"""The command line: `python -m e2e.bench.warm`, or `make bench-warm`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from e2e.bench import command, machine, page
from e2e.bench.document import table
from e2e.bench.functions.cli import own_release
from e2e.bench.progress import progress
from e2e.bench.stopwatch import CREATORS
from e2e.bench.warm import figures
from e2e.bench.warm.celery_peer import Celery, NoPeer, celery
from e2e.bench.warm.document import Run, document
from e2e.bench.warm.measure import Plan, Warm
from e2e.cluster.settings import from_environ
from e2e.support.connection import REPOSITORY, apply_crds, connect, kubeconfig_path
from e2e.support.namespaces import RESTRICTED, fresh_namespace
from rich.console import Console

FULL = Plan(rounds=3, turns=7, bursts=2, pods=4)
PAGE = REPOSITORY / "docs" / "benchmarks-isolation.md"

console = Console(highlight=False)
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def warm(
    rounds: Annotated[int, typer.Option(min=1)] = FULL.rounds,
    turns: Annotated[int, typer.Option(min=1, help="Calls alone of each in a round.")] = FULL.turns,
    bursts: Annotated[int, typer.Option(min=1, help="Bursts of each in a round.")] = FULL.bursts,
    pods: Annotated[int, typer.Option(min=1, help="Pods that wait.")] = FULL.pods,
    peer: Annotated[bool, typer.Option(help="Measure Celery with Redis, too.")] = True,
    write: Annotated[
        bool | None, typer.Option(help="Write docs/benchmarks-isolation.md. Left out: only if the run is a full one.")
    ] = None,
) -> None:
    """Measure tasks in pods that wait beside raw Jobs and Celery, interleaved, on a quiet machine."""
    plan, load = Plan(rounds, turns, bursts, pods), command.load(console)
    with connect(kubeconfig_path(), connections=CREATORS + 2) as kube:
        apply_crds(kube)
        with (
            _peer(pods, wanted=peer) as (found, why),
            fresh_namespace(kube, "bench", RESTRICTED) as namespace,
            own_release(kube, namespace) as client,
            progress(console, plan.steps) as told,
        ):
            measured = Warm(namespace, client, found, told).run(plan)
        what = machine.describe(kube)
    rows = figures.rows(measured, pods)
    console.print(table(rows))
    misses = sum(each.misses for each in measured)
    console.print(f"No pod waited for {misses} calls. {why}".strip())
    text = document(Run(command.line("e2e.bench.warm"), datetime.now(UTC), what, load, plan, misses, why), rows)
    page.write(PAGE, text, plan == FULL and peer if write is None else write, console)


@contextmanager
def _peer(slots: int, *, wanted: bool) -> Iterator[tuple[Celery | None, str]]:
    """Celery; or nothing, and a sentence that says why."""
    if not wanted:
        yield None, "Celery was not measured: --no-peer."
        return
    with ExitStack() as held:
        try:
            found, why = held.enter_context(celery(from_environ().cache, slots)), ""
        except NoPeer as missing:
            found, why = None, f"Celery was not measured: {missing}."
        yield found, why


def main() -> None:
    """Run, and tell what went wrong in words."""
    command.run(app, console)
