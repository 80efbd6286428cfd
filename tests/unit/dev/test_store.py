"""The store behind celeriac dev: versions, guards, owners, graceful ends, and what watches are told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from celeriac_operator.dev.kinds import JOBS, KINDS, PODS
from celeriac_operator.dev.store import Conflict, Store

TASKS = next(kind for kind in KINDS if kind.kind == "Task")

Raw = dict[str, Any]


def made(store: Store, kind: Any = TASKS, name: str = "a", **more: Any) -> Raw:
    return store.create(kind, "media", {"metadata": {"name": name, **more.pop("metadata", {})}, "spec": {}, **more})


def owned_by(owner: Raw) -> Raw:
    return {"ownerReferences": [{"uid": owner["metadata"]["uid"]}]}


@pytest.fixture
async def store() -> Store:
    return Store()


async def test_a_new_object_is_named_dated_and_numbered(store: Store) -> None:
    raw = made(store)
    meta = raw["metadata"]

    assert ("Task", "celeriac.dev/v1alpha1") == (raw["kind"], raw["apiVersion"])
    assert (1, "media", str(store.version)) == (meta["generation"], meta["namespace"], meta["resourceVersion"])
    assert {"uid", "creationTimestamp"} < set(meta)


async def test_a_name_is_given_once(store: Store) -> None:
    made(store)

    with pytest.raises(Conflict, match='tasks "a" already exists'):
        made(store)


async def test_two_generated_names_differ(store: Store) -> None:
    names = {store.create(PODS, "media", {"metadata": {"generateName": "x-"}})["metadata"]["name"] for _ in range(2)}

    assert 2 == len(names) and all(name.startswith("x-") for name in names)


@pytest.mark.parametrize(
    ("change", "generation"),
    [({"spec": {"x": 1}}, 2), ({"status": {"x": 1}}, 1)],
    ids=["another spec is another generation", "another status is not"],
)
async def test_generation(change: Raw, generation: int, store: Store) -> None:
    old = made(store)

    assert generation == store.update(TASKS, old, {**old, **change})["metadata"]["generation"]


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
async def test_a_write_to_what_has_changed_is_refused(field: str, store: Store) -> None:
    old = made(store)

    with pytest.raises(Conflict, match="has been modified"):
        store.update(TASKS, old, {**old, "metadata": {**old["metadata"], field: "another"}})


async def test_a_write_that_changes_nothing_tells_nobody(store: Store) -> None:
    old = made(store)
    before = store.version

    assert old == store.update(TASKS, old, dict(old))
    assert before == store.version


async def test_what_is_owned_goes_with_its_owner(store: Store) -> None:
    task = made(store)
    job = made(store, JOBS, "job", metadata=owned_by(task))
    made(store, PODS, "pod", metadata=owned_by(job), status={"phase": "Succeeded"})
    store.delete(TASKS, task)

    assert [] == [*store.list(TASKS, None), *store.list(JOBS, None), *store.list(PODS, None)]


WAITING = [{"state": {"waiting": {"reason": "CreateContainerConfigError"}}}]


@pytest.mark.parametrize(
    ("status", "grace", "left"),
    [
        pytest.param({"phase": "Running"}, None, True, id="runs: it may end"),
        pytest.param({"phase": "Running"}, 0, False, id="runs, without grace"),
        pytest.param({"phase": "Pending"}, None, True, id="is being started: it may end"),
        pytest.param({"phase": "Pending", "containerStatuses": WAITING}, None, False, id="cannot start"),
        pytest.param({"phase": "Succeeded"}, None, False, id="is over"),
    ],
)
async def test_deleting_a_pod_that(status: Raw, grace: int | None, left: bool, store: Store) -> None:
    pod = made(store, PODS, status=status)
    store.delete(PODS, pod, grace_seconds=grace)
    found = store.get(PODS, "media", "a")

    assert left == (found is not None)
    assert found is None or 30 == found["metadata"]["deletionGracePeriodSeconds"]


@pytest.mark.parametrize(
    ("grace", "left"),
    [pytest.param(None, True, id="its end can be read still"), pytest.param(0, False, id="at once")],
)
async def test_deleting_a_pod_once_more_when_its_process_has_ended(grace: int | None, left: bool, store: Store) -> None:
    pod = made(store, PODS, status={"phase": "Running"})
    store.delete(PODS, pod)
    (going,) = store.list(PODS, "media")
    ended = store.set_status(PODS, going, {"phase": "Succeeded"})
    store.delete(PODS, ended, grace_seconds=grace)

    assert left == bool(list(store.list(PODS, "media")))


async def test_a_job_in_the_foreground_goes_with_the_last_of_its_pods(store: Store) -> None:
    job = made(store, JOBS)
    pod = made(store, PODS, metadata=owned_by(job), status={"phase": "Running"})
    store.delete(JOBS, job, foreground=True)
    waiting = store.get(JOBS, "media", "a")
    store.remove(PODS, pod)

    assert waiting is not None and "deletionTimestamp" in waiting["metadata"]
    assert store.get(JOBS, "media", "a") is None


async def test_a_watch_is_told_what_comes_after_its_version_in_order(store: Store) -> None:
    old = made(store)
    since = store.version
    new = store.update(TASKS, old, {**old, "spec": {"x": 1}})
    made(store, JOBS, "another-kind")
    store.delete(TASKS, new)
    changes = store.watch(TASKS, since)

    async with asyncio.timeout(30):
        told = [await anext(changes), await anext(changes)]
    assert ["MODIFIED", "DELETED"] == [change.event for change in told if change is not None]
    await changes.aclose()  # type: ignore[attr-defined]


async def test_a_watch_wakes_up_for_what_comes_later(store: Store) -> None:
    changes = store.watch(TASKS, store.version)
    waiting = asyncio.ensure_future(anext(changes))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    made(store)

    async with asyncio.timeout(30):
        assert "ADDED" == (await waiting).event
    await changes.aclose()  # type: ignore[attr-defined]
