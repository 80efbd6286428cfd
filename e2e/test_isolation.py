"""What is the same wherever a function runs: in a pod of its own, in one that waited, or in a worker's process."""

from collections.abc import Iterator

import pytest
from e2e.support.isolation import DEADLINES, Tenant, function, ready, served
from e2e.support.kube import PATIENCE_SECONDS, PODS, TASKS, Kube, Obj
from e2e.support.manifests import backoff
from e2e.support.predicates import attempts, finished, gone, phase, status
from e2e.support.release import Release

from celeriac import Client, errors

HOW: dict[str, Obj] = {
    "pod": {"isolation": "Pod"},
    "warm": {"isolation": "Warm", "warm": {"minReady": 1, "maxReady": 2}},
    "worker": {"isolation": "Worker", "worker": {"minPods": 1, "maxPods": 1, "slotsPerPod": 2}},
}
TWICE = {"deadlines": DEADLINES, "retry": {"maxAttempts": 2, "backoff": backoff(0)}}


@pytest.fixture(scope="module")
def tenant(kube: Kube, quiet: Release) -> Iterator[Tenant]:
    """Each function in each of the three ways, while the operator for the whole cluster is at rest."""
    with served(kube, "isolation") as found:
        for how, spec in HOW.items():
            found.space.apply(
                function(f"translate-{how}", "fnmatch:translate", **spec),
                function(f"twice-{how}", "fnmatch:translate", **{**spec, "defaults": TWICE}),
                function(f"nap-{how}", "asyncio:sleep", **spec),
            )
        yield found


@pytest.fixture(params=HOW)
def how(request: pytest.FixtureRequest, tenant: Tenant) -> str:
    """Which way, once pods that are started ahead wait."""
    name: str = request.param
    for kind in ("translate", "twice", "nap") if name != "pod" else ():
        ready(tenant.space, f"{kind}-{name}")
    return name


def ended(tenant: Tenant, name: str) -> Obj:
    return tenant.space.kube.wait(TASKS, tenant.space.name, name, finished())


def test_a_success_has_its_result(client: Client, tenant: Tenant, how: str) -> None:
    handle = client.submit(definition=f"translate-{how}", params={"pat": "*.py"})
    result = handle.get(PATIENCE_SECONDS)
    task = ended(tenant, handle.name)
    (attempt,) = attempts(task)

    assert ".py" in str(result)
    assert (status(task)["phase"], status(task)["result"]["value"]) == ("Succeeded", result)
    assert ("-w-" in attempt["jobName"]) == (how != "pod")
    assert attempt["exitCode"] == 0


def test_an_exception_is_told_with_its_traceback(client: Client, tenant: Tenant, how: str) -> None:
    handle = client.submit(definition=f"translate-{how}", params={"pat": 7})
    with pytest.raises(errors.TaskFailed) as failed:
        handle.get(PATIENCE_SECONDS)
    (attempt,) = attempts(ended(tenant, handle.name))

    assert (failed.value.failure, attempt["exitCode"]) == ("AppError", 1)
    assert "TypeError" in attempt["message"]
    assert "fnmatch.py" in attempt["message"]


def test_it_is_tried_again(client: Client, tenant: Tenant, how: str) -> None:
    handle = client.submit(definition=f"twice-{how}", params={"pat": 7})
    with pytest.raises(errors.TaskFailed):
        handle.get(PATIENCE_SECONDS)

    assert [each["failure"] for each in attempts(ended(tenant, handle.name))] == ["AppError", "AppError"]


def test_a_run_deadline_ends_it(client: Client, how: str) -> None:
    handle = client.submit(definition=f"nap-{how}", params={"delay": 600}, run_seconds=2)
    with pytest.raises(errors.TaskFailed) as failed:
        handle.get(PATIENCE_SECONDS)

    assert failed.value.failure == "RunDeadlineExceeded"


def test_a_cancel_ends_it_with_its_reason(client: Client, tenant: Tenant, how: str) -> None:
    handle = client.submit(definition=f"nap-{how}", params={"delay": 600})
    tenant.space.kube.wait(TASKS, tenant.space.name, handle.name, phase("Running"))
    handle.cancel("no longer needed")
    with pytest.raises(errors.TaskCancelled):
        handle.get(PATIENCE_SECONDS)
    task = ended(tenant, handle.name)

    assert "no longer needed" in status(task)["message"]
    assert attempts(task)[0]["failure"] == "Cancelled"


def test_the_log_is_the_tasks_alone(client: Client, how: str) -> None:
    mistaken = client.submit(definition=f"translate-{how}", params={"pat": 7})
    good = client.submit(definition=f"translate-{how}", params={"pat": "*.py"})
    with pytest.raises(errors.TaskFailed):
        mistaken.get(PATIENCE_SECONDS)
    good.get(PATIENCE_SECONDS)
    lines = list(client.logs(mistaken.name))

    assert list(client.logs(mistaken.name, follow=True)) == lines, (
        "it ends with the task, though a worker's log goes on"
    )
    assert lines[0] == "Traceback (most recent call last):"
    assert "TypeError" in lines[-1]
    assert list(client.logs(good.name)) == []


def test_a_task_that_is_deleted_while_it_runs_is_stopped(client: Client, tenant: Tenant, how: str) -> None:
    space, naps = tenant.space, [client.submit(definition=f"nap-{how}", params={"delay": 600}) for _ in range(2)]
    for nap in naps:
        space.kube.wait(TASKS, space.name, nap.name, phase("Running"))
    pods = {space.pod_name(nap.name) for nap in naps}
    for nap in naps:
        space.delete_task(nap.name)

    if how == "worker":  # it has two slots, and there is one worker
        client.submit(definition="nap-worker", params={"delay": 0}).get(PATIENCE_SECONDS)
    for pod in pods if how != "worker" else ():
        space.kube.wait(PODS, space.name, pod, gone())
