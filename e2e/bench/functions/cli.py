"""The command line: `python -m e2e.bench.functions`, or `make bench-functions`."""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from e2e.bench import command, machine, page
from e2e.bench.document import table
from e2e.bench.functions import figures
from e2e.bench.functions.document import Run, document
from e2e.bench.functions.measure import Functions, Plan
from e2e.bench.progress import progress
from e2e.bench.stopwatch import CREATORS
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Provider, from_environ
from e2e.support.connection import REPOSITORY, apply_crds, connect, kubeconfig_path
from e2e.support.kube import DEPLOYMENTS, Kube
from e2e.support.namespaces import RESTRICTED, Namespace, fresh_namespace
from e2e.support.nats import ReleasedNats
from e2e.support.release import Release
from rich.console import Console

from celeriac import Client

FULL = Plan(rounds=5, alone=8, messages=1000)
PAGE = REPOSITORY / "docs" / "benchmarks-functions.md"

console = Console(highlight=False)
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def functions(
    rounds: Annotated[int, typer.Option(min=1)] = FULL.rounds,
    alone: Annotated[int, typer.Option(min=1, help="Calls, and Jobs, alone in each round.")] = FULL.alone,
    messages: Annotated[int, typer.Option(min=10, help="Messages, and Tasks, at once in each round.")] = FULL.messages,
    write: Annotated[
        bool | None, typer.Option(help="Write docs/benchmarks-functions.md. Left out: only if the run is a full one.")
    ] = None,
) -> None:
    """Measure calls of a function through NATS against raw Jobs of the same pod, and intake, on a quiet machine."""
    plan, load = Plan(rounds, alone, messages), command.load(console)
    if from_environ().provider is Provider.CURRENT:
        raise ClusterError("It stops the operator that is installed, so it is not for a cluster of your own.",
            "CELERIAC_CLUSTER=local make cluster-up images")  # fmt: skip
    with connect(kubeconfig_path(), connections=CREATORS + 2) as kube:
        apply_crds(kube)
        with fresh_namespace(kube, "bench", RESTRICTED) as namespace, own_release(kube, namespace) as client:
            measured = _measure(namespace, client, plan)
        what = machine.describe(kube)
    rows = figures.rows(measured, messages)
    console.print(table(rows))
    text = document(Run(command.line("e2e.bench.functions"), datetime.now(UTC), what, load, plan), rows)
    page.write(PAGE, text, plan == FULL if write is None else write, console)


def main() -> None:
    """Run, and tell what went wrong in words."""
    command.run(app, console)


def _measure(namespace: Namespace, client: Client, plan: Plan) -> list[figures.Round]:
    with progress(console, plan.steps) as told:
        return Functions(namespace, client, told).run(plan)


@contextmanager
def own_release(kube: Kube, namespace: Namespace, *values: str) -> Iterator[Client]:
    """A client of an operator and a NATS for that namespace only, while the operator for all of them is at rest.

    So the namespace's pods have the credentials with which results are recorded at once, and nobody's NATS restarts.

    Args:
        values: of the chart, as helm's --set has them.
    """
    release = Release(kube, f"bench-{secrets.token_hex(3)}", f"bench-operator-{secrets.token_hex(3)}")
    with ExitStack() as held:
        if kube.get(DEPLOYMENTS, "celeriac-system", "celeriac") is not None:
            held.enter_context(Release(kube, "celeriac", "celeriac-system").paused())
        held.callback(_uninstall, release)
        with console.status("Installing an operator and a NATS with helm"):
            watched = f"watch.namespaces={{{namespace.name}}}"
            release.install("fullnameOverride=celeriac", "admissionPolicies.enabled=false", watched, *values)
        nats = ReleasedNats(kube, release.namespace)
        url = held.enter_context(nats.reached())
        yield held.enter_context(connected(namespace.name, url, nats.password(f"client-{namespace.name}")))


@contextmanager
def connected(namespace: str, url: str, password: str) -> Iterator[Client]:
    """A client with the credentials of its namespace, which it finds where any program has them."""
    user = f"client-{namespace}"
    os.environ.update(
        CELERIAC_NATS_USER=user, CELERIAC_NATS_PASSWORD=password, CELERIAC_NATS_INBOX_PREFIX=f"_INBOX_{user}"
    )
    with Client(namespace, nats_url=url) as client:
        yield client


def _uninstall(release: Release) -> None:
    try:
        release.uninstall()
    except ClusterError as error:  # what went wrong before matters more: perhaps nothing was installed
        console.print(f"Left behind: release {release.name}. {error}", markup=False, soft_wrap=True)
