"""The command line: `python -m e2e.bench.scale`, or `make bench-scale`."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from e2e.bench import command, machine
from e2e.bench import document as plain
from e2e.bench.progress import progress
from e2e.bench.scale import figures, identity
from e2e.bench.scale.document import Run, as_json, document, split_table
from e2e.bench.scale.fake_nodes import COUNT, MARK, fake_nodes
from e2e.bench.scale.figures import Round, Sample
from e2e.bench.scale.measure import Plan, Scale
from e2e.bench.stopwatch import CREATORS
from e2e.cluster import binaries, processes
from e2e.cluster.errors import ClusterError
from e2e.cluster.local import lifecycle
from e2e.cluster.locking import exclusive
from e2e.cluster.settings import Settings, from_environ
from e2e.support.connection import REPOSITORY, apply_crds, connect, is_local, kubeconfig_path
from e2e.support.kube import DEPLOYMENTS, Kube
from e2e.support.namespaces import RESTRICTED, Namespace, fresh_namespace
from e2e.support.operator import LocalOperator
from rich.console import Console

FULL = Plan(rounds=3, tasks=1000, live=10_000)
PAGE = REPOSITORY / "docs" / "benchmarks-scale.md"
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
OPERATORS = "app.kubernetes.io/name=celeriac,app.kubernetes.io/component=operator"

# Standard output is for the figures, so that programs can read them.
console = Console(stderr=True, highlight=False)
app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Output(StrEnum):
    """How the figures are told."""

    TABLE = "table"
    JSON = "json"


@app.command()
def scale(
    tasks: Annotated[int, typer.Option(min=10, help="Tasks, and Jobs, in each round.")] = FULL.tasks,
    rounds: Annotated[int, typer.Option(min=1)] = FULL.rounds,
    live: Annotated[int, typer.Option(min=0, help="Tasks of the large burst at the end; 0: none.")] = FULL.live,
    output: Annotated[Output, typer.Option("-o", "--output")] = Output.TABLE,
    write: Annotated[
        bool | None, typer.Option(help="Write docs/benchmarks-scale.md. Left out: only if the run is a full one.")
    ] = None,
) -> None:
    """Measure thousands of Tasks against raw Jobs on fake nodes; the full run takes some 20 minutes."""
    plan, load, settings = Plan(rounds, tasks, live), command.load(console), from_environ()
    with exclusive(settings.layout.cache / "bench-scale.lock"), connected() as kube:
        what = machine.describe(kube)
        with _ready(kube, settings, plan) as parts:
            with progress(console, plan.steps) as told:
                measured, large = Scale(*parts, told).run(plan)
            run = Run(
                command.line("e2e.bench.scale"),
                datetime.now(UTC),
                what,
                load,
                plan,
                COUNT,
                binaries.version_of(binaries.KWOK),
            )
            _tell(run, measured, large, output, write if write is not None else plan == FULL)


def main() -> None:
    """Run, and tell what went wrong in words; a SIGTERM is as a Ctrl-C, so that it cleans up, too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    command.run(app, console, "`make cluster-up` brings up what is needed.")


@contextmanager
def connected() -> Iterator[Kube]:
    """The local cluster, with no operator in it that would take our Tasks.

    Raises:
        ClusterError: it is another cluster, or there is such an operator.
    """
    path = kubeconfig_path()
    if not is_local(path):
        raise ClusterError("The CPU of the control plane is read from /proc, so it must be the local cluster.",
            "CELERIAC_CLUSTER=local make cluster-up")  # fmt: skip
    with connect(path, connections=CREATORS + 2) as kube:
        apply_crds(kube)
        for each in kube.list(DEPLOYMENTS, None, labels=OPERATORS):
            if each["spec"].get("replicas", 1):
                place, name = each["metadata"]["namespace"], each["metadata"]["name"]
                raise ClusterError(f"Celeriac is installed in {place}, and would take these Tasks, too.",
                    f"kubectl scale --namespace={place} --replicas=0 deployment/{name}")  # fmt: skip
        yield kube


@contextmanager
def _ready(kube: Kube, settings: Settings, plan: Plan) -> Iterator[tuple[Namespace, LocalOperator, dict[str, int]]]:
    """A namespace on fake nodes, its operator, and the pids of all that is measured; they go afterwards."""
    with ExitStack() as held:
        kwok = held.enter_context(fake_nodes(kube, settings.layout))
        namespace = held.enter_context(fresh_namespace(kube, "scale", {**RESTRICTED, **MARK}))
        operator = held.enter_context(_operator(kube, settings, namespace.name, plan))
        pids = {**_control_plane(settings), "kwok": kwok, "operator": operator.pid, "load generator": os.getpid()}
        yield namespace, operator, pids


@contextmanager
def _operator(kube: Kube, settings: Settings, namespace: str, plan: Plan) -> Iterator[LocalOperator]:
    """The operator as a process, for that namespace; its log stays."""
    log = settings.layout.logs / "bench-scale-operator.log"
    log.unlink(missing_ok=True)
    bound = str(max(plan.tasks, plan.live) + 1)
    with identity.kubeconfig_of_operator(kube, namespace) as kubeconfig:
        operator = LocalOperator(kubeconfig, [namespace], log, CELERIAC_MAX_FINISHED_TASKS=bound)
        operator.start()
        try:
            operator.wait_ready()
            yield operator
        finally:
            operator.stop()


def _control_plane(settings: Settings) -> dict[str, int]:
    """The pids of the control plane's daemons."""
    found = {name: processes.running_pid(lifecycle.pidfile(settings, name)) for name in CONTROL_PLANE}
    dead = [name for name, pid in found.items() if pid is None]
    if dead:
        raise ClusterError(f"{', '.join(dead)}: not running.", "`make cluster-up` starts what is dead.")
    return {name: pid for name, pid in found.items() if pid is not None}


def _tell(run: Run, measured: list[Round], large: Sample | None, output: Output, write: bool) -> None:
    rows, lines = figures.rows(measured, large), figures.split(measured, large)
    if output is Output.JSON:
        print(json.dumps(as_json(run, rows, lines), indent=2))
    else:
        shown = Console(highlight=False)
        shown.print(plain.table(rows), split_table(lines, run.plan))
    path = PAGE.relative_to(REPOSITORY)
    if write:
        PAGE.write_text(document(run, rows, lines))
    console.print(f"Written: {path}" if write else f"A trial: {path} stays as it was; --write writes it all the same.")
