"""What the tests of the command share: a cluster in memory whose tasks end at once, and the command run against it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from click.testing import Result
from tests.unit.sdk.fake_api import PODS, TASKS, FakeApi, Manifest
from tests.unit.sdk.test_logs import attempt, pod, stamped
from typer.testing import CliRunner

from celeriac._wire import Call, Reply

Command = Callable[..., Result]


class Cluster(FakeApi):
    """A cluster in memory. With ``ends`` every submitted task has that status, and a pod that printed ``log``."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: Manifest | None = None
        self.log = ("hello",)

    def add(self, name: str, status: Manifest | None = None, **spec: object) -> None:
        """A task."""
        asyncio.run(self.task(name, status, **spec))

    async def _post(self, call: Call) -> Reply:
        reply = await super()._post(call)
        if self.ends is not None and reply.status == 201 and call.path.endswith("/tasks"):
            manifest = reply.json()
            await self.put(f"{PODS}/p1", pod("p1", terminated={}))
            self.logs["p1"] = stamped(*self.log)
            path = f"{TASKS}/{manifest['metadata']['name']}"
            await self.put(path, manifest | {"status": {"attempts": [attempt(1, "p1")]} | self.ends})
        return reply


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The cluster that every command of the test talks to."""
    cluster = Cluster()
    monkeypatch.setattr("celeriac._async_client.default_transport", lambda _kubeconfig, _context: cluster)
    monkeypatch.setenv("CELERIAC_DEBUG", "1")
    return cluster


@pytest.fixture
def celeriac(cluster: Cluster) -> Command:
    """The command, run in this process."""
    from celeriac.cli._app import app  # noqa: PLC0415 -- after the environment is set

    def run(*words: str, stdin: str | None = None) -> Result:
        return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, list(words), input=stdin)

    return run


def spec_of(cluster: Cluster) -> Manifest:
    """The spec of the one task that was submitted."""
    [body] = [call.body for call in cluster.calls if call.method == "POST"]
    spec: Manifest = json.loads(json.dumps(body["spec"]))
    return spec
