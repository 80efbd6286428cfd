"""What users call, against an API server in memory."""

from __future__ import annotations

import asyncio
import builtins
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.sdk.fake_api import TASKS, FakeApi, finished, status

from celeriac import AsyncClient, Phase, Retry, TaskRequest, errors
from celeriac._door import Submitted
from celeriac._names import RETRY_OF
from celeriac._wire import Call, Reply, Unreachable
from celeriac.wire.names import REQUEST_DIGEST


async def test_submit_creates_the_task_and_returns_its_handle(client: AsyncClient, fake: FakeApi) -> None:
    handle = await client.submit(definition="d", params={"a": 1}, retry=Retry(max_attempts=2), name="n")

    assert (handle.name, handle.namespace, handle.uid) == ("n", "team", "uid-1")
    assert fake.objects[f"{TASKS}/n"]["spec"] == {
        "definitionName": "d",
        "params": {"a": 1},
        "retry": {"maxAttempts": 2},
    }
    assert ("fieldValidation", "Strict") in fake.calls[-1].query


async def test_submit_takes_a_request_too(client: AsyncClient) -> None:
    handle = await client.submit(TaskRequest(image="i", name="n"))

    assert handle.name == "n"


async def test_submit_takes_a_request_or_arguments_and_not_both(client: AsyncClient, fake: FakeApi) -> None:
    with pytest.raises(errors.InvalidTask, match="Give a request or priority, not both"):
        await client.submit(TaskRequest(definition="d"), priority=5)
    assert not fake.objects


@pytest.mark.parametrize("options", [{"name": "n"}, {"key": "k"}], ids=["by name", "by key"])
async def test_the_same_submission_again_is_the_same_task(client: AsyncClient, options: dict[str, Any]) -> None:
    first = await client.submit(definition="d", countdown=60, **options)
    second = await client.submit(definition="d", countdown=60, **options)

    assert (first.name, first.uid) == (second.name, second.uid)


@pytest.mark.parametrize("options", [{"name": "n"}, {"key": "k"}], ids=["by name", "by key"])
async def test_the_same_identity_with_other_content_already_exists(
    client: AsyncClient, options: dict[str, Any]
) -> None:
    await client.submit(definition="d", params={"a": 1}, **options)

    with pytest.raises(errors.AlreadyExists, match="other content"):
        await client.submit(definition="d", params={"a": 2}, **options)


async def test_a_task_that_kubectl_made_is_not_taken_for_ours(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n")

    with pytest.raises(errors.AlreadyExists):
        await client.submit(image="busybox", name="n")


async def test_a_lost_answer_to_a_submission_is_not_a_second_task(
    client: AsyncClient, fake: FakeApi, pauses: list[float]
) -> None:
    post = fake._post

    async def lose(call: Call) -> Reply:
        await post(call)
        fake._post = post  # type: ignore[method-assign]
        raise Unreachable("reset by peer")

    fake._post = lose  # type: ignore[method-assign]
    handle = await client.submit(image="busybox")

    assert fake.methods() == ["POST", "POST", "GET"]
    assert [f"{TASKS}/{handle.name}"] == list(fake.objects)


async def test_a_name_whose_task_went_between_two_calls_is_taken(client: AsyncClient, fake: FakeApi) -> None:
    fake.faults = [status(409, "AlreadyExists")]

    handle = await client.submit(image="i", name="n")

    assert fake.methods() == ["POST", "GET", "POST"]
    assert handle.name == "n"


async def test_check_refuses_a_definition_that_is_not_there(client: AsyncClient, fake: FakeApi) -> None:
    with pytest.raises(errors.UnknownDefinition, match="no TaskDefinition d in namespace team"):
        await client.submit(definition="d", check=True)

    assert fake.objects == {}


async def test_submit_many_reports_each_by_itself_and_in_order(client: AsyncClient) -> None:
    requests: list[Any] = [{"image": "i", "name": "a"}, {"nonsense": 1}, 5, TaskRequest(definition="d", priority=9999)]
    requests += [{"image": "i", "name": f"n{number}"} for number in range(40)]

    done = await client.submit_many(iter(requests), concurrency=4)

    assert [one.ok for one in done] == [True, False, False, False] + [True] * 40
    assert [errors.InvalidTask] * 3 == [type(one.error) for one in done[1:4]]
    assert ["a", *(f"n{n}" for n in range(40))] == [one.handle.name for one in done if one.handle]
    assert requests == [one.request for one in done]


async def test_get_gives_a_snapshot(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n", {"phase": "Running", "message": "m"}, queueName="q")

    task = await client.get("n")

    assert (
        task.name,
        task.namespace,
        task.queue,
        task.phase,
        task.finished,
    ) == ("n", "team", "q", Phase.RUNNING, False)


async def test_get_of_no_task(client: AsyncClient) -> None:
    with pytest.raises(errors.TaskNotFound, match="no task n in namespace team"):
        await client.get("n")


async def test_result_of_a_task_that_has_finished_needs_no_watch(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n", finished("Succeeded", result={"value": [1, None]}))

    assert await client.result("n") == [1, None]
    assert fake.methods() == ["GET"]


async def test_wait_sees_the_end_in_a_watch(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n")
    waiting = asyncio.create_task(client.wait("n", 5))
    while "WATCH" not in fake.methods():
        await asyncio.sleep(0)
    await fake.task("n", {"phase": "Running"})
    await fake.task("other", finished("Succeeded"))
    await fake.task("n", finished("AppError"))

    assert (await waiting).outcome == "AppError"
    assert fake.methods() == ["GET", "GET", "WATCH"]


async def test_wait_does_not_believe_the_phase(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n", {"phase": "Succeeded"})

    with pytest.raises(errors.TimeoutError):
        await client.wait("n", 0.05)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param([], id="that ended"),
        pytest.param([{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "101"}}}], id="with a bookmark"),
        pytest.param([{"type": "ERROR", "object": {"code": 410}}], id="whose version expired"),
        pytest.param(status(410, "Expired"), id="that expired before it began"),
        pytest.param(status(503, "ServiceUnavailable"), id="that was refused"),
        pytest.param(Unreachable("reset"), id="that broke"),
    ],
)
async def test_wait_outlives_a_watch(client: AsyncClient, fake: FakeApi, pauses: list[float], fault: Any) -> None:
    await fake.task("n")
    fake.watch_faults = [fault]
    waiting = asyncio.create_task(client.wait("n", 5))
    while fake.methods().count("WATCH") < 2:
        await asyncio.sleep(0)
    await fake.task("n", finished("Succeeded"))

    assert (await waiting).succeeded


async def test_wait_for_a_task_that_is_deleted(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n")
    waiting = asyncio.create_task(client.wait("n", 5))
    while "WATCH" not in fake.methods():
        await asyncio.sleep(0)
    await fake.delete(f"{TASKS}/n")

    with pytest.raises(errors.TaskNotFound, match="was deleted before it had finished"):
        await waiting


async def test_wait_for_a_task_that_was_deleted_while_nobody_watched(
    client: AsyncClient, fake: FakeApi, pauses: list[float]
) -> None:
    await fake.task("n")
    fake.watch_faults = [[{"type": "ERROR", "object": {"code": 410}}]]
    waiting = asyncio.create_task(client.wait("n", 5))
    while "WATCH" not in fake.methods():
        await asyncio.sleep(0)
    await fake.delete(f"{TASKS}/n", unseen=True)
    await fake.task("n")  # another task of the same name

    with pytest.raises(errors.TaskNotFound):
        await waiting


async def test_a_finished_task_that_is_deleted_has_finished(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n")
    waiting = asyncio.create_task(client.wait("n", 5))
    while "WATCH" not in fake.methods():
        await asyncio.sleep(0)
    fake.objects[f"{TASKS}/n"]["status"] = finished("Succeeded")
    await fake.delete(f"{TASKS}/n")

    assert (await waiting).succeeded


async def test_a_handle_does_not_take_another_task_of_its_name_for_its_own(client: AsyncClient, fake: FakeApi) -> None:
    handle = await client.submit(image="i", name="n")
    await fake.delete(f"{TASKS}/n")
    await fake.task("n", finished("Succeeded"))

    with pytest.raises(errors.TaskNotFound):
        await handle.get(1)


async def test_a_timeout_is_both_kinds_of_timeout_and_says_where_the_task_is(
    client: AsyncClient, fake: FakeApi
) -> None:
    await fake.task("n", {"phase": "Queued", "message": "Waiting: full"})

    with pytest.raises(
        errors.TimeoutError, match=r"within 0\.05 seconds; it goes on\. It is Queued: Waiting: full"
    ) as caught:
        await client.result("n", 0.05)

    assert isinstance(caught.value, builtins.TimeoutError)


async def test_a_handle_can_be_awaited(client: AsyncClient, fake: FakeApi) -> None:
    handle = await client.submit(image="i", name="n")
    await fake.task("n", finished("Succeeded", result={"value": 7}))

    assert await handle == 7
    assert await handle.aget(1) == 7


async def test_cancel_asks_once(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n")

    first = await client.cancel("n", "why not")
    second = await client.cancel("n", "another reason")

    assert [task.spec.cancel.reason for task in (first, second) if task.spec.cancel] == ["why not"] * 2
    assert fake.methods() == ["GET", "PATCH", "GET"]


async def test_cancel_leaves_a_finished_task_alone(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n", finished("Succeeded"))

    assert (await client.cancel("n")).spec.cancel is None


async def test_cancel_that_others_were_quicker_with_is_cancelled(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n")
    manifest = json.dumps(fake.objects[f"{TASKS}/n"]).encode()
    fake.objects[f"{TASKS}/n"]["spec"]["cancel"] = {"reason": "theirs"}
    fake.faults = [Reply(200, manifest), status(422, "Invalid", "cancel cannot be changed")]

    task = await client.cancel("n", "ours")

    assert task.spec.cancel and task.spec.cancel.reason == "theirs"


async def test_retry_makes_a_new_task_of_the_finished_one(client: AsyncClient, fake: FakeApi) -> None:
    spec = {"params": {"a": None}, "fromTheFuture": 1, "suspend": True, "cancel": {"reason": ""}, "startTime": "x"}
    manifest = await fake.task("n", finished("AppError"), **(spec | {"startTime": "2026-01-01T00:00:00Z"}))
    manifest["metadata"]["labels"] = {"team": "a", "celeriac.dev/cron": "c"}

    handles = [await client.retry("n"), await client.retry("n")]

    first, second = (fake.objects[f"{TASKS}/{handle.name}"] for handle in handles)
    assert [handle.name for handle in handles] == ["n-r1", "n-r2"]
    assert (
        {"container": {"image": "busybox"}, "params": {"a": None}, "fromTheFuture": 1}
        == first["spec"]
        == second["spec"]
    )
    assert first["metadata"]["labels"] == {"team": "a"}
    assert first["metadata"]["annotations"][RETRY_OF] == "n"
    assert first["metadata"]["annotations"][REQUEST_DIGEST] != second["metadata"]["annotations"][REQUEST_DIGEST]


async def test_retry_of_a_retry_counts_on(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n", finished("AppError"))
    first = await client.retry("n")
    await fake.task(first.name, finished("AppError"))

    second = await first.retry()

    assert second.name == "n-r2"


async def test_retry_refuses_a_task_that_has_not_finished(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n", {"phase": "Running"})

    with pytest.raises(errors.TaskNotFinished, match="Wait for it, or cancel it"):
        await client.retry("n")


async def test_list_of_a_queue_finds_tasks_that_are_in_it_without_naming_it(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("named", queueName="q")
    await fake.task("other", queueName="p")
    await fake.task("by-definition", {"effective": {"queueName": "q"}})
    await fake.task("unknown")

    assert [task.name for task in await client.list(queue="q", limit=5)] == ["by-definition", "named"]
    assert [task.name for task in await client.list(queue="default")] == ["unknown"]


@pytest.mark.parametrize("phase", ["Bogus", "failed", ""], ids=["no phase", "a phase in lower case", "nothing"])
async def test_list_of_no_phase_names_those_that_there_are(client: AsyncClient, phase: str) -> None:
    with pytest.raises(errors.InvalidTask, match=f"There is no phase '{phase}': it is one of .*Running, .*Failed"):
        await client.list(phase=phase)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        pytest.param({"phase": Phase.FAILED}, ["c"], id="by phase"),
        pytest.param({"phase": "Failed", "definition": "d"}, [], id="by phase and definition"),
        pytest.param({"definition": "d"}, ["b"], id="by definition"),
        pytest.param({"labels": {"a": "b"}}, ["a"], id="by labels"),
        pytest.param({"labels": "a=b"}, ["a"], id="by a selector"),
        pytest.param({"limit": 2}, ["a", "b"], id="at most so many"),
        pytest.param({"all_namespaces": True}, ["a", "b", "c", "far"], id="of every namespace"),
        pytest.param({"namespace": "far"}, ["far"], id="of another namespace"),
    ],
)
async def test_list(client: AsyncClient, fake: FakeApi, options: dict[str, Any], names: list[str]) -> None:
    manifest = await fake.task("a")
    manifest["metadata"]["labels"] = {"a": "b"}
    await fake.task("b", definitionName="d")
    await fake.task("c", {"phase": "Failed"})
    await fake.put(TASKS.replace("team", "far") + "/far", {"metadata": {"name": "far", "namespace": "far"}, "spec": {}})

    assert names == [task.name for task in await client.list(**options)]


async def test_watch_gives_every_state_until_the_finished_one(client: AsyncClient, fake: FakeApi) -> None:
    await fake.task("n", {"phase": "Queued"})
    states = client.watch("n")

    phases = [(await anext(states)).phase]
    for phase in ("Running", "Succeeded"):
        pending = asyncio.ensure_future(anext(states))
        await asyncio.sleep(0.01)
        await fake.task("n", {"phase": phase} if phase == "Running" else finished("Succeeded", phase=phase))
        phases.append((await pending).phase)

    assert phases == [Phase.QUEUED, Phase.RUNNING, Phase.SUCCEEDED]
    assert [task async for task in states] == []


async def test_a_closed_client_closes_its_transport(fake: FakeApi) -> None:
    async with AsyncClient(transport=fake):
        pass

    assert fake.closed


@pytest.mark.parametrize("used", [True, False], ids=["after calls", "before its first call"])
async def test_a_closed_client_says_so_and_connects_no_more(fake: FakeApi, used: bool) -> None:
    client = AsyncClient("team", transport=fake)
    handle = await client.submit(image="i", name="n") if used else client._handle(Submitted("n", "team"))
    await client.close()
    before = len(fake.calls)
    calls: list[Callable[[], Any]] = [
        lambda: client.submit(image="i"),
        lambda: client.submit_many([{"image": "i"}]),
        lambda: client.get("n"),
        lambda: client.wait("n", 1),
        lambda: anext(client.watch("n")),
        lambda: anext(client.logs("n")),
        client.list,
        lambda: client.why("n"),
        client.queues,
        handle.status,
        lambda: handle.get(1),
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match="The client is closed: make another"):
            await call()

    await client.close()
    assert before == len(fake.calls)


async def test_a_given_namespace_is_not_asked_for(fake: FakeApi) -> None:
    client = AsyncClient("mine", transport=fake)

    handle = await client.submit(image="i")

    assert handle.namespace == "mine"
