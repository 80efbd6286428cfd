"""What grows is kept in bounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from tests.support.clock import Clock
from tests.support.cluster import Cluster
from tests.support.fake_kube import FakeKube
from tests.support.process import Process, run

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.core.facts import Key, TaskFacts
from celeriac_operator.housekeeping import (
    count_phases,
    delete_surplus,
    delete_unused_revisions,
    surplus,
    unused_revisions,
)
from celeriac_operator.kube.api import KubeApi
from celeriac_operator.metrics import REGISTRY
from celeriac_operator.watch import WATCHED

CONTAINER = {"image": "busybox:1.36"}


async def always(_task: TaskFacts) -> bool:
    return True


def finished_tasks(count: int) -> Process:
    """So many tasks, each cancelled a second after the one before."""
    cluster = Cluster(Clock())
    process = Process(cluster)
    for number in range(count):
        spec: dict[str, Any] = {"container": CONTAINER, "cancel": {"reason": "no"}}
        cluster.add("tasks", {"metadata": {"name": f"t{number}"}, "spec": spec})
        settle(process)
        cluster.clock.advance(1)
    return process


def settle(process: Process) -> None:
    for kind in WATCHED:
        process.hear(kind)
    process.work_off()


def everywhere(_namespace: str) -> bool:
    return True


def nowhere(_namespace: str) -> bool:
    return False


async def none_wait(_namespace: str) -> bool:
    return False


async def some_wait(_namespace: str) -> bool:
    return True


def keep(
    process: Process,
    limit: int,
    seen: frozenset[Key] = frozenset(),
    ours: Callable[[str], bool] = everywhere,
    waiting: Callable[[str], Awaitable[bool]] = none_wait,
) -> frozenset[Key]:
    kube = cast(KubeApi, FakeKube(process.cluster))
    run(delete_surplus(process.cache, kube, limit, process.queues.history, ours, always))
    return run(delete_unused_revisions(process.cache, kube, seen, ours, waiting))


def test_the_oldest_finished_tasks_beyond_the_limit_go() -> None:
    process = finished_tasks(4)

    keep(process, limit=2)

    assert ["t2", "t3"] == [task["metadata"]["name"] for task in process.cluster.all("tasks")]


def test_a_queue_keeps_as_many_finished_tasks_as_it_says() -> None:
    process = finished_tasks(4)
    process.cluster.add("taskqueues", {"metadata": {"name": "default"}, "spec": {"historyLimit": 1}})
    settle(process)
    spec: dict[str, Any] = {"container": CONTAINER, "queueName": "other", "cancel": {"reason": "no"}}
    process.cluster.add("tasks", {"metadata": {"name": "other"}, "spec": spec})
    settle(process)

    assert ["t0", "t1", "t2"] == [task.key.name for task in surplus(process.cache, 5, process.queues.history)]
    assert ["t0", "t1", "t2", "t3"] == [task.key.name for task in surplus(process.cache, 1, process.queues.history)]


def test_a_queue_that_nobody_declared_keeps_what_the_operators_default_says() -> None:
    process = finished_tasks(3)
    process.queues.admission.defaults = TaskQueueSpec(history_limit=0)

    assert 3 == len(surplus(process.cache, 100, process.queues.history))


def test_tasks_that_have_not_finished_are_never_surplus() -> None:
    process = finished_tasks(1)
    process.cluster.add("tasks", {"metadata": {"name": "runs"}, "spec": {"container": CONTAINER}})
    settle(process)

    assert ["t0"] == [task.key.name for task in surplus(process.cache, 0, process.queues.history)]


def test_a_revision_goes_when_it_was_unused_twice() -> None:
    cluster = Cluster(Clock())
    process = Process(cluster)
    cluster.add("taskdefinitions", {"metadata": {"name": "resize"}, "spec": {"container": CONTAINER}})
    cluster.add("tasks", {"metadata": {"name": "one"}, "spec": {"definitionName": "resize"}})
    settle(process)
    assert not unused_revisions(process.cache)

    cluster.edit("tasks", "one", cancel={"reason": "no"})
    cluster.edit("taskdefinitions", "resize", version="v2")
    for _ in range(6):
        settle(process)
        cluster.run_controllers()
        cluster.clock.advance(5)
    assert frozenset() == keep(process, 100, waiting=some_wait), "a message may have been made for it"
    once = keep(process, 100)

    assert len(once) == 1
    assert len(process.cache.revisions) == 1

    keep(process, 100, once)

    assert not process.cache.revisions


def test_nothing_goes_where_another_replica_works() -> None:
    process = finished_tasks(4)
    process.cluster.add("taskdefinitions", {"metadata": {"name": "resize"}, "spec": {"container": CONTAINER}})

    assert frozenset() == keep(process, limit=2, ours=nowhere)
    assert 4 == len(process.cluster.all("tasks"))


@pytest.mark.parametrize(("ours", "count"), [(everywhere, 3), (nowhere, 0)], ids=["as leader", "as standby"])
def test_tasks_are_counted_by_phase(ours: Callable[[str], bool], count: int) -> None:
    count_phases(finished_tasks(3).cache, ours)

    assert REGISTRY.get_sample_value("celeriac_tasks", {"phase": "Cancelled"}) == count
