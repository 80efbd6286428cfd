"""Nodes that KWOK fakes: they run pods in words only, and go afterwards with all that was on them."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.bench.stopwatch import until
from e2e.cluster import binaries, processes
from e2e.cluster.progress import step
from e2e.cluster.settings import Layout
from e2e.support.kube import NAMESPACES, NODES, Kube, Obj
from e2e.support.predicates import Predicate, condition

STAGES = Path(__file__).parent / "stages"
COUNT = 10
LABEL = "celeriac.dev/bench"
MARK = {LABEL: "scale"}
"""The label of fake nodes, and of namespaces that are swept with them."""
SELECTOR = f"{LABEL}=scale"
TAINT = {"key": LABEL, "value": "scale", "effect": "NoSchedule"}
"""Keeps from a fake node whatever would really have to run."""
TOLERATION = {"key": LABEL, "operator": "Equal", "value": "scale", "effect": "NoSchedule"}


@contextmanager
def fake_nodes(kube: Kube, layout: Layout, count: int = COUNT) -> Iterator[int]:
    """Fake nodes, ready; gives the pid of KWOK. What a run that was killed has left goes first."""
    if not binaries.is_built(layout, binaries.KWOK):
        with step(f"Building kwok {binaries.version_of(binaries.KWOK)}", binaries.KWOK.usual_seconds):
            binaries.build(layout, binaries.KWOK)
    with _kwok(kube, layout) as pid:
        sweep(kube)
        try:
            _add(kube, count)
            yield pid
        finally:
            with step("Removing the fake nodes and all that was on them"), deaf():
                sweep(kube)


@contextmanager
def deaf() -> Iterator[None]:
    """Nobody interrupts: a second Ctrl-C would leave behind what the first was to take away."""
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def node(number: int) -> Obj:
    """A node that nobody is behind."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"fake-{number}", "labels": {**MARK, "kubernetes.io/hostname": f"fake-{number}"}},
        "spec": {"taints": [TAINT]},
    }


def sweep(kube: Kube) -> None:
    """Delete the namespaces and nodes of this benchmark and wait until they are gone, namespaces first: their pods
    need the nodes to end."""
    for namespace in kube.list(NAMESPACES, None, labels=SELECTOR):
        kube.delete(NAMESPACES, None, namespace["metadata"]["name"])
    until(lambda: not kube.any(NAMESPACES, None, labels=SELECTOR), "The benchmark's namespace is still there", 900)
    for each in kube.list(NODES, None, labels=SELECTOR):
        kube.delete(NODES, None, each["metadata"]["name"])
    until(lambda: not kube.any(NODES, None, labels=SELECTOR), "Fake nodes are still there")


def command(kwok: Path, kubeconfig: Path) -> list[str]:
    """How KWOK is started: for our nodes only, with our stages only."""
    return [
        str(kwok),
        f"--kubeconfig={kubeconfig}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-label-selector={SELECTOR}",
        "--node-lease-duration-seconds=40",
        "--v=WARN",
        *(f"--config={path}" for path in sorted(STAGES.glob("*.yaml"))),
    ]


@contextmanager
def _kwok(kube: Kube, layout: Layout) -> Iterator[int]:
    pidfile, log = layout.processes / "kwok.json", layout.logs / "kwok.log"
    processes.terminate(pidfile)
    log.unlink(missing_ok=True)
    try:
        yield processes.spawn(command(binaries.path_of(layout, "kwok"), kube.kubeconfig), pidfile, log)
    finally:
        processes.terminate(pidfile)


def _add(kube: Kube, count: int) -> None:
    ready = Predicate("ready", lambda obj: condition(obj, "Ready") == "True")
    for number in range(1, count + 1):
        kube.create(node(number))
    for number in range(1, count + 1):
        kube.wait(NODES, None, f"fake-{number}", ready, timeout=60)
