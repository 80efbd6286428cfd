"""What the SDK's tests against a real API server share. No operator is needed: statuses are written by the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from celeriac import AsyncClient
from celeriac._api import Api
from celeriac._kubernetes import KubernetesTransport
from celeriac._wire import Call, tasks_path

JSON_PATCH = "application/json-patch+json"
TIME = "2026-11-23T10:00:00Z"
SetStatus = Callable[..., Awaitable[None]]


@pytest.fixture
def where(namespace: Any) -> str:
    """Name of the test's own namespace."""
    return str(getattr(namespace, "name", namespace))


@pytest.fixture
async def client(kubeconfig: str, where: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(where, kubeconfig=kubeconfig) as client:
        yield client


@pytest.fixture
async def api(kubeconfig: str) -> AsyncIterator[Api]:
    """The API server, for what an operator or an administrator would do."""
    api = Api(KubernetesTransport(kubeconfig))
    yield api
    await api.close()


@pytest.fixture
def set_status(api: Api, where: str) -> SetStatus:
    """Write a Task's status, as the operator would. Only an outcome stays, where an operator runs."""

    async def write(name: str, outcome: str | None = None, **status: Any) -> None:
        if outcome is not None:
            succeeded = "True" if outcome == "Succeeded" else "False"
            pairs = (("Finished", "True"), ("Succeeded", succeeded))
            status["conditions"] = [
                {"type": t, "status": s, "reason": outcome, "message": "", "lastTransitionTime": TIME} for t, s in pairs
            ]
        path = tasks_path(where, name)
        replacement = [{"op": "add", "path": "/status", "value": status}]  # a merge patch would drop null from results
        await api.send(Call("PATCH", f"{path}/status", (), replacement, JSON_PATCH))

    return write


async def soon(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
