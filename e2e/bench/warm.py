"""What a pod that waited saves: submit until get(), alone and as many at once as pods wait. `make bench-warm`."""

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer
from e2e.bench import machine, stopwatch
from e2e.bench.functions.cli import own_release
from e2e.bench.functions.workload import PARAMS, RESOURCES
from e2e.bench.stopwatch import BenchError
from e2e.cluster.errors import ClusterError
from e2e.cluster.images.catalogue import SDK_IMAGE
from e2e.support.connection import apply_crds, connect, kubeconfig_path
from e2e.support.kube import PODS, TASKS, Obj, Refused
from e2e.support.manifests import definition, queue
from e2e.support.namespaces import RESTRICTED, Namespace, fresh_namespace
from e2e.support.predicates import attempts
from rich.console import Console

from celeriac import CeleriacError, Client

WARM, COLD = "warm", "cold"
READY = 4
"""Pods that wait."""
SETTLE_SECONDS = 3.0
"""A pod that was taken is replaced meanwhile."""

console = Console(highlight=False)
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@dataclass
class Samples:
    """Seconds of each call, and what else there is to say."""

    warm: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    misses: int = 0
    burst: float = 0.0
    """Tasks a second, as many at once as pods waited."""


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many of them do not exceed."""
    return sorted(values)[max(math.ceil(len(values) * share) - 1, 0)]


def report(found: Samples) -> list[str]:
    """The figures, a line each."""
    warm, cold = quantile(found.warm, 0.5), quantile(found.cold, 0.5)
    return [
        f"Warm, submit to get(): p50 {warm * 1000:.0f} ms, p99 {quantile(found.warm, 0.99) * 1000:.0f} ms"
        f" of {len(found.warm)}; no pod waited for {found.misses}",
        f"Pod, submit to get(): p50 {cold:.2f} s of {len(found.cold)}; Warm takes 1/{cold / warm:.0f} of it",
        f"Warm, {READY} at once: {found.burst:.0f} tasks/s",
    ]


@app.command()
def bench(
    tasks: Annotated[int, typer.Option(min=5, help="Tasks alone; one in five is a pod of its own.")] = 100,
) -> None:
    """Measure tasks in pods that waited beside tasks in pods of their own, interleaved, on a quiet machine."""
    load = machine.load()
    with connect(kubeconfig_path()) as kube:
        apply_crds(kube)
        with fresh_namespace(kube, "bench", RESTRICTED) as namespace, own_release(kube, namespace) as client:
            namespace.apply(queue("default"), _function(WARM, isolation="Warm", warm=_ALL), _function(COLD))
            found = _measure(namespace, client, tasks)
    console.print(*report(found), f"Load average at the beginning: {load:.1f}", sep="\n")


_ALL = {"minReady": READY, "maxReady": READY}


def _function(name: str, **spec: object) -> Obj:
    fields = {
        "image": SDK_IMAGE,
        "command": ["python", "-m", "celeriac.run"],
        "env": [{"name": "CELERIAC_FUNCTION", "value": "fnmatch:translate"}],
        "resources": RESOURCES,
    }
    return definition(name, container_fields=fields, **spec)


def _measure(namespace: Namespace, client: Client, tasks: int) -> Samples:
    found = Samples()
    _until_all_wait(namespace)
    for number in range(tasks):
        seconds, name = _call(client, WARM)
        found.misses += "-w-" not in attempts(namespace.kube.get(TASKS, namespace.name, name))[0]["jobName"]
        found.warm.append(seconds)
        if number % 5 == 0:
            found.cold.append(_call(client, COLD)[0])
        time.sleep(SETTLE_SECONDS)
    _until_all_wait(namespace)
    began = time.monotonic()
    handles = [client.submit(definition=WARM, params=PARAMS) for _ in range(READY)]
    for handle in handles:
        handle.get(stopwatch.PATIENCE_SECONDS)
    found.burst = READY / (time.monotonic() - began)
    return found


def _call(client: Client, name: str) -> tuple[float, str]:
    began = time.monotonic()
    handle = client.submit(definition=name, params=PARAMS)
    handle.get(stopwatch.PATIENCE_SECONDS)
    return time.monotonic() - began, handle.name


def _until_all_wait(namespace: Namespace) -> None:
    """Pods that run, and had the time to import and connect: the status tells of them too seldom."""
    deadline = time.monotonic() + stopwatch.PATIENCE_SECONDS
    while True:
        pods = namespace.kube.list(PODS, namespace.name, labels=f"celeriac.dev/warm,celeriac.dev/definition={WARM}")
        if sum(pod["status"].get("phase") == "Running" for pod in pods) >= READY:
            time.sleep(SETTLE_SECONDS)
            return
        if time.monotonic() > deadline:
            raise BenchError(f"{READY} pods do not come to wait")
        time.sleep(0.5)


if __name__ == "__main__":
    try:
        app()
    except (ClusterError, LookupError, BenchError, CeleriacError, Refused) as error:
        console.print(str(error), style="bold red", markup=False, soft_wrap=True)
        sys.exit(1)
