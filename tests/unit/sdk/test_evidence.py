"""What is collected to explain a task."""

from __future__ import annotations

import json

from tests.unit.sdk.fake_api import PODS, FakeApi, finished, status
from tests.unit.sdk.test_logs import attempt, pod

from celeriac import AsyncClient
from celeriac._wire import Call, Reply


async def test_the_bound_pod_and_the_events_of_task_job_and_pod(client: AsyncClient, fake: FakeApi) -> None:
    other, mine = pod("p0"), pod("p1")
    for one, uid in ((other, "uid-other"), (mine, "uid-mine")):
        one["metadata"] |= {"uid": uid, "labels": {"batch.kubernetes.io/job-name": "p1-job"}}
        await fake.put(f"{PODS}/{one['metadata']['name']}", one)
    for kind, name in (("Task", "n"), ("Job", "p1-job"), ("Pod", "p1"), ("Pod", "p0")):
        about = {"kind": kind, "name": name}
        event = {"metadata": {"name": kind + name}, "involvedObject": about, "reason": "Because", "message": name}
        await fake.put(f"/api/v1/namespaces/team/events/{kind}{name}", event)
    await fake.task("n", {"attempts": [attempt(1, podUID="uid-mine")]})

    text = str(await client.why("n"))

    assert "p1 is Running" in text
    assert [kind in text for kind in ("Task Because", "Job Because", "Pod Because", "p0")] == [True, True, True, False]


async def test_the_place_in_the_queue(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("first", {"phase": "Queued"}, priority=1)
    await fake.task("second", {"phase": "Queued"})
    await fake.task("elsewhere", {"phase": "Queued"}, queueName="q", priority=9)
    await fake.task("running", {"phase": "Running"}, priority=9)

    assert "2 in queue default" in str(await client.why("second"))


async def test_the_operator_knows_the_place_better(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n", {"phase": "Queued", "message": "Waiting: old"})
    meta = {"name": "m", "namespace": "sys", "labels": {"app.kubernetes.io/name": "celeriac"}}
    await fake.put("/api/v1/namespaces/sys/services/m", {"metadata": meta})
    said = {"position": 7, "message": "Waiting: queue default is at its limit of 2"}
    get = fake._get

    async def answer(call: Call) -> Reply:
        return Reply(200, json.dumps(said).encode()) if "/proxy/" in call.path else await get(call)

    fake._get = answer  # type: ignore[method-assign]
    text = str(await client.why("n"))

    assert "7 in queue default, at priority 0" in text
    assert "Now" in text
    assert "at its limit of 2" in text


async def test_where_the_operator_may_not_be_asked_that_is_said(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n", {"phase": "Queued"})
    get = fake._get

    async def refuse(call: Call) -> Reply:
        return status(403, "Forbidden") if call.path == "/api/v1/services" else await get(call)

    fake._get = refuse  # type: ignore[method-assign]

    assert "1 in queue default, at priority 0 (by priority and age only: you may not list Services" in str(
        await client.why("n")
    )


async def test_a_finished_task_has_no_place(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n", finished("Succeeded", phase="Queued"))

    assert "Position" not in str(await client.why("n"))


async def test_what_may_not_be_read_is_left_out(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n", {"message": "It waits", "attempts": [attempt(1)]})
    get = fake._get

    async def refuse(call: Call) -> Reply:
        return await get(call) if "/tasks/" in call.path else status(403, "Forbidden")

    fake._get = refuse  # type: ignore[method-assign]

    assert "It waits" in str(await client.why("n"))
