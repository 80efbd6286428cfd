"""Logs: of which attempt, from when, until when."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.unit.sdk.fake_api import PODS, FakeApi, finished

from celeriac import AsyncClient, errors
from celeriac._api import ATTEMPTS
from celeriac._wire import Unreachable
from celeriac.wire.names import line_tag


def pod(name: str, **state: Any) -> dict[str, Any]:
    statuses = [{"name": "istio-proxy", "state": {"running": {}}}, {"name": "task", "state": state}]
    return {
        "metadata": {"name": name, "namespace": "team", "labels": {"batch.kubernetes.io/job-name": f"{name}-job"}},
        "spec": {"containers": [{"name": "istio-proxy"}, {"name": "task"}]},
        "status": {"phase": "Running", "containerStatuses": statuses},
    }


def attempt(number: int, pod_name: str | None = None, **more: Any) -> dict[str, Any]:
    name = {"podName": pod_name} if pod_name else {}
    return {"number": number, "jobName": f"p{number}-job"} | name | more


def stamped(*lines: str) -> list[bytes]:
    return [f"2026-11-23T10:00:0{number}.5Z {line}\n".encode() for number, line in enumerate(lines)]


async def test_the_log_of_the_last_attempt_of_the_task_container(client: AsyncClient, fake: FakeApi) -> None:
    await fake.put(f"{PODS}/p2", pod("p2", terminated={}))
    await fake.task("n", {"attempts": [attempt(1, "p1"), attempt(2, "p2")]})
    fake.logs["p2"] = [b"one\ntw", b"o\nbad \xff\n"]

    assert [line async for line in client.logs("n", tail=5)] == ["one", "two", "bad \ufffd"]
    assert dict(fake.calls[-1].query) == {"container": "task", "tailLines": "5"}


async def test_a_pod_that_the_status_does_not_name_is_found_by_its_job(client: AsyncClient, fake: FakeApi) -> None:
    await fake.put(f"{PODS}/p1", pod("p1", running={}))
    await fake.task("n", {"attempts": [attempt(1)]})
    fake.logs["p1"] = [b"here\n"]

    assert [line async for line in client.logs("n")] == ["here"]


@pytest.mark.parametrize(
    ("status", "number", "follow", "wanted"),
    [
        pytest.param({}, None, False, "has not started; following it", id="a task without attempts"),
        pytest.param(finished("Cancelled"), None, False, "it never started", id="a finished task without attempts"),
        pytest.param(finished("Cancelled"), None, True, "it never started", id="following one that never started"),
        pytest.param({"attempts": [attempt(1, "p1")]}, 2, False, "no attempt 2; it has 1", id="no such attempt"),
        pytest.param({"attempts": [attempt(1, "gone")]}, None, False, "pod is gone", id="a pod that is gone"),
        pytest.param({"attempts": [attempt(1, "p1")]}, None, False, "has not started", id="a container that waits"),
        pytest.param(
            finished("AppError", attempts=[attempt(1, "p1")]),
            2,
            True,
            "no attempt 2",
            id="following an attempt that never was",
        ),
    ],
)
async def test_no_log(
    client: AsyncClient, fake: FakeApi, status: dict[str, Any], number: int | None, follow: bool, wanted: str
) -> None:
    await fake.put(f"{PODS}/p1", pod("p1", waiting={"reason": "ContainerCreating"}))
    await fake.task("n", status)

    with pytest.raises(errors.LogsUnavailable, match=wanted):
        _ = [line async for line in client.logs("n", follow, number)]


async def test_the_log_of_a_process_that_was_quicker_than_its_node(client: AsyncClient, fake: FakeApi) -> None:
    """It has told its end by a record, and its pod's status does not say yet that it has begun."""
    await fake.put(f"{PODS}/p1", pod("p1", waiting={"reason": "ContainerCreating"}))
    await fake.task("n", finished("Succeeded", attempts=[attempt(1, "p1", exitCode=0)]))
    fake.logs["p1"] = [b"here\n"]

    async def read() -> list[str]:
        return [line async for line in client.logs("n")]

    reading = asyncio.create_task(read())
    while "WATCH" not in fake.methods() and not reading.done():
        await asyncio.sleep(0)
    await fake.put(f"{PODS}/p1", pod("p1", terminated={"exitCode": 0}))

    assert ["here"] == await asyncio.wait_for(reading, 5)


async def test_following_waits_for_the_start_and_goes_on_with_later_attempts(
    client: AsyncClient, fake: FakeApi
) -> None:
    await fake.task("n")
    lines: list[str] = []

    async def read() -> None:
        async for line in client.logs("n", follow=True):
            lines.append(line)

    reading = asyncio.create_task(read())
    while "WATCH" not in fake.methods():
        await asyncio.sleep(0)
    await fake.put(f"{PODS}/p1", pod("p1", waiting={}))
    await fake.task("n", {"attempts": [attempt(1, "p1")]})
    while fake.methods().count("WATCH") < 2:
        await asyncio.sleep(0)
    fake.logs["p1"] = stamped("first")
    await fake.put(f"{PODS}/p1", pod("p1", terminated={"exitCode": 1}))
    while not lines:
        await asyncio.sleep(0)
    fake.logs["p2"] = stamped("second")
    await fake.put(f"{PODS}/p2", pod("p2", terminated={"exitCode": 0}))
    await fake.task("n", finished("Succeeded", attempts=[attempt(1, "p1"), attempt(2, "p2")]))
    await asyncio.wait_for(reading, 5)

    assert lines == ["first", "second"]


async def test_following_one_attempt_ends_with_it(client: AsyncClient, fake: FakeApi) -> None:
    await fake.put(f"{PODS}/p1", pod("p1", terminated={}))
    fake.logs["p1"] = stamped("one")
    await fake.task("n", {"attempts": [attempt(1, "p1"), attempt(2)]})

    assert [line async for line in client.logs("n", follow=True, attempt=1)] == ["one"]


async def test_following_a_task_of_a_worker_ends_with_the_task(
    client: AsyncClient, fake: FakeApi, pauses: list[float]
) -> None:
    worker = pod("p1", running={})
    worker["metadata"]["labels"]["celeriac.dev/worker"] = "2"
    await fake.put(f"{PODS}/p1", worker)
    task = await fake.task("n", {"attempts": [attempt(1, "p1", jobName="n-w-0123456789")]})
    tag = line_tag(task["metadata"]["uid"], 1)
    fake.logs["p1"] = stamped(f"{tag}mine", "another's", f"{tag}mine too")
    got = []
    async for line in client.logs("n", follow=True):
        got.append(line)
        await fake.task("n", finished("Succeeded") | {"attempts": [attempt(1, "p1", jobName="n-w-0123456789")]})

    assert got == ["mine", "mine too"]
    assert all("follow" not in dict(call.query) for call in fake.calls if call.path.endswith("/log"))


async def test_following_a_broken_connection_repeats_and_loses_nothing(
    client: AsyncClient, fake: FakeApi, pauses: list[float]
) -> None:
    await fake.put(f"{PODS}/p1", pod("p1", running={}))
    await fake.task("n", finished("Succeeded", attempts=[attempt(1, "p1")]))
    fake.logs["p1"] = stamped("a", "b")
    seen: list[str] = []
    async for line in client.logs("n", follow=True, tail=2):
        seen.append(line)
        if line == "b":
            fake.logs["p1"] = stamped("a", "b", "c")
            await fake.put(f"{PODS}/p1", pod("p1", running={}))
        if line == "c":
            await fake.put(f"{PODS}/p1", pod("p1", terminated={}))

    assert seen == ["a", "b", "c"]
    logs = [dict(call.query) for call in fake.calls if call.path.endswith("/log")]
    assert [(query.get("sinceTime"), query.get("tailLines")) for query in logs] == [
        (None, "2"),
        ("2026-11-23T10:00:01.5Z", None),
        ("2026-11-23T10:00:02.5Z", None),
    ]


async def test_a_log_whose_node_is_gone_is_given_up(client: AsyncClient, fake: FakeApi, pauses: list[float]) -> None:
    await fake.put(f"{PODS}/p1", pod("p1", running={}))
    await fake.task("n", finished("NodeLost", attempts=[attempt(1, "p1")]))
    fake.logs["p1"] = Unreachable("no route to host")

    assert [line async for line in client.logs("n", follow=True)] == []
    assert fake.methods().count("LOG") == ATTEMPTS


async def test_a_pod_that_goes_before_it_began_is_passed_over(client: AsyncClient, fake: FakeApi) -> None:
    await fake.put(f"{PODS}/p1", pod("p1", waiting={}))
    await fake.task("n", {"attempts": [attempt(1, "p1")]})

    async def read() -> list[str]:
        return [line async for line in client.logs("n", follow=True)]

    reading = asyncio.create_task(read())
    while "WATCH" not in fake.methods():
        await asyncio.sleep(0)
    await fake.delete(f"{PODS}/p1")
    await fake.task("n", finished("Cancelled", attempts=[attempt(1, "p1")]))

    assert await asyncio.wait_for(reading, 5) == []
