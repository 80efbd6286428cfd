"""A replica works on what it holds: all of it, after a fresh look at what is not watched, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn, cast

import pytest
from tests.support.clock import Clock
from tests.support.cluster import NAMESPACE, Cluster
from tests.support.fake_kube import FakeKube

from celeriac_operator.background import Background
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.definition import DefinitionKey
from celeriac_operator.core.facts import Key, TaskFacts
from celeriac_operator.core.shards import shard_of
from celeriac_operator.duties import Duties
from celeriac_operator.kube.api import KubeApi
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.metrics import REGISTRY
from celeriac_operator.watch import Watch

SHARDS = 3
OURS = shard_of(NAMESPACE, SHARDS)
OTHERS = (OURS + 1) % SHARDS
TASK = Key(NAMESPACE, "resize-42")


def no_death(reason: str) -> NoReturn:
    raise AssertionError(reason)


class Standby:
    """A replica whose cache is filled, and which works on nothing yet."""

    def __init__(self) -> None:
        self.cluster, self.cache, self.added = Cluster(Clock()), Cache(), set[WorkKey]()
        self.watch = Watch(self.cache, cast(KubeApi, FakeKube(self.cluster)), (), lambda _: None)
        self.background = Background(no_death)
        self.begun: list[tuple[bool, int]] = []
        self.ended: list[bool] = []
        self.duties = Duties(
            SHARDS, self.cache, self.watch, self.added.add, self.background, begin=self.begin, end=self.end
        )

    def begin(self, ours: Callable[[str], bool]) -> None:
        """As the queues do: they need the Jobs, and must be first."""
        assert not self.duties.ours(NAMESPACE)
        self.begun.append((ours(NAMESPACE), len(self.cache.jobs.entries)))

    async def end(self, ours: Callable[[str], bool]) -> None:
        """As the applier does: nothing new comes up meanwhile."""
        assert not self.duties.ours(NAMESPACE)
        self.ended.append(ours(NAMESPACE))

    def add(self, plural: str, name: str, **more: Any) -> None:
        self.cluster.add(plural, {"metadata": {"name": name, **more}, "spec": {"container": {"image": "x"}}})

    async def take_up(self, shard: int) -> None:
        self.duties.take_up(shard)
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def standby() -> Standby:
    found = Standby()
    found.add("tasks", TASK.name)
    found.add("taskdefinitions", "resize")
    await found.watch.fill()
    return found


def leads(shard: int) -> float | None:
    return REGISTRY.get_sample_value("celeriac_leader", {"shard": str(shard)})


async def test_a_standby_knows_everything_and_works_on_nothing(standby: Standby) -> None:
    assert standby.cache.tasks.get(TASK) is not None
    assert not standby.duties.ours(NAMESPACE)
    assert 0 == leads(OURS)


async def test_everything_of_a_shard_is_looked_at_when_it_is_taken_up(standby: Standby) -> None:
    await standby.take_up(OURS)

    assert {TASK, DefinitionKey(NAMESPACE, "resize")} == standby.added
    assert standby.duties.ours(NAMESPACE)
    assert 1 == leads(OURS)


async def test_nothing_of_another_shard_is(standby: Standby) -> None:
    await standby.take_up(OTHERS)

    assert set() == standby.added
    assert not standby.duties.ours(NAMESPACE)


async def test_jobs_are_known_as_they_are_then(standby: Standby) -> None:
    """They are not watched, and the replica before has made and deleted some."""
    task = standby.cluster.all("tasks")[0]
    owner = [{"uid": task["metadata"]["uid"], "controller": True}]
    labels = {"app.kubernetes.io/managed-by": "celeriac"}
    standby.add("jobs", "resize-42-abcdef-a1", labels=labels, ownerReferences=owner)
    standby.cache.put("jobs", standby.cluster.all("jobs")[0])
    standby.cluster.remove("jobs", "resize-42-abcdef-a1")
    standby.add("jobs", "resize-42-abcdef-a2", labels=labels, ownerReferences=owner)
    await standby.take_up(OURS)

    assert [Key(NAMESPACE, "resize-42-abcdef-a2")] == list(standby.cache.jobs.entries)


async def test_tasks_are_known_as_they_are_then(standby: Standby) -> None:
    """Their watch may be behind: the replica before has given one to a waiting pod, which no Job would tell of."""
    standby.add("tasks", "gone")
    await standby.watch.fill()
    standby.cluster.remove("tasks", "gone")
    given = {"number": 1, "jobName": "resize-w-1", "podUID": "uid-pod"}
    standby.cluster.put("tasks", {**standby.cluster.all("tasks")[0], "status": {"attempts": [given]}})
    await standby.take_up(OURS)

    found = standby.cache.tasks.get(TASK)
    assert isinstance(found, TaskFacts)
    assert [each.pod_uid for each in found.status.attempts] == ["uid-pod"]
    assert list(standby.cache.tasks.entries) == [TASK]


async def test_queues_begin_with_the_jobs_known_and_before_anything_is_looked_at(standby: Standby) -> None:
    task = standby.cluster.all("tasks")[0]
    owner = [{"uid": task["metadata"]["uid"], "controller": True}]
    labels = {"app.kubernetes.io/managed-by": "celeriac"}
    standby.add("jobs", "resize-42-abcdef-a1", labels=labels, ownerReferences=owner)
    await standby.take_up(OURS)

    assert [(True, 1)] == standby.begun


async def test_a_declared_queue_is_looked_at_when_its_shard_is_taken_up(standby: Standby) -> None:
    standby.add("taskqueues", "media")
    await standby.watch.fill()
    await standby.take_up(OURS)

    assert QueueKey(NAMESPACE, "media") in standby.added


async def test_nothing_is_begun_before_the_jobs_are_known(standby: Standby) -> None:
    standby.duties.take_up(OURS)

    assert not standby.duties.ours(NAMESPACE)


async def test_what_is_laid_down_is_worked_on_no_more(standby: Standby) -> None:
    await standby.take_up(OURS)
    await standby.duties.lay_down(OURS)

    assert not standby.duties.ours(NAMESPACE)
    assert 0 == leads(OURS)
    assert [True] == standby.ended


async def test_what_is_laid_down_while_it_is_taken_up_is_not_worked_on(standby: Standby) -> None:
    standby.duties.take_up(OURS)
    await standby.duties.lay_down(OURS)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert not standby.duties.ours(NAMESPACE)
    assert set() == standby.added
