"""The API server of celeriac dev, as its clients see it over loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from celeriac import errors
from celeriac._refusals import error_of_reply
from celeriac._wire import Call, Reply
from celeriac_operator.dev.api_server import ApiServer, LogOf
from celeriac_operator.dev.kinds import NAMESPACES, SECRETS
from celeriac_operator.dev.store import Store

OURS = "/apis/celeriac.dev/v1alpha1/namespaces/media"


@pytest.fixture
def store() -> Store:
    store = Store()
    store.create(NAMESPACES, "", {"metadata": {"name": "media"}})
    return store


@asynccontextmanager
async def serving(store: Store, log_of: LogOf = lambda *_: None) -> AsyncIterator[aiohttp.ClientSession]:
    server = ApiServer(store, log_of)
    await server.start()
    headers = {"Authorization": f"Bearer {server.token}"}
    async with aiohttp.ClientSession(server.url, headers=headers) as session:
        yield session
    await server.stop()


@pytest.fixture
async def api(store: Store) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(store) as session:
        yield session


async def _reply(api: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Reply:
    async with api.request(method, path, json=body) as response:
        return Reply(response.status, await response.read())


async def test_an_object_that_is_missing_is_told_as_kubernetes_tells_it(api: aiohttp.ClientSession) -> None:
    reply = await _reply(api, "GET", f"{OURS}/tasks/none")

    assert {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'tasks.celeriac.dev "none" not found',
        "reason": "NotFound",
        "details": {"name": "none", "group": "celeriac.dev", "kind": "tasks"},
        "code": 404,
    } == reply.json()


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        pytest.param("GET", f"{OURS}/tasks/none", errors.TaskNotFound, id="a task"),
        pytest.param("PATCH", f"{OURS}/tasks/none", errors.TaskNotFound, id="a task that is to be changed"),
        pytest.param("DELETE", f"{OURS}/tasks/none", errors.TaskNotFound, id="a task that is to be deleted"),
        pytest.param("GET", f"{OURS}/taskqueues/none", errors.UnknownQueue, id="a queue"),
        pytest.param("GET", f"{OURS}/crontasks/none", errors.CronTaskNotFound, id="a cron task"),
        pytest.param("GET", "/api/v1/namespaces/media/pods/none/log", errors.RequestRejected, id="a pod with its log"),
        pytest.param("POST", f"{OURS.replace('media', 'none')}/tasks", errors.RequestRejected, id="a namespace"),
        pytest.param("GET", f"{OURS}/othertasks", errors.NotInstalled, id="no kind that there is"),
    ],
)
async def test_what_is_missing_is_the_clients_error_for_it(
    method: str, path: str, expected: type[Exception], api: aiohttp.ClientSession
) -> None:
    reply = await _reply(api, method, path, {"metadata": {"name": "a"}} if method != "GET" else None)
    error = error_of_reply(Call(method, path), reply)

    assert (404, expected) == (reply.status, type(error))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b'{"a":' * 100_000 + b"{}" + b"}" * 100_000, id="nested deeper than can be read"),
    ],
)
async def test_what_cannot_be_read_is_the_senders_fault(body: bytes, api: aiohttp.ClientSession) -> None:
    async with api.post(f"{OURS}/tasks", data=body) as answer:
        assert answer.status == 400


async def test_a_client_that_drops_its_watch_is_no_error(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    before = asyncio.all_tasks()
    async with serving(store) as api, api.get("/api/v1/secrets", params={"watch": "true"}):
        pass
    async with asyncio.timeout(60):
        while left := asyncio.all_tasks() - before:
            store.create(SECRETS, "media", {"metadata": {"generateName": "news-"}})
            await asyncio.wait(left, timeout=0.01)

    assert [] == [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param([], ["first", "second"], id="of no version: what is there comes first"),
        pytest.param(["resourceVersion"], ["second"], id="of a version: what came after it"),
    ],
)
async def test_a_watch(fields: list[str], expected: list[str], store: Store, api: aiohttp.ClientSession) -> None:
    old = store.create(SECRETS, "media", {"metadata": {"name": "first"}})
    since = {field: old["metadata"][field] for field in fields}
    async with asyncio.timeout(30), api.get("/api/v1/secrets", params={"watch": "true", **since}) as response:
        store.create(SECRETS, "media", {"metadata": {"name": "second"}})
        told = [json.loads(await response.content.readline()) for _ in expected]

    assert ["ADDED"] * len(expected) == [each["type"] for each in told]
    assert expected == [each["object"]["metadata"]["name"] for each in told]
