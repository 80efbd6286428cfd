"""The node fails under tasks of all three isolation modes: nothing is lost, and nothing starts twice or too early.

The faults are rows 22 and 23 of the matrix. The processes themselves write down that they run, second by second. There
is one node only, and what befalls it befalls operator and NATS.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from e2e.cluster import local
from e2e.cluster.local import configuration, leftovers
from e2e.cluster.local.lifecycle import wait_until
from e2e.cluster.settings import Settings, from_environ
from e2e.support.audit import Audit, audit, definition_for
from e2e.support.disk import Disk, disk_or_skip
from e2e.support.isolation import Tenant, ready, served
from e2e.support.kube import NODES, PODS, Kube, Obj
from e2e.support.load import audited, load
from e2e.support.namespaces import Namespace
from e2e.support.predicates import Predicate, attempt_runs, condition, gone, phase, status
from e2e.support.release import Release

pytestmark = pytest.mark.alone

MODES = ("Pod", "Warm", "Worker")
OVER = Predicate("over", lambda obj: status(obj).get("phase") in (None, "Failed", "Succeeded"))
LONG_SECONDS = 20
UNTIL_EVICTED_SECONDS = 120
"""A kubelet evicts one pod after another, whichever comes first, until there is room: about one in two seconds."""
DISK_MEGABYTES = 1024
LEFT_MEGABYTES = 32
"""Below its threshold of a tenth. Where nothing is left it ends no pod: it writes down what that used, first."""
Fault = Callable[[Namespace, str], None]


@pytest.fixture(scope="module")
def tenant(kube: Kube, quiet: Release) -> Iterator[Tenant]:
    """While the operator for the whole cluster is at rest. NATS has a volume: its pod goes with the node, too."""
    with served(kube, "node", durable=True) as found:
        yield found


@pytest.fixture(scope="module")
def book(tenant: Tenant) -> Iterator[Audit]:
    """What all of these tests' processes write."""
    with audit(tenant.space, *MODES[1:]) as found:
        yield found


def kubelet_gone(space: Namespace, prefix: str) -> None:
    """Until its node is NotReady. Pods are evicted meanwhile, do not hear of it, and end well, which nobody sees."""
    node = node_of(space, prefix)
    local.stop("kubelet", sig=signal.SIGKILL)
    try:
        evict(space, prefix)
        space.kube.wait(NODES, None, node, Predicate("NotReady", lambda obj: condition(obj, "Ready") == "Unknown"))
    finally:
        local.start("kubelet")
        local.wait_healthy("kubelet")
    space.kube.wait(NODES, None, node, Predicate("Ready", lambda obj: condition(obj, "Ready") == "True"))


def containerd_killed(_space: Namespace, _prefix: str) -> None:
    """Three times: containers live on without it."""
    for _ in range(3):
        local.stop("containerd", sig=signal.SIGKILL)
        time.sleep(1)  # for as long the kubelet finds nobody
        local.start("containerd")
        local.wait_healthy("containerd")


def drained(space: Namespace, prefix: str) -> None:
    """The node takes no pods, and those of tasks are evicted; then it is back."""
    node = node_of(space, prefix)
    space.kube.patch(NODES, None, node, {"spec": {"unschedulable": True}})
    try:
        evict(space, prefix)
        for mode in MODES:
            disrupted = Predicate("disrupted", lambda obj: status(obj).get("disruptionCount") == 1)
            space.wait(long(prefix, mode), disrupted)
    finally:
        space.kube.patch(NODES, None, node, {"spec": {"unschedulable": None}})


def node_gone(space: Namespace, prefix: str) -> None:
    """It loses its power, and its Node is deleted: Kubernetes takes its pods for gone. Then there is another."""
    node = node_of(space, prefix)
    pods = [space.pod_name(long(prefix, mode)) for mode in MODES]
    local.stop("kubelet", sig=signal.SIGKILL)
    try:
        local.kill_pods()
        space.kube.delete(NODES, None, node)
        for pod in pods:
            space.kube.wait(PODS, space.name, pod, gone())
    finally:
        local.start("kubelet")
        local.wait_healthy("kubelet")
    space.kube.wait(NODES, None, node, Predicate("Ready", lambda obj: condition(obj, "Ready") == "True"))


def node_of(space: Namespace, prefix: str) -> str:
    pod = space.kube.get(PODS, space.name, space.pod_name(long(prefix, "Pod")))
    assert pod is not None
    return str(pod["spec"]["nodeName"])


def evict(space: Namespace, prefix: str) -> None:
    """The pods of the long tasks."""
    for mode in MODES:
        space.kube.evict(space.name, space.pod_name(long(prefix, mode)))


def long(prefix: str, mode: str) -> str:
    return f"{prefix}-{mode.lower()}-long"


def is_evicted(space: Namespace, pod: str) -> bool:
    return status(space.kube.get(PODS, space.name, pod)).get("reason") == "Evicted"


def pressure(wanted: str) -> Predicate:
    return Predicate(f"DiskPressure {wanted}", lambda obj: condition(obj, "DiskPressure") == wanted)


def tasks_of(prefix: str, seconds: int = LONG_SECONDS) -> dict[str, tuple[Obj, str]]:
    """Of each mode some of each sort, and a long one."""
    tasks = {}
    for mode in MODES:
        tasks[long(prefix, mode)] = audited(long(prefix, mode), seconds, 0, mode=mode), "Succeeded"
        tasks |= load(f"{prefix}-{mode.lower()}", 4, mode)
    return tasks


def submit(space: Namespace, tasks: dict[str, tuple[Obj, str]]) -> None:
    space.submit(*(manifest for manifest, _ in tasks.values()))


@contextmanager
def kubelet_on(disk: Path, space: Namespace) -> Iterator[None]:
    """The kubelet has its files there, and finds nothing running: as after a loss of power, on another disk."""
    _move_kubelet(from_environ().model_copy(update={"kubelet_disk": disk}), space)
    try:
        yield
    finally:
        _move_kubelet(from_environ(), space)
        leftovers.unmount(disk)  # volumes of pods that were killed


def _move_kubelet(settings: Settings, space: Namespace) -> None:
    ran = [
        pod["metadata"]["name"] for pod in space.kube.list(PODS, space.name) if status(pod).get("phase") == "Running"
    ]
    local.stop("kubelet", sig=signal.SIGKILL)
    local.kill_pods()
    configuration.write(settings)
    local.start("kubelet", settings)
    local.wait_healthy("kubelet", settings)
    for pod in ran:
        space.kube.wait(PODS, space.name, pod, OVER)


def fills_up(disk: Disk, space: Namespace, prefix: str) -> None:
    """Until the pod of a long task was evicted; then there is room again."""
    node = node_of(space, prefix)
    pods = [space.pod_name(long(prefix, mode)) for mode in MODES]
    disk.leave(LEFT_MEGABYTES)
    try:
        space.kube.wait(NODES, None, node, pressure("True"))
        wait_until(lambda: any(is_evicted(space, pod) for pod in pods), "No long task is evicted", str, 300)
    finally:
        disk.make_room()
    space.kube.wait(NODES, None, node, pressure("False"))


@pytest.mark.parametrize(
    ("fault", "prefix", "disruptions"),
    [
        pytest.param(containerd_killed, "runtime", 0, id="containerd is killed"),
        pytest.param(drained, "drain", 1, id="the node is drained"),
        pytest.param(kubelet_gone, "kubelet", 0, id="the kubelet is gone, and pods are evicted meanwhile"),
        pytest.param(node_gone, "gone", 1, id="the node never comes back, and another one does"),
    ],
)
def test_nothing_is_lost_and_nothing_starts_twice_where(
    local_only: None, tenant: Tenant, book: Audit, fault: Fault, prefix: str, disruptions: int
) -> None:
    space, tasks = tenant.space, tasks_of(prefix)
    for mode in MODES[1:]:
        ready(space, definition_for(mode))
    submit(space, tasks)
    for mode in MODES:
        space.wait(long(prefix, mode), attempt_runs(1))

    fault(space, prefix)
    tasks |= (after := load(f"{prefix}-after", 3))
    submit(space, after)
    for name in tasks:
        space.wait(name)

    book.come_back()
    assert book.problems({name: end for name, (_, end) in tasks.items()}) == []
    assert [status(space.task(long(prefix, mode))).get("disruptionCount", 0) for mode in MODES] == [disruptions] * 3


def test_nothing_is_lost_and_nothing_starts_twice_where_the_disk_of_the_node_is_full(
    local_only: None, tenant: Tenant, book: Audit, tmp_path: Path
) -> None:
    """The kubelet's own files have hardly any room; it evicts pods and refuses others. Row 29."""
    space, tasks = tenant.space, tasks_of("disk", UNTIL_EVICTED_SECONDS)
    place = tmp_path / "disk"
    for mode in MODES[1:]:
        ready(space, definition_for(mode))
    with disk_or_skip(tmp_path / "image", place, DISK_MEGABYTES) as disk, kubelet_on(place, space):
        for mode in MODES[1:]:
            ready(space, definition_for(mode))
        submit(space, tasks)
        for mode in MODES:
            space.wait(long("disk", mode), phase("Running"))

        fills_up(disk, space, "disk")
        tasks |= (after := load("disk-after", 3))
        submit(space, after)
        for name in tasks:
            space.wait(name)

        book.come_back()
        assert book.problems({name: end for name, (_, end) in tasks.items()}) == []
        attempts = [each for mode in MODES for each in status(space.task(long("disk", mode)))["attempts"]]
        assert "Evicted" in [attempt.get("failure") for attempt in attempts]
