"""The clients against a real API server. All tasks are suspended, so that an operator leaves them alone."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from tests.integration.sdk.conftest import SetStatus

from celeriac import AsyncClient, Client, Retry, errors
from celeriac._api import Api
from celeriac._wire import Call, resource_path, tasks_path

pytestmark = pytest.mark.timeout(60)

INLINE: dict[str, Any] = {"image": "localhost/none:1", "suspend": True}


async def test_submit_get_and_result(client: AsyncClient, set_status: SetStatus) -> None:
    handle = await client.submit(
        **INLINE, command=["echo"], env={"A": "b"}, params={"n": None, "deep": {"x": [1]}}, retry=Retry(max_attempts=2)
    )
    getting = asyncio.create_task(handle.get(20))
    await set_status(handle.name, "Succeeded", phase="Succeeded", result={"value": {"a": None}})

    task = await client.get(handle.name)
    assert await getting == {"a": None}
    assert task.manifest["spec"]["params"] == {"n": None, "deep": {"x": [1]}}
    assert (task.succeeded, task.spec.retry and task.spec.retry.max_attempts) == (True, 2)


async def test_a_result_of_null_is_a_result(client: AsyncClient, set_status: SetStatus) -> None:
    handle = await client.submit(**INLINE)
    await set_status(handle.name, "Succeeded", result={"value": None})

    assert await handle is None
    assert (await handle.status()).status.result is not None


async def test_a_failure_raises_what_is_known(client: AsyncClient, set_status: SetStatus) -> None:
    handle = await client.submit(**INLINE)
    attempt = {"number": 1, "jobName": "j", "failure": "AppError", "exitCode": 7, "message": "boom"}
    await set_status(handle.name, "AppError", attempts=[attempt])

    with pytest.raises(errors.TaskFailed, match="boom") as caught:
        await handle
    assert (caught.value.failure, caught.value.exit_code) == ("AppError", 7)


async def test_the_same_key_is_the_same_task(client: AsyncClient) -> None:
    first, second = [await client.submit(**INLINE, key="order/7", params={"a": 1}, countdown=60) for _ in range(2)]

    assert (first.name, first.uid) == (second.name, second.uid)
    with pytest.raises(errors.AlreadyExists):
        await client.submit(**INLINE, key="order/7", params={"a": 2}, countdown=60)


async def test_submitting_many_at_once(client: AsyncClient) -> None:
    done = await client.submit_many(
        [INLINE | {"name": f"n{number}"} for number in range(60)] + [INLINE | {"name": "n0"}]
    )

    assert all(one.ok for one in done)
    assert len(await client.list(limit=100)) == 60


async def test_deleting_a_task_ends_the_wait_for_it(client: AsyncClient, api: Api, where: str) -> None:
    handle = await client.submit(**INLINE)
    waiting = asyncio.create_task(handle.wait(20))
    await asyncio.sleep(0.3)
    await api.send(Call("DELETE", tasks_path(where, handle.name)))

    with pytest.raises(errors.TaskNotFound):
        await waiting


async def test_a_timeout(client: AsyncClient) -> None:
    handle = await client.submit(**INLINE)

    with pytest.raises(errors.TimeoutError):
        await handle.get(0.3)


async def test_cancel_keeps_the_first_reason(client: AsyncClient) -> None:
    handle = await client.submit(**INLINE)

    tasks = [await handle.cancel("first"), await handle.cancel("second")]

    assert [task.spec.cancel.reason for task in tasks if task.spec.cancel] == ["first", "first"]


async def test_retry(client: AsyncClient, set_status: SetStatus) -> None:
    handle = await client.submit(**INLINE, name="n", labels={"a": "b"})
    await set_status("n", "AppError")

    names = [(await handle.retry()).name, (await handle.retry()).name]

    assert names == ["n-r1", "n-r2"]
    await client.cancel(names[0])
    await client.cancel(names[1])


async def test_selectors(client: AsyncClient, set_status: SetStatus) -> None:
    await client.submit(definition="d", suspend=True, name="by-definition", labels={"a": "b"})
    await client.submit(**INLINE, name="in-q", queue="q")
    await client.submit(**INLINE, name="also-in-q")
    await set_status("also-in-q", "Expired", effective={"queueName": "q"})

    async def names(**options: Any) -> list[str]:
        return sorted(task.name for task in await client.list(**options))

    assert await names(definition="d") == ["by-definition"]
    assert await names(labels="a=b") == ["by-definition"]
    assert await names(queue="q") == ["also-in-q", "in-q"]
    assert "also-in-q" not in await names(queue="default")


@pytest.mark.parametrize(
    ("options", "expected", "wanted"),
    [
        pytest.param({"image": "x" * 1025}, errors.InvalidTask, "spec.container.image", id="refused by the models"),
        pytest.param(
            {"image": "i", "labels": {"a b": "c"}}, errors.InvalidTask, "metadata.labels", id="refused by the server"
        ),
        pytest.param(
            {"definition": "none", "check": True}, errors.UnknownDefinition, "kubectl get", id="no definition"
        ),
        pytest.param(
            {"image": "i", "namespace": "nope-nope"}, errors.RequestRejected, "create namespace", id="no namespace"
        ),
    ],
)
async def test_refusals(client: AsyncClient, options: dict[str, Any], expected: type[Exception], wanted: str) -> None:
    with pytest.raises(expected, match=wanted):
        await client.submit(**options)


async def test_a_quota_of_tasks_is_a_full_queue(client: AsyncClient, api: Api, where: str) -> None:
    spec = {"hard": {"count/tasks.celeriac.dev": "1"}}
    quotas = resource_path("/api/v1", "resourcequotas", where)
    await api.create(quotas, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": spec})
    async with asyncio.timeout(20):
        while "status" not in (quota := await api.get(f"{quotas}/q")) or not quota["status"].get("used"):
            await asyncio.sleep(0.1)

    with pytest.raises(errors.QueueFull, match="quota of tasks is used up"):
        for _ in range(50):
            await client.submit(**INLINE)
            await asyncio.sleep(0.1)


async def test_why_needs_no_operator(client: AsyncClient, set_status: SetStatus) -> None:
    handle = await client.submit(**INLINE)
    await set_status(
        handle.name, "Expired", phase="Expired", reason="Expired", message="Too late", observedGeneration=1
    )

    text = str(await handle.why())

    assert "Expired (Expired): Too late" in text
    assert "in queue default" in text


def test_the_synchronous_client(kubeconfig: str, where: str) -> None:
    with Client(where, kubeconfig=kubeconfig) as client:
        handle = client.submit(**INLINE)
        with pytest.raises(errors.TimeoutError):
            handle.get(0.2)
        with pytest.raises(errors.LogsUnavailable):
            list(handle.logs())

        assert client.namespace == where
        assert [task.uid for task in client.list()] == [handle.uid]


async def test_a_cluster_is_found_by_the_environment(
    kubeconfig: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERIAC_KUBECONFIG", os.fspath(kubeconfig))
    async with AsyncClient(where) as client:
        assert await client.list() == ()
