"""The two ways in behind one face: a world with a client, and somebody who plays the operator in it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from tests.support.nats_operator import FakeOperator
from tests.support.nats_server import NatsServer, nats_server
from tests.unit.sdk.fake_api import TASKS, FakeApi, finished, status

from celeriac import AsyncClient

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server that many tests share, each in a namespace of its own."""
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server of the test's own, to be hurt."""
    with nats_server(tmp_path) as server:
        yield server


@pytest.fixture
async def operator(shared_server: NatsServer) -> AsyncIterator[FakeOperator]:
    """The operator of a namespace of the test's own, with a queue ``default``."""
    operator = FakeOperator(shared_server.url, f"team-{next(_numbers)}")
    await operator.start("default")
    yield operator
    await operator.stop()


@pytest.fixture
async def client(operator: FakeOperator) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(operator.namespace, nats_url=operator.url) as client:
        yield client


class World(Protocol):
    """What tests of both ways in need."""

    namespace: str

    def client_arguments(self) -> dict[str, Any]:
        """Keyword arguments of a client of this world."""

    async def submitted(self, count: int) -> list[dict[str, Any]]:
        """The specs of the tasks that were submitted, in order, of which there are so many."""

    async def finish(self, name: str, outcome: str, message: str = "", **status: Any) -> None:
        """Let a task finish."""

    async def run(self, name: str) -> None:
        """Let a task run."""

    async def asked_to_cancel(self, name: str) -> str:
        """The reason that the operator reads."""

    async def fill(self) -> None:
        """Let there be no room in the queue ``small``."""

    async def make_room(self) -> None:
        """Let there be room for one more."""


class KubernetesWorld:
    """An API server in memory."""

    namespace = "team"

    def __init__(self) -> None:
        self.api = FakeApi()
        self._room = 0
        self._post = self.api._post

    def client_arguments(self) -> dict[str, Any]:
        return {"namespace": self.namespace, "transport": self.api}

    async def submitted(self, count: int) -> list[dict[str, Any]]:
        found = [manifest["spec"] for path, manifest in self.api.objects.items() if path.startswith(TASKS)]
        assert len(found) == count
        return found

    async def finish(self, name: str, outcome: str, message: str = "", **more: Any) -> None:
        if "value" in more:
            more["result"] = {"value": more.pop("value")}
        await self.api.task(name, finished(outcome, message=message, **more))

    async def run(self, name: str) -> None:
        await self.api.task(name, {"phase": "Running", "message": "on it"})

    async def asked_to_cancel(self, name: str) -> str:
        return str(self.api.objects[f"{TASKS}/{name}"]["spec"]["cancel"]["reason"])

    async def fill(self) -> None:
        async def post(call: Any) -> Any:
            if self._room == 0:
                return status(403, "Forbidden", "exceeded quota: count/tasks.celeriac.dev")
            self._room -= 1
            return await self._post(call)

        self.api._post = post  # type: ignore[method-assign]

    async def make_room(self) -> None:
        self._room += 1


class NatsWorld:
    """A real server, and somebody who plays the operator."""

    def __init__(self, operator: FakeOperator) -> None:
        self.operator, self.namespace = operator, operator.namespace

    def client_arguments(self) -> dict[str, Any]:
        return {"namespace": self.namespace, "nats_url": self.operator.url}

    async def submitted(self, count: int) -> list[dict[str, Any]]:
        assert await self.operator.held() == count
        return [dict(message.spec) for message in await self.operator.take(count=count)] if count else []

    async def finish(self, name: str, outcome: str, message: str = "", **record: Any) -> None:
        await self.operator.finish(name, outcome, message=message, **record)

    async def run(self, name: str) -> None:
        await self.operator.event(name, "Running", message="on it")

    async def asked_to_cancel(self, name: str) -> str:
        return (await self.operator.read(name)).message

    async def fill(self) -> None:
        await self.operator.queue("small", max_msgs=1)
        await self.operator.js.publish(f"celeriac.submit.{self.namespace}.small.n", b"{}")

    async def make_room(self) -> None:
        await self.operator.js.purge_stream(f"CELERIAC_{self.namespace}_small", keep=0)


@pytest.fixture(params=["Kubernetes", "NATS"])
def world(request: pytest.FixtureRequest) -> World:
    """Each test with it runs twice."""
    if request.param == "Kubernetes":
        return KubernetesWorld()
    return NatsWorld(request.getfixturevalue("operator"))


async def soon(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
