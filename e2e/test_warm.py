"""Isolation Warm on a real node: pods that wait, take one task each, and what becomes of it when something breaks."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from e2e.support.isolation import Tenant, function, ready, served
from e2e.support.kube import DEFINITIONS, JOBS, PATIENCE_SECONDS, PODS, TASKS, Kube, Obj, Refused
from e2e.support.manifests import definition
from e2e.support.namespaces import Namespace
from e2e.support.predicates import Predicate, attempts, condition, finished, gone, phase, status
from e2e.support.release import Release

from celeriac import Client


@pytest.fixture(scope="module")
def tenant(kube: Kube, quiet: Release) -> Iterator[Tenant]:
    """While the operator for the whole cluster is at rest."""
    with served(kube, "warm") as found:
        found.space.apply(warm("translate", "fnmatch:translate"), warm("nap", "asyncio:sleep"))
        yield found


def warm(name: str, location: str, **spec: object) -> Obj:
    """A TaskDefinition of a function of the standard library, for which pods wait."""
    return function(name, location, **{"isolation": "Warm", "warm": {"minReady": 2, "maxReady": 4}, **spec})


def waiting(space: Namespace, name: str) -> list[Obj]:
    """The pods that were started ahead."""
    return space.kube.list(PODS, space.name, labels=f"celeriac.dev/warm,celeriac.dev/definition={name}")


def assigned(task: Obj) -> list[str]:
    return [each["jobName"] for each in attempts(task) if "-w-" in each["jobName"]]


def test_a_task_runs_in_a_pod_that_waited_with_two_status_writes(client: Client, space: Namespace) -> None:
    handle = client.submit(definition="translate", params={"pat": "*.py"})
    result = handle.get(PATIENCE_SECONDS)
    task = space.kube.wait(TASKS, space.name, handle.name, finished())

    assert isinstance(result, str) and ".py" in result
    assert status(task)["result"]["value"] == result
    assert len(assigned(task)) == 1
    managers = [each for each in task["metadata"]["managedFields"] if each.get("subresource") == "status"]
    assert len(managers) == 1


def test_a_task_by_kubectl_runs_there_too(space: Namespace) -> None:
    space.submit(_task("by-kubectl", "translate", {"pat": "*.c"}))
    task = space.wait("by-kubectl")

    assert len(assigned(task)) == 1
    assert status(task)["phase"] == "Succeeded"


def test_each_task_of_a_burst_has_a_pod_of_its_own(client: Client, space: Namespace) -> None:
    space.apply(warm("burst", "fnmatch:translate"))
    ready(space, "burst", 2)
    handles = [client.submit(definition="burst", params={"pat": f"{number}"}) for number in range(4)]
    for handle in handles:
        handle.get(PATIENCE_SECONDS)
    tasks = [space.kube.wait(TASKS, space.name, handle.name, finished()) for handle in handles]
    pods = Counter(attempt["podUID"] for task in tasks for attempt in attempts(task))

    assert set(pods.values()) == {1}
    assert all(status(task)["phase"] == "Succeeded" for task in tasks)
    assert sum(bool(assigned(task)) for task in tasks) >= 2
    space.kube.delete(DEFINITIONS, space.name, "burst")


def test_a_pod_that_is_killed_while_it_waits_is_replaced(client: Client, space: Namespace) -> None:
    for pod in waiting(space, "translate"):
        space.kube.delete(PODS, space.name, pod["metadata"]["name"], grace_seconds=0)
    result = client.submit(definition="translate", params={"pat": "*.h"}).get(PATIENCE_SECONDS)

    assert isinstance(result, str)
    ready(space, "translate", 2)


def test_a_pod_that_is_killed_while_it_runs_is_a_disruption(client: Client, space: Namespace) -> None:
    handle = client.submit(definition="nap", params={"delay": 4, "result": "rested"})
    task = space.kube.wait(TASKS, space.name, handle.name, phase("Running"))
    space.kube.delete(PODS, space.name, attempts(task)[-1]["podName"], grace_seconds=0)
    result = handle.get(PATIENCE_SECONDS)
    task = space.kube.wait(TASKS, space.name, handle.name, finished())

    assert result == "rested"
    assert [each.get("failure") for each in attempts(task)] in (["PodDeleted", None], ["JobLost", None])
    assert status(task)["disruptionCount"] == 1


def test_an_operator_that_is_killed_finds_its_tasks_again(client: Client, space: Namespace, tenant: Tenant) -> None:
    handle = client.submit(definition="nap", params={"delay": 5, "result": "rested"})
    before = space.kube.wait(TASKS, space.name, handle.name, phase("Running"))
    for pod in space.kube.list(PODS, tenant.release.namespace, labels="app.kubernetes.io/component=operator"):
        space.kube.delete(PODS, tenant.release.namespace, pod["metadata"]["name"], grace_seconds=0)
    result = handle.get(PATIENCE_SECONDS)
    after = space.kube.wait(TASKS, space.name, handle.name, finished())

    assert result == "rested"
    assert [each["podUID"] for each in attempts(after)] == [each["podUID"] for each in attempts(before)]


def test_nats_that_is_killed_while_it_runs_costs_nothing(client: Client, space: Namespace, tenant: Tenant) -> None:
    space.submit(_task("through-an-outage", "nap", {"delay": 3, "result": "rested"}))
    space.kube.wait(TASKS, space.name, "through-an-outage", phase("Running"))
    tenant.nats.kill()
    task = space.wait("through-an-outage")

    assert (status(task)["phase"], len(attempts(task))) == ("Succeeded", 1)


def test_pods_of_an_older_content_go(space: Namespace) -> None:
    space.apply(warm("changes", "fnmatch:translate"))
    ready(space, "changes")
    old = {pod["metadata"]["name"] for pod in waiting(space, "changes")}
    space.apply(warm("changes", "fnmatch:translate", version="2"))
    for name in old:
        space.kube.wait(PODS, space.name, name, gone())
    ready(space, "changes")

    assert not old & {pod["metadata"]["name"] for pod in waiting(space, "changes")}


def test_a_pool_falls_asleep(space: Namespace) -> None:
    space.apply(warm("sleepy", "fnmatch:translate", warm={"minReady": 1, "idleSeconds": 5}))
    asleep = Predicate("no pod", lambda _: not waiting(space, "sleepy"))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not asleep.holds(None):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    space.submit(_task("wakes-it", "sleepy", {"pat": "*.h"}))

    assert status(space.wait("wakes-it"))["phase"] == "Succeeded"


def test_a_pod_that_cannot_import_its_function_says_why(space: Namespace) -> None:
    space.apply(warm("broken", "no.such.module:function"))
    says = Predicate("PodsFail", lambda obj: condition(obj, "WarmUnavailable") == "True")
    found = space.kube.wait(DEFINITIONS, space.name, "broken", says)
    (why,) = (each for each in status(found)["conditions"] if each["type"] == "WarmUnavailable")

    assert why["reason"] == "PodsFail"
    assert "no" in why["message"]


def test_params_in_the_container_are_refused(space: Namespace) -> None:
    with pytest.raises(Refused, match=r"container.args may not use"):
        space.apply(definition("greedy", container_fields={"args": ["$(params.x)"]}, isolation="Warm"))


def test_a_definition_takes_its_pods_along(space: Namespace) -> None:
    space.apply(warm("goes", "fnmatch:translate"))
    ready(space, "goes")
    space.kube.delete(DEFINITIONS, space.name, "goes")
    for job in space.kube.list(JOBS, space.name, labels="celeriac.dev/definition=goes"):
        space.kube.wait(JOBS, space.name, job["metadata"]["name"], gone())


def _task(name: str, of: str, params: Obj) -> Obj:
    meta = {"apiVersion": "celeriac.dev/v1alpha1", "kind": "Task", "metadata": {"name": name}}
    return {**meta, "spec": {"definitionName": of, "params": params}}
