"""How many tasks a second workers take, one Task object each, from submit to the last get(). `make bench-worker`."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from e2e.bench import machine, stopwatch
from e2e.bench.functions.cli import own_release
from e2e.bench.functions.workload import PARAMS, RESOURCES
from e2e.bench.stopwatch import BenchError
from e2e.cluster.errors import ClusterError
from e2e.cluster.images.catalogue import SDK_IMAGE
from e2e.support.connection import apply_crds, connect, kubeconfig_path
from e2e.support.kube import DEFINITIONS, TASKS, Obj, Refused
from e2e.support.manifests import definition, queue
from e2e.support.namespaces import RESTRICTED, Namespace, fresh_namespace
from e2e.support.predicates import Predicate, attempts, status
from rich.console import Console

from celeriac import CeleriacError, Client

NAME = "worker"

console = Console(highlight=False)
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@dataclass(frozen=True)
class Sample:
    """What was measured."""

    submitted: float
    """Seconds until all were submitted."""
    done: float
    """Seconds until the last result was there, from the first submission."""
    pods: Sequence[int]
    """Tasks of each pod."""
    odd: int
    """Tasks that took more than one attempt, or ran in a pod of their own."""


def report(found: Sample) -> list[str]:
    """The figures, a line each."""
    tasks = sum(found.pods)
    return [
        f"Worker, {tasks:,} tasks, submit to the last get(): {found.done:.1f} s, {tasks / found.done:.0f} tasks/s",
        f"submitted in {found.submitted:.1f} s; {len(found.pods)} pods ran {', '.join(map(str, found.pods))} of them; "
        f"{found.odd} took another attempt or a pod of their own",
    ]


@app.command()
def bench(
    tasks: Annotated[int, typer.Option(min=10, help="Tasks that do nothing.")] = 5000,
    slots: Annotated[int, typer.Option(min=1, help="Tasks that a pod runs at once.")] = 8,
    pods: Annotated[int, typer.Option(min=1, help="Pods.")] = 1,
) -> None:
    """Measure workers on a quiet machine, with one replica of the operator."""
    load = machine.load()
    with connect(kubeconfig_path()) as kube:
        apply_crds(kube)
        with (
            fresh_namespace(kube, "bench", RESTRICTED) as namespace,
            own_release(kube, namespace, "replicas=1") as client,
        ):
            namespace.apply(queue("default"), _definition(slots, pods))
            found = _measure(namespace, client, tasks, pods)
    console.print(*report(found), f"Load average at the beginning: {load:.1f}", sep="\n")


def _definition(slots: int, pods: int) -> Obj:
    fields = {
        "image": SDK_IMAGE,
        "command": ["python", "-m", "celeriac.run"],
        "env": [{"name": "CELERIAC_FUNCTION", "value": "fnmatch:translate"}],
        "resources": RESOURCES,
    }
    sizes = {"minPods": pods, "maxPods": pods, "slotsPerPod": slots, "tasksPerPod": 100_000}
    return definition(NAME, container_fields=fields, isolation="Worker", worker=sizes)


def _measure(namespace: Namespace, client: Client, tasks: int, pods: int) -> Sample:
    ready = Predicate(f"{pods} workers", lambda obj: (status(obj).get("warm") or {}).get("ready", 0) >= pods)
    namespace.kube.wait(DEFINITIONS, namespace.name, NAME, ready)
    client.submit(definition=NAME, params=PARAMS).get(stopwatch.PATIENCE_SECONDS)
    began = time.monotonic()
    sent = client.submit_many([{"definition": NAME, "params": PARAMS} for _ in range(tasks)], block=True)
    submitted = time.monotonic() - began
    handles = [one.handle for one in sent if one.handle is not None]
    if len(handles) < tasks:
        raise BenchError(f"{tasks - len(handles)} tasks were refused: {next(one.error for one in sent if one.error)}")
    for handle in handles:
        handle.get(stopwatch.PATIENCE_SECONDS)
    done = time.monotonic() - began
    names = {handle.name for handle in handles}
    return _sample(
        [task for task in namespace.kube.list(TASKS, namespace.name) if _name(task) in names], submitted, done
    )


def _sample(found: Sequence[Obj], submitted: float, done: float) -> Sample:
    last = Counter(attempts(task)[-1]["podName"] for task in found)
    odd = sum(len(attempts(task)) > 1 or "-w-" not in attempts(task)[0]["jobName"] for task in found)
    return Sample(submitted, done, sorted(last.values(), reverse=True), odd)


def _name(task: Obj) -> str:
    name: str = task["metadata"]["name"]
    return name


if __name__ == "__main__":
    try:
        app()
    except (ClusterError, LookupError, BenchError, CeleriacError, Refused) as error:
        console.print(str(error), style="bold red", markup=False, soft_wrap=True)
        sys.exit(1)
