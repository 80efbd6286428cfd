"""What the operator tells of its queues over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from tests.support.clock import Clock, wire
from tests.support.cluster import NAMESPACE, Cluster
from tests.support.process import Process

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.core.admission.standing import Asks, Holds, QueueKey
from celeriac_operator.core.facts import Key
from celeriac_operator.http import serve
from celeriac_operator.http_queues import queue_routes, queues_of
from celeriac_operator.metrics import REGISTRY
from celeriac_operator.queues import MOST_QUEUES

ROOT = f"/api/v1/namespaces/{NAMESPACE}"


def waiting_tasks() -> Process:
    """A queue with one slot, and three Tasks; everything has been settled."""
    cluster = Cluster(Clock())
    cluster.add("taskqueues", {"metadata": {"name": "default"}, "spec": {"maxConcurrency": 1}})
    for name in ("a", "b", "c"):
        cluster.add("tasks", {"metadata": {"name": name}, "spec": {"container": {"image": "x"}}})
    process = Process(cluster)
    process.work_off()
    return process


@pytest.fixture
async def base() -> AsyncIterator[str]:
    process = waiting_tasks()
    runner = await serve(
        0,
        problems=list,
        ready=lambda: True,
        refresh=lambda: None,
        routes=queue_routes(process.queues, process.cache),
    )
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def get(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.json()


async def test_why_a_task_waits_and_its_position(base: str) -> None:
    status, found = await get(f"{base}{ROOT}/tasks/c/why")

    assert (200, 2) == (status, found["position"])
    assert ("QueueFull", "Waiting: queue default is at its limit of 1") == (found["reason"], found["message"])
    assert ("default", 2, 1) == (found["queue"]["name"], found["queue"]["queued"], found["queue"]["running"])


async def test_a_task_that_does_not_wait_has_no_position(base: str) -> None:
    _, found = await get(f"{base}{ROOT}/tasks/a/why")

    assert (None, None) == (found["position"], found["reason"])


async def test_a_task_that_is_not_known(base: str) -> None:
    assert (404, {"message": "no Task media/x is known"}) == await get(f"{base}{ROOT}/tasks/x/why")


async def test_the_queues_of_a_namespace(base: str) -> None:
    _, found = await get(f"{base}{ROOT}/queues")
    oldest = found["items"][0].pop("oldest")

    queue = {"name": "default", "queued": 2, "running": 1, "spec": {"maxConcurrency": 1}, "declared": True}
    assert [queue] == found["items"]
    assert wire(Clock().now)[:-1] == oldest[:19]


def test_a_declared_queue_that_nothing_stands_in_has_its_limits() -> None:
    """The admission forgets it every so often."""
    cluster = Cluster(Clock())
    cluster.add("taskqueues", {"metadata": {"name": "slow"}, "spec": {"maxConcurrency": 1, "stopPolicy": "Hold"}})
    process = Process(cluster)
    process.work_off()
    process.queues.forget_idle()

    (found,) = queues_of(NAMESPACE, process.queues, process.cache)
    assert {"maxConcurrency": 1, "stopPolicy": "Hold"} == found["spec"]


@pytest.mark.parametrize("path", ["tasks/a/why", "queues"])
async def test_a_replica_that_does_not_work_on_the_namespace_says_so(path: str) -> None:
    process = waiting_tasks()
    routes = queue_routes(process.queues, process.cache, ours=lambda _: False)
    runner = await serve(0, problems=list, ready=lambda: True, refresh=lambda: None, routes=routes)
    status, found = await get(f"http://127.0.0.1:{runner.addresses[0][1]}{ROOT}/{path}")
    await runner.cleanup()

    assert (503, "another replica works on namespace media: ask again") == (status, found["message"])


async def test_a_namespace_without_queues(base: str) -> None:
    assert (200, {"items": []}) == await get(f"{base}/api/v1/namespaces/other/queues")


def test_queues_that_nobody_declared_count_in_the_metrics() -> None:
    process = Process(Cluster(Clock()))
    queue = QueueKey(NAMESPACE, "slow")
    process.queues.admission.set(Key(NAMESPACE, "a"), Holds(queue))
    process.queues.admission.set(Key(NAMESPACE, "b"), Asks(queue, 0, Clock().now))
    process.queues.count()

    labels = {"namespace": NAMESPACE, "queue": "slow"}
    for state in ("queued", "running"):
        assert 1 == REGISTRY.get_sample_value("celeriac_queue_tasks", {**labels, "state": state})


def test_however_many_queues_there_are_the_metrics_are_bounded() -> None:
    process = Process(Cluster(Clock()), queue_defaults=TaskQueueSpec())
    for number in range(MOST_QUEUES + 7):
        process.queues.admission.set(Key(NAMESPACE, f"t{number}"), Holds(QueueKey(NAMESPACE, f"q{number}")))
    process.queues.count()
    (metric,) = [metric for metric in REGISTRY.collect() if metric.name == "celeriac_queue_tasks"]

    assert 2 * (MOST_QUEUES + 1) == len(metric.samples)
    other = {"namespace": "", "queue": "", "state": "running"}
    assert 7 == REGISTRY.get_sample_value("celeriac_queue_tasks", other)
