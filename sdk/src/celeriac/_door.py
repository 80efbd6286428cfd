# ruff: noqa: ASYNC109 -- callers of the synchronous twin have no asyncio.timeout
"""How tasks get in and their results out: through the API server, or through NATS. The clients have one of the two."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from celeriac import errors
from celeriac._request import TaskOptions, TaskRequest
from celeriac._room import Room
from celeriac._task import Task


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a task from others that have its name."""

    uid: str | None = None
    """Uid of the Task."""
    submission: str | None = None
    """Digest of the message."""
    request_digest: str | None = None
    """Digest of the request."""


ANY = Identity()
"""Whichever task has the name."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A task that was taken."""

    name: str
    namespace: str
    identity: Identity = ANY
    finished: bool = False
    """It had been submitted before, and has finished."""


Outcome = Submitted | errors.CeleriacError


class Door(Protocol):
    """Everything that both ways can do. The errors are those that AsyncClient's methods tell of."""

    async def namespace(self) -> str:
        """The namespace that the configuration names."""

    async def submit(self, request: TaskRequest, namespace: str, room: Room) -> Submitted:
        """Have the task, durably."""

    async def submit_many(
        self, requests: Iterable[TaskRequest | TaskOptions], namespace: str, room: Room, concurrency: int | None
    ) -> list[tuple[TaskRequest | TaskOptions, Outcome]]:
        """Have many tasks; what became of each, in order. Requests are taken from the iterable as there is room."""

    async def get(self, namespace: str, name: str) -> Task:
        """The task as it is now."""

    def watch(self, namespace: str, name: str, identity: Identity = ANY) -> AsyncGenerator[Task, None]:
        """The task as it is, then as it changes; the finished one is the last."""

    async def wait(self, namespace: str, name: str, timeout: float | None, identity: Identity = ANY) -> Task:
        """The task once it has finished."""

    async def admitted(self, namespace: str, name: str) -> None:
        """Return once there is, or was, a Task of that name."""

    async def value_of(self, task: Task) -> Any:
        """What the finished task returned; raises what ended it otherwise."""

    async def cancel(self, namespace: str, name: str, reason: str) -> Task:
        """Ask for the task's end."""

    async def greet(self) -> str | None:
        """What it is that answers, for people; None: nothing but the API server. Raises what is wrong with it."""

    async def close(self) -> None:
        """Give up every connection."""
