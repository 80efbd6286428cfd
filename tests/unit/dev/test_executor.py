"""Jobs of celeriac dev as processes of this machine: what is told of a pod, and when it goes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from celeriac_operator.dev.executor import Executor
from celeriac_operator.dev.guarded import guarded
from celeriac_operator.dev.kinds import JOBS, PODS
from celeriac_operator.dev.store import Change, Store

Raw = dict[str, Any]

LATE = 'trap "printf late > $CELERIAC_RESULT_FILE; exit {code}" TERM; : > ready; while :; do sleep 0.01; done'
DEAF = 'trap "" TERM; printf early > $CELERIAC_RESULT_FILE; : > ready; while :; do sleep 0.01; done'


@asynccontextmanager
async def executing(store: Store, directory: Path, teardown_seconds: float) -> AsyncIterator[Executor]:
    (directory / "pods").mkdir()
    async with asyncio.timeout(120), guarded(directory / "pods") as children:
        executor = Executor(store, os.environ, directory / "pods", directory, children, teardown_seconds)
        try:
            yield executor
        finally:
            await executor.stop()


def job_of(store: Store, script: str) -> Raw:
    container = {"name": "task", "command": ["sh", "-c", script]}
    pod = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return store.create(JOBS, "media", {"metadata": {"name": "a"}, "spec": {"template": {"spec": pod}}})


def ended(change: Change | None) -> Raw | None:
    """How the process has ended, if the change of a pod says so."""
    if change is None or change.event == "DELETED":
        return None
    states = [each["state"] for each in (change.raw.get("status") or {}).get("containerStatuses", ())]
    return states[0].get("terminated") if states else None


async def deleted_while_it_runs(store: Store, directory: Path, script: str) -> None:
    """A Job of the script, deleted with its pod as the operator does, once the script has begun."""
    job = job_of(store, script)
    while not (directory / "ready").exists():
        await asyncio.sleep(0.01)
    store.delete(JOBS, job, foreground=True)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(LATE.format(code=0), (0, "Completed", "late"), id="returns after SIGTERM"),
        pytest.param(LATE.format(code=7), (7, "Error", "late"), id="fails after SIGTERM"),
        pytest.param(DEAF, (137, "Error", "early"), id="does not hear SIGTERM, and is killed after its grace"),
    ],
)
async def test_how_a_pod_that_was_deleted_ended_can_be_read_while_it_is_there(
    script: str, expected: tuple[int, str, str], tmp_path: Path
) -> None:
    store = Store()
    async with executing(store, tmp_path, teardown_seconds=3600):
        await deleted_while_it_runs(store, tmp_path, script)
        state = await anext(state async for change in store.watch(PODS, 0) if (state := ended(change)) is not None)
        (left,) = store.list(PODS, "media")

    assert expected == (state["exitCode"], state["reason"], state["message"])
    assert state == left["status"]["containerStatuses"][0]["state"]["terminated"]
    assert list(store.list(JOBS, "media")), "the Job waits for its pod"


async def test_a_pod_that_is_deleted_while_it_starts_says_how_it_ended_too(tmp_path: Path) -> None:
    store = Store()
    async with executing(store, tmp_path, teardown_seconds=3600):
        job = job_of(store, "sleep 3600")
        await anext(store.watch(PODS, 0))
        store.delete(JOBS, job, foreground=True)
        state = await anext(state async for change in store.watch(PODS, 0) if (state := ended(change)) is not None)

    assert 143 == state["exitCode"]


async def test_a_pod_that_was_deleted_goes_after_its_end_and_its_job_with_it(tmp_path: Path) -> None:
    store = Store()
    async with executing(store, tmp_path, teardown_seconds=0):
        await deleted_while_it_runs(store, tmp_path, LATE.format(code=0))
        told = [change async for change in _until_deleted(store)]

    assert [] == [*store.list(PODS, "media"), *store.list(JOBS, "media")]
    assert [False, True] == [ended(change) is not None for change in told[-3:-1]]


async def _until_deleted(store: Store) -> AsyncIterator[Change]:
    async for change in store.watch(PODS, 0):
        if change is not None:
            yield change
            if change.event == "DELETED":
                return
