# ruff: noqa: ASYNC109 -- callers of the synchronous twin have no asyncio.timeout
"""Tasks as resources: each is created at the API server, and watched there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Any

from celeriac import _outcome, _tasks, errors
from celeriac._api import Api
from celeriac._door import ANY, Identity, Outcome, Submitted
from celeriac._request import TaskOptions, TaskRequest, request_of
from celeriac._room import Room
from celeriac._task import Task

CONCURRENCY = 16
"""Creates at a time, of submit_many."""


class KubernetesDoor:
    """The door that is the API server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def namespace(self) -> str:
        """The namespace of the kubeconfig's context, or the pod's."""
        return await self._api.transport.namespace()

    async def submit(self, request: TaskRequest, namespace: str, room: Room) -> Submitted:
        """Create the Task; QueueFull where a quota of the namespace refuses it."""
        task = await room.taken(lambda: _tasks.submit(self._api, request, namespace))
        return submitted(task)

    async def submit_many(
        self, requests: Iterable[TaskRequest | TaskOptions], namespace: str, room: Room, concurrency: int | None
    ) -> list[tuple[TaskRequest | TaskOptions, Outcome]]:
        """Create many Tasks, so many at a time."""
        left = iter(enumerate(requests))
        done: dict[int, tuple[TaskRequest | TaskOptions, Outcome]] = {}

        async def work() -> None:
            for index, options in left:
                try:
                    outcome: Outcome = await self.submit(request_of(options), namespace, room)
                except errors.CeleriacError as error:
                    outcome = error
                done[index] = (options, outcome)

        await asyncio.gather(*(work() for _ in range(max(1, concurrency or CONCURRENCY))))
        return [done[index] for index in sorted(done)]

    async def get(self, namespace: str, name: str) -> Task:
        """The Task as it is now."""
        return await _tasks.get(self._api, namespace, name)

    def watch(self, namespace: str, name: str, identity: Identity = ANY) -> AsyncGenerator[Task, None]:
        """The Task as it is, then as it changes."""
        return _tasks.watch(self._api, namespace, name, identity.uid)

    async def wait(self, namespace: str, name: str, timeout: float | None, identity: Identity = ANY) -> Task:
        """The Task once it has finished."""
        return await _tasks.wait(self._api, namespace, name, timeout, identity.uid)

    async def admitted(self, namespace: str, name: str) -> None:
        """It is there from the start."""

    async def value_of(self, task: Task) -> Any:
        """What the Task's status says that it returned."""
        return _outcome.value_of(task)

    async def cancel(self, namespace: str, name: str, reason: str) -> Task:
        """Set spec.cancel."""
        return await _tasks.cancel(self._api, namespace, name, reason)

    async def greet(self) -> str | None:
        """Nothing: the API server has checks of its own."""
        return None

    async def close(self) -> None:
        """The connections are the client's, which has other uses for them."""


def submitted(task: Task) -> Submitted:
    """The Task as what was submitted."""
    return Submitted(task.name, task.namespace, Identity(uid=task.uid), task.finished)
