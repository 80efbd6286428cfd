"""Isolation Worker on a real node: pods that take many tasks, a process for each, and what becomes of them."""

import time
from collections.abc import Callable, Iterator

import pytest
from e2e.support.isolation import Tenant, connected, function, ready, served
from e2e.support.kube import PATIENCE_SECONDS, PODS, SECRETS, TASKS, Kube, Obj
from e2e.support.namespaces import Namespace
from e2e.support.predicates import Predicate, attempts, finished, gone, phase, status
from e2e.support.release import Release

from celeriac import Client, TaskHandle, errors

SLOTS = 2


@pytest.fixture(scope="module")
def tenant(kube: Kube, quiet: Release) -> Iterator[Tenant]:
    """While the operator for the whole cluster is at rest. NATS has a volume, as its pod is replaced with passwords."""
    with served(kube, "worker", durable=True) as found:
        found.space.apply(worker("translate", "fnmatch:translate"), worker("nap", "asyncio:sleep"))
        yield found


def worker(name: str, location: str, size: Obj | None = None, **spec: object) -> Obj:
    """A TaskDefinition of a function of the standard library, for workers."""
    sizes = {"minPods": 1, "maxPods": 1, "slotsPerPod": SLOTS, **(size or {})}
    return function(name, location, isolation="Worker", worker=sizes, **spec)


def pods(space: Namespace, name: str) -> list[str]:
    """The workers' names."""
    found = space.kube.list(PODS, space.name, labels=f"celeriac.dev/worker,celeriac.dev/definition={name}")
    return [pod["metadata"]["name"] for pod in found]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def ended(space: Namespace, handle: TaskHandle) -> Obj:
    return space.kube.wait(TASKS, space.name, handle.name, finished())


def runs(space: Namespace, handle: TaskHandle) -> Obj:
    return space.kube.wait(TASKS, space.name, handle.name, phase("Running"))


def where(task: Obj) -> list[str]:
    return [attempt["podName"] for attempt in attempts(task)]


def test_tasks_run_in_one_pod_with_two_status_writes_each(client: Client, space: Namespace) -> None:
    handles = [client.submit(definition="translate", params={"pat": f"*.{number}"}) for number in range(10)]
    results = [handle.get(PATIENCE_SECONDS) for handle in handles]
    tasks = [ended(space, handle) for handle in handles]

    assert all(f".{number}" in str(result) for number, result in enumerate(results))
    assert {name for task in tasks for name in where(task)} == set(pods(space, "translate"))
    assert all(len(attempts(task)) == 1 for task in tasks)


def test_a_crash_of_one_task_leaves_the_other_alive(client: Client, space: Namespace) -> None:
    space.apply(worker("exit", "os:_exit"))
    ready(space, "exit")
    first = client.submit(definition="exit", params={"status": 7})
    with pytest.raises(errors.TaskFailed) as failed:
        first.get(PATIENCE_SECONDS)
    second = client.submit(definition="exit", params={"status": 0})
    second.get(PATIENCE_SECONDS)

    assert failed.value.failure == "AppError"
    assert attempts(ended(space, first))[0]["exitCode"] == 7
    assert where(ended(space, first)) == where(ended(space, second))


def test_a_task_that_takes_too_much_memory_is_killed_alone(client: Client, space: Namespace) -> None:
    space.apply(worker("eat", "secrets:token_hex"))
    ready(space, "eat")
    hungry = client.submit(definition="eat", params={"nbytes": 200_000_000})
    with pytest.raises(errors.TaskFailed) as failed:
        hungry.get(PATIENCE_SECONDS)
    modest = client.submit(definition="eat", params={"nbytes": 8})

    assert len(str(modest.get(PATIENCE_SECONDS))) == 16
    assert failed.value.failure == "OOMKilled"
    assert where(ended(space, hungry)) == where(ended(space, modest))


def test_a_cancel_ends_one_task_and_not_its_neighbour(client: Client, space: Namespace) -> None:
    cancelled = client.submit(definition="nap", params={"delay": 600})
    neighbour = client.submit(definition="nap", params={"delay": 5, "result": "rested"})
    runs(space, cancelled)
    runs(space, neighbour)
    cancelled.cancel("no longer needed")
    with pytest.raises(errors.TaskCancelled):
        cancelled.get(PATIENCE_SECONDS)

    lines = list(client.logs(cancelled.name))

    assert any("CancelRequested: no longer needed" in line for line in lines), "the function learns the reason"
    assert neighbour.get(PATIENCE_SECONDS) == "rested"
    assert "no longer needed" in str(attempts(ended(space, cancelled))[0]["message"])
    assert where(ended(space, cancelled)) == where(ended(space, neighbour))


def test_what_finds_no_slot_waits_for_one(client: Client, space: Namespace) -> None:
    handles = [client.submit(definition="nap", params={"delay": 4, "result": number}) for number in range(4)]
    until(lambda: any(status(task).get("reason") == "NoFreeWorker" for task in space.kube.list(TASKS, space.name)))

    assert [handle.get(PATIENCE_SECONDS) for handle in handles] == [0, 1, 2, 3]
    assert {name for handle in handles for name in where(ended(space, handle))} == set(pods(space, "nap"))


def test_a_pod_that_is_killed_while_it_runs_is_a_disruption(client: Client, space: Namespace) -> None:
    handles = [client.submit(definition="nap", params={"delay": 4, "result": "rested"}) for _ in range(SLOTS)]
    tasks = [runs(space, handle) for handle in handles]
    space.kube.delete(PODS, space.name, where(tasks[0])[0], grace_seconds=0)

    assert [handle.get(PATIENCE_SECONDS) for handle in handles] == ["rested", "rested"]
    for handle in handles:
        task = ended(space, handle)
        assert [each.get("failure") for each in attempts(task)] in (["PodDeleted", None], ["JobLost", None])
        assert status(task)["disruptionCount"] == 1


def test_a_pod_ends_after_so_many_tasks_and_another_goes_on(client: Client, space: Namespace) -> None:
    space.apply(worker("few", "fnmatch:translate", {"tasksPerPod": 2}))
    ready(space, "few")
    handles = [client.submit(definition="few", params={"pat": f"{number}"}) for number in range(5)]
    for handle in handles:
        handle.get(PATIENCE_SECONDS)
    used = [where(ended(space, handle)) for handle in handles]

    assert all(len(names) == 1 for names in used)
    assert len({names[0] for names in used}) >= 3
    done = {names[0] for names in used if used.count(names) == 2}
    assert done
    for name in done:
        over = Predicate("has ended", lambda obj: status(obj).get("phase") == "Succeeded")
        space.kube.wait(PODS, space.name, name, over)


def test_workers_of_an_older_content_go_once_their_tasks_have_ended(client: Client, space: Namespace) -> None:
    space.apply(worker("changes", "asyncio:sleep"))
    ready(space, "changes")
    handle = client.submit(definition="changes", params={"delay": 4, "result": "rested"})
    old = where(runs(space, handle))
    space.apply(worker("changes", "asyncio:sleep", version="2"))

    assert handle.get(PATIENCE_SECONDS) == "rested"
    assert where(ended(space, handle)) == old
    space.kube.wait(PODS, space.name, old[0], gone())
    until(lambda: bool(pods(space, "changes")) and old[0] not in pods(space, "changes"))


def test_more_workers_come_for_a_backlog(client: Client, space: Namespace) -> None:
    space.apply(worker("grows", "asyncio:sleep", {"minPods": 0, "maxPods": 2, "slotsPerPod": 1}))
    handles = [client.submit(definition="grows", params={"delay": 3, "result": "rested"}) for _ in range(4)]

    assert [handle.get(PATIENCE_SECONDS) for handle in handles] == ["rested"] * 4
    assert len({where(ended(space, handle))[0] for handle in handles}) == 2


def test_an_operator_that_is_killed_finds_its_tasks_again(client: Client, space: Namespace, tenant: Tenant) -> None:
    handles = [client.submit(definition="nap", params={"delay": 5, "result": "rested"}) for _ in range(SLOTS)]
    before = [where(runs(space, handle)) for handle in handles]
    for pod in space.kube.list(PODS, tenant.release.namespace, labels="app.kubernetes.io/component=operator"):
        space.kube.delete(PODS, tenant.release.namespace, pod["metadata"]["name"], grace_seconds=0)

    assert [handle.get(PATIENCE_SECONDS) for handle in handles] == ["rested"] * SLOTS
    assert [where(ended(space, handle)) for handle in handles] == before


def test_a_worker_goes_on_where_all_passwords_are_replaced_under_it(
    tenant: Tenant, space: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/nats.md says. The kubelet replaces the file in its pod; what it ran has ended before."""
    with connected(tenant, monkeypatch) as client:
        running = client.submit(definition="nap", params={"delay": 4, "result": "rested"})
        before, old = where(runs(space, running)), tenant.nats.password("operator")
    space.kube.delete(SECRETS, tenant.release.namespace, "celeriac-nats-auth")
    tenant.release.install(*tenant.values)
    assert tenant.nats.password("operator") != old

    told = ended(space, running)
    with connected(tenant, monkeypatch) as client:
        again = client.submit(definition="nap", params={"delay": 0, "result": "well"})
        assert again.get(PATIENCE_SECONDS) == "well"
    assert status(told)["result"] == {"value": "rested"}
    assert where(told) == before == where(ended(space, again))
