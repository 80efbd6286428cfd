"""How many tasks a second workers take, one Task object each, from submit to the last get(). `make bench-worker`."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer
from e2e.bench import command, machine, page, processor, stopwatch, worker_floor
from e2e.bench.functions.cli import own_release
from e2e.bench.functions.workload import PARAMS, RESOURCES
from e2e.bench.stopwatch import BenchError
from e2e.bench.worker_page import Run, Sample, document, report
from e2e.cluster.images.catalogue import SDK_IMAGE
from e2e.support.connection import REPOSITORY, apply_crds, connect, kubeconfig_path
from e2e.support.kube import DEFINITIONS, NAMESPACES, QUEUES, TASKS, Kube, Obj
from e2e.support.manifests import definition, queue
from e2e.support.namespaces import RESTRICTED, Namespace, fresh_namespace
from e2e.support.predicates import Predicate, attempts, finished, gone, status, takes_messages
from rich.console import Console

from celeriac import Client

NAME, FULL = "worker", 5000
PAGE = REPOSITORY / "docs" / "benchmarks-workers.md"

console = Console(highlight=False)
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def bench(
    tasks: Annotated[int, typer.Option(min=10, help="Tasks that do nothing.")] = FULL,
    slots: Annotated[int, typer.Option(min=1, help="Tasks that a pod runs at once.")] = 8,
    pods: Annotated[int, typer.Option(min=1, help="Pods.")] = 1,
    replicas: Annotated[list[int], typer.Option(min=1, help="Replicas of the operator, one run for each.")] = [1, 2],  # noqa: B006  typer copies it
    write: Annotated[
        bool | None, typer.Option(help="Write docs/benchmarks-workers.md. Left out: only if the run is a full one.")
    ] = None,
) -> None:
    """Measure workers on a quiet machine, with one replica of the operator and with two."""
    load = command.load(console)
    with connect(kubeconfig_path()) as kube:
        apply_crds(kube)
        found = [_run(kube, tasks, slots, pods, each) for each in replicas]
        what = machine.describe(kube)
    for sample in found:
        console.print(*report(sample), sep="\n")
    text = document(Run(command.line("e2e.bench.worker"), datetime.now(UTC), what, load, slots), found)
    page.write(PAGE, text, (tasks, replicas) == (FULL, [1, 2]) if write is None else write, console)


def _run(kube: Kube, tasks: int, slots: int, pods: int, replicas: int) -> Sample:
    with (
        fresh_namespace(kube, "bench", RESTRICTED) as namespace,
        own_release(kube, namespace, f"replicas={replicas}") as client,
    ):
        namespace.apply(queue("default"), _definition(slots, pods))
        kube.wait(QUEUES, namespace.name, "default", takes_messages(1))
        found = _measure(namespace, client, tasks, pods, replicas)
        found = replace(found, floor=_floor(namespace))
    # To delete all of its tasks is work that the next run would pay for.
    kube.wait(NAMESPACES, None, namespace.name, gone(), timeout=stopwatch.PATIENCE_SECONDS)
    return found


def _definition(slots: int, pods: int) -> Obj:
    fields = {
        "image": SDK_IMAGE,
        "command": ["python", "-m", "celeriac.run"],
        "env": [{"name": "CELERIAC_FUNCTION", "value": "fnmatch:translate"}],
        "resources": RESOURCES,
    }
    sizes = {"minPods": pods, "maxPods": pods, "slotsPerPod": slots, "tasksPerPod": 100_000}
    return definition(NAME, container_fields=fields, isolation="Worker", worker=sizes)


def _measure(namespace: Namespace, client: Client, tasks: int, pods: int, replicas: int) -> Sample:
    ready = Predicate(f"{pods} workers", lambda obj: (status(obj).get("warm") or {}).get("ready", 0) >= pods)
    namespace.kube.wait(DEFINITIONS, namespace.name, NAME, ready)
    client.submit(definition=NAME, params=PARAMS).get(stopwatch.PATIENCE_SECONDS)
    before, began = processor.of_machine(), time.monotonic()
    sent = client.submit_many([{"definition": NAME, "params": PARAMS} for _ in range(tasks)], block=True)
    submitted = time.monotonic() - began
    handles = [one.handle for one in sent if one.handle is not None]
    if len(handles) < tasks:
        raise BenchError(f"{tasks - len(handles)} tasks were refused: {next(one.error for one in sent if one.error)}")
    for handle in handles:
        handle.get(stopwatch.PATIENCE_SECONDS)
    done, spent = time.monotonic() - began, processor.spent(before, processor.of_machine())
    names = {handle.name for handle in handles}
    found = [_ended(namespace, task) for task in namespace.kube.list(TASKS, namespace.name) if _name(task) in names]
    return Sample(replicas, submitted, done, _tasks_of_pods(found), _odd(found), spent)


def _floor(namespace: Namespace) -> float:
    """Seconds of a Task where nobody acts on them: the operator works on the other namespace only."""
    ended = [task for task in namespace.kube.list(TASKS, namespace.name) if finished().holds(task)]
    with fresh_namespace(namespace.kube, "bench-floor", RESTRICTED) as another:
        return worker_floor.seconds(namespace.kube.kubeconfig, another.name, ended) / len(ended)


def _ended(namespace: Namespace, task: Obj) -> Obj:
    """A status may be written later than the result is there."""
    return task if finished().holds(task) else namespace.wait(_name(task))


def _tasks_of_pods(found: Sequence[Obj]) -> list[int]:
    return sorted(Counter(attempts(task)[-1]["podName"] for task in found).values(), reverse=True)


def _odd(found: Sequence[Obj]) -> int:
    return sum(len(attempts(task)) > 1 or "-w-" not in attempts(task)[0]["jobName"] for task in found)


def _name(task: Obj) -> str:
    name: str = task["metadata"]["name"]
    return name


if __name__ == "__main__":
    command.run(app, console)
