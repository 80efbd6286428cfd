"""What the watches tell, and what a relist repairs when they do not."""

from __future__ import annotations

from contextlib import suppress
from typing import cast

import pytest
from tests.support.clock import Clock
from tests.support.cluster import NAMESPACE, Cluster
from tests.support.fake_kube import FakeKube

from celeriac_operator import watch as module
from celeriac_operator.core.facts import Key
from celeriac_operator.kube.api import KubeApi
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.watch import DEAD_AFTER, Watch

TASK = Key(NAMESPACE, "resize-42")


class World:
    """A cluster, a watch of it, and the keys that it told of."""

    def __init__(self) -> None:
        self.cluster, self.cache, self.told = Cluster(Clock()), Cache(), set[WorkKey]()
        self.watch = Watch(self.cache, cast(KubeApi, FakeKube(self.cluster)), (), self.told.update)

    def submit(self) -> None:
        self.cluster.add("tasks", {"metadata": {"name": TASK.name}, "spec": {"container": {"image": "x"}}})


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0)
    return World()


async def test_what_is_there_at_the_start_is_looked_at(world: World) -> None:
    world.submit()

    await world.watch.fill()

    assert {TASK} == world.told


async def test_an_event_that_tells_nothing_new_is_no_reason_to_look(world: World) -> None:
    world.submit()
    await world.watch.fill()
    world.told.clear()

    world.watch.saw("tasks", None, world.cluster.all("tasks")[0])

    assert not world.told


async def test_the_echo_of_our_own_write_is_no_reason_to_look(world: World) -> None:
    world.submit()
    await world.watch.fill()
    world.told.clear()

    with world.cache.writing(TASK, world.told.update):
        world.cluster.edit("tasks", TASK.name, priority=3)
        world.watch.saw("tasks", "MODIFIED", world.cluster.all("tasks")[0])
        world.cache.put("tasks", world.cluster.all("tasks")[0])

    assert not world.told


@pytest.mark.parametrize("fails", [False, True], ids=["is answered", "fails"])
async def test_what_others_change_during_our_write_is_looked_at_once_it(world: World, fails: bool) -> None:
    world.submit()
    await world.watch.fill()
    world.told.clear()

    with suppress(TimeoutError), world.cache.writing(TASK, world.told.update):
        world.cluster.edit("tasks", TASK.name, priority=3)
        world.watch.saw("tasks", "MODIFIED", world.cluster.all("tasks")[0])
        assert not world.told
        if fails:
            raise TimeoutError

    assert world.told == {TASK}


@pytest.mark.parametrize("again", [False, True], ids=["stays gone", "is there again under another uid"])
async def test_a_task_that_goes_during_our_write_whose_answer_comes_later(world: World, again: bool) -> None:
    world.submit()
    await world.watch.fill()
    answer = world.cluster.all("tasks")[0]

    with world.cache.writing(TASK, world.told.update):
        world.watch.saw("tasks", "MODIFIED", world.cluster.all("tasks")[0])
        world.watch.saw("tasks", "DELETED", world.cluster.all("tasks")[0])
        world.cluster.remove("tasks", TASK.name)
        if again:
            world.submit()
            world.watch.saw("tasks", "ADDED", world.cluster.all("tasks")[0])
        world.cache.put("tasks", answer)

    found = world.cache.tasks.get(TASK)
    assert again == (found is not None)
    assert found is None or found.uid == world.cluster.all("tasks")[0]["metadata"]["uid"]


async def test_a_deletion_that_is_told_late_is_not_that_of_a_task_made_since(world: World) -> None:
    """Its name is free as soon as it is gone, and what is made then is known by the answer, before any watch."""
    world.submit()
    await world.watch.fill()
    world.cluster.remove("tasks", TASK.name)
    world.submit()
    world.cache.put("tasks", world.cluster.all("tasks")[0])
    world.told.clear()
    _, gone = world.cluster.log["tasks"][-2]
    world.watch.saw("tasks", "DELETED", gone)

    found = world.cache.tasks.get(TASK)
    assert found is not None
    assert found.uid == world.cluster.all("tasks")[0]["metadata"]["uid"]
    assert not world.told


GONE = [
    pytest.param(None, True, id="of the whole cluster"),
    pytest.param(NAMESPACE, True, id="of its namespace"),
    pytest.param("elsewhere", False, id="of another namespace, which says nothing of it"),
]


@pytest.mark.parametrize(("scope", "gone"), GONE)
async def test_what_a_list_does_not_have_is_gone(world: World, scope: str | None, gone: bool) -> None:
    world.submit()
    world.watch = Watch(
        world.cache, cast(KubeApi, FakeKube(world.cluster)), [scope] if scope else [], world.told.update
    )
    world.watch.saw("tasks", "ADDED", world.cluster.all("tasks")[0])
    world.cluster.remove("tasks", TASK.name)
    world.told.clear()

    await world.watch.fill()

    assert gone == (world.cache.tasks.get(TASK) is None)
    assert gone == (TASK in world.told)


async def test_what_was_made_after_a_list_is_not_gone(world: World) -> None:
    before = world.cluster.version
    world.submit()
    world.watch.saw("tasks", "ADDED", world.cluster.all("tasks")[0])
    world.cluster.version = before
    world.cluster.objects.clear()

    await world.watch.fill()

    assert world.cache.tasks.get(TASK) is not None


async def test_a_missed_creation_is_found(world: World) -> None:
    await world.watch.fill()
    world.submit()

    await world.watch.relist()

    assert {TASK} == world.told


async def test_a_missed_deletion_is_found(world: World) -> None:
    world.submit()
    await world.watch.fill()
    world.cluster.remove("tasks", TASK.name)
    world.told.clear()

    await world.watch.relist()

    assert {TASK} == world.told
    assert world.cache.tasks.get(TASK) is None


async def test_a_watch_that_keeps_missing_things_is_dead(world: World) -> None:
    await world.watch.fill()
    world.submit()
    for _ in range(DEAD_AFTER):
        assert not world.watch.dead
        world.cluster.edit("tasks", TASK.name, priority=len(world.cluster.log["tasks"]))
        await world.watch.relist()

    assert ["tasks"] == world.watch.dead


async def test_a_watch_that_recovers_is_not_dead(world: World) -> None:
    await world.watch.fill()
    world.submit()
    for _ in range(DEAD_AFTER + 1):
        await world.watch.relist()

    assert not world.watch.dead
