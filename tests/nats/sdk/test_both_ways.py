"""What users call gives the same through the API server and through NATS. Every test here runs twice."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.nats.sdk.conftest import World

from celeriac import AsyncClient, Client, Phase, TaskRequest, errors


@pytest.fixture
async def either(world: World) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(**world.client_arguments()) as client:
        yield client


async def test_a_task_arrives_as_it_was_asked_for(either: AsyncClient, world: World) -> None:
    handle = await either.submit(definition="d", params={"a": [1, None, "ü"]}, priority=3, run_seconds=5, name="n")

    assert ("n", world.namespace) == (handle.name, handle.namespace)
    assert [
        {"definitionName": "d", "params": {"a": [1, None, "ü"]}, "priority": 3, "deadlines": {"runSeconds": 5}}
    ] == await world.submitted(1)


@pytest.mark.parametrize("value", [None, 0, "", "text", [1, {"a": None}], {"k": 1.5}], ids=repr)
async def test_what_a_task_returned_comes_back(either: AsyncClient, world: World, value: Any) -> None:
    handle = await either.submit(definition="d", name="n")
    await world.finish("n", "Succeeded", value=value)

    assert value == await handle.get(5) == await handle == await either.result("n", 5)
    assert (await handle.wait(5)).succeeded


async def test_a_wait_of_no_time_finds_what_is_there(either: AsyncClient, world: World) -> None:
    handle = await either.submit(definition="d", name="n")

    with pytest.raises(errors.TimeoutError, match=f"Task {world.namespace}/n did not finish within 0 seconds"):
        await handle.get(0)
    await world.finish("n", "Succeeded", value=3)

    assert await handle.get(0) == 3
    assert await either.result("n", 0) == 3


async def test_a_task_that_returned_nothing_gives_none(either: AsyncClient, world: World) -> None:
    handle = await either.submit(definition="d", name="n")
    await world.finish("n", "Succeeded")

    assert await handle.get(5) is None


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("AppError", errors.TaskFailed),
        ("OOMKilled", errors.TaskFailed),
        ("ResultInvalid", errors.ResultInvalid),
        ("Cancelled", errors.TaskCancelled),
        ("Expired", errors.TaskExpired),
        ("InvalidParams", errors.InvalidParams),
        ("InlineContainerDenied", errors.InlineContainerDenied),
        ("DefinitionNotFound", errors.UnknownDefinition),
    ],
)
async def test_what_ended_a_task_is_raised(
    either: AsyncClient, world: World, outcome: str, error: type[errors.CeleriacError]
) -> None:
    handle = await either.submit(definition="d", name="n")
    await world.finish("n", outcome, "it went wrong")

    with pytest.raises(error, match=f"{world.namespace}/n"):
        await handle.get(5)
    assert (await handle.wait(5)).outcome == outcome


async def test_a_failure_tells_of_its_attempts(either: AsyncClient, world: World) -> None:
    handle = await either.submit(definition="d", name="n")
    attempt = {"number": 2, "jobName": "j", "failure": "AppError", "exitCode": 7, "message": "Traceback: boom"}
    await world.finish("n", "AppError", "Attempt 2 of 2 failed", attempts=[attempt])

    with pytest.raises(errors.TaskFailed, match="boom") as caught:
        await handle.get(5)

    assert ("AppError", 7, 2) == (caught.value.failure, caught.value.exit_code, caught.value.attempts[-1].number)


async def test_a_wait_ends_when_the_task_does(either: AsyncClient, world: World) -> None:
    handle = await either.submit(definition="d", name="n")
    waits = [asyncio.create_task(handle.get(30)) for _ in range(3)]
    await world.run("n")
    done, _ = await asyncio.wait(waits, timeout=0.1)
    await world.finish("n", "Succeeded", value=7)

    assert ([7, 7, 7], set()) == (await asyncio.gather(*waits), done)


async def test_a_timeout_is_not_the_tasks_end(either: AsyncClient, world: World) -> None:
    handle = await either.submit(definition="d", name="n")

    with pytest.raises(errors.TimeoutError, match=r"within 0\.05 seconds; it goes on"):
        await handle.get(0.05)
    await world.finish("n", "Succeeded", value=1)

    assert await handle.get(5) == 1


async def test_the_state_follows_the_task(either: AsyncClient, world: World) -> None:
    handle = await either.submit(definition="d", name="n")
    before = await handle.status()
    await world.run("n")
    running = await either.get("n")
    await world.finish("n", "Succeeded")
    after = await handle.status()

    assert before.phase in (Phase.PENDING, Phase.BACKLOGGED)
    assert (Phase.RUNNING, "on it", False) == (running.phase, running.status.message, running.finished)
    assert ("Succeeded", True) == (after.outcome, after.finished)


async def test_watch_ends_with_the_finished_task(either: AsyncClient, world: World) -> None:
    await either.submit(definition="d", name="n")
    seen: list[Phase] = []
    async for task in either.watch("n"):
        seen.append(task.phase)
        if len(seen) == 1:
            await world.run("n")
        elif task.phase is Phase.RUNNING:
            await world.finish("n", "Succeeded")

    assert (Phase.RUNNING, True) == (seen[1], task.succeeded)


@pytest.mark.parametrize("options", [{"name": "n"}, {"key": "k"}], ids=["by name", "by key"])
async def test_the_same_submission_again_is_the_same_task(
    either: AsyncClient, world: World, options: dict[str, Any]
) -> None:
    first = await either.submit(definition="d", **options)
    second = await either.submit(definition="d", **options)

    assert first.name == second.name
    await world.submitted(1)


async def test_submitting_a_finished_task_again_runs_nothing(either: AsyncClient, world: World) -> None:
    first = await either.submit(definition="d", name="n")
    await world.submitted(1)
    await world.finish(first.name, "Succeeded", value=1)

    second = await either.submit(definition="d", name="n")

    assert await second.get(5) == 1


async def test_a_finished_task_submitted_again_with_other_labels_is_the_same(either: AsyncClient, world: World) -> None:
    """Labels say nothing about what runs."""
    await either.submit(definition="d", name="n", labels={"a": "1"})
    await world.submitted(1)
    await world.finish("n", "Succeeded", value=1)

    assert await (await either.submit(definition="d", name="n", labels={"a": "2"})).get(5) == 1


async def test_a_finished_task_of_that_name_with_other_content_is_found(either: AsyncClient, world: World) -> None:
    await either.submit(definition="d", name="n")
    await world.submitted(1)
    await world.finish("n", "Succeeded", value=1)

    with pytest.raises(errors.AlreadyExists, match="other content"):
        await either.submit(definition="d", name="n", params={"a": 2})


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"definition": "d", "image": "i"}, errors.InvalidTask),
        ({"definition": "d", "priority": 9999}, errors.InvalidTask),
        ({"definition": "d", "name": "No"}, errors.InvalidTask),
        ({"definition": "d", "key": ""}, errors.InvalidTask),
        ({"definition": "d", "labels": {"a b": "c"}}, errors.InvalidTask),
        ({"definition": "d", "params": {"a": float("nan")}}, errors.InvalidParams),
        ({"definition": "d", "params": {"a": object()}}, errors.InvalidParams),
        ({"definition": "d", "params": {"a": "\ud800"}}, errors.InvalidParams),
        ({"definition": "d", "nonsense": 1}, errors.InvalidTask),
    ],
    ids=[
        "two things to run",
        "a priority",
        "a name",
        "an empty key",
        "a label",
        "a number",
        "an object",
        "half a character",
        "an argument",
    ],
)
async def test_what_is_not_valid_is_refused_before_it_is_sent(
    either: AsyncClient, world: World, request_: Any, error: type[errors.CeleriacError]
) -> None:
    with pytest.raises(error):
        await either.submit(**request_)

    await world.submitted(0)


async def test_submit_many_reports_each_by_itself_and_in_order(either: AsyncClient, world: World) -> None:
    requests: list[Any] = [
        {"definition": "d", "name": "a"},
        {"nonsense": 1},
        TaskRequest(definition="d", priority=9999),
    ]
    requests += [{"definition": "d", "name": f"n{number}"} for number in range(40)]

    done = await either.submit_many(iter(requests))

    assert [True, False, False] + [True] * 40 == [one.ok for one in done]
    assert [errors.InvalidTask] * 2 == [type(one.error) for one in done[1:3]]
    assert ["a", *(f"n{n}" for n in range(40))] == [one.handle.name for one in done if one.handle]
    assert requests == [one.request for one in done]
    await world.submitted(41)


async def test_cancel_leaves_its_reason_and_keeps_the_first(either: AsyncClient, world: World) -> None:
    handle = await either.submit(definition="d", name="n")

    tasks = [await handle.cancel("changed my mind"), await either.cancel("n", "another reason")]

    assert ["changed my mind"] * 2 == [task.spec.cancel.reason for task in tasks if task.spec.cancel]
    assert await world.asked_to_cancel("n") == "changed my mind"
    assert not tasks[1].finished


async def test_cancel_leaves_a_finished_task_alone(either: AsyncClient, world: World) -> None:
    handle = await either.submit(definition="d", name="n")
    await world.finish("n", "Succeeded", value=1)

    task = await handle.cancel()

    assert (True, None) == (task.succeeded, task.spec.cancel)
    assert await handle.get(5) == 1


@pytest.mark.parametrize("many", [False, True], ids=["submit", "submit_many"])
async def test_a_full_queue_refuses(either: AsyncClient, world: World, many: bool) -> None:
    await world.fill()

    if many:
        [one] = await either.submit_many([{"definition": "d", "queue": "small"}])
        assert isinstance(one.error, errors.QueueFull)
    else:
        with pytest.raises(errors.QueueFull):
            await either.submit(definition="d", queue="small")


@pytest.mark.parametrize("many", [False, True], ids=["submit", "submit_many"])
async def test_a_full_queue_that_stays_full_refuses_after_the_timeout(
    either: AsyncClient, world: World, many: bool
) -> None:
    await world.fill()

    if many:
        done = await either.submit_many([{"definition": "d", "queue": "small"}] * 3, block=True, timeout=0.2)
        assert [errors.QueueFull] * 3 == [type(one.error) for one in done]
    else:
        with pytest.raises(errors.QueueFull):
            await either.submit(definition="d", queue="small", block=True, timeout=0.2)


@pytest.mark.parametrize("many", [False, True], ids=["submit", "submit_many"])
async def test_who_waits_for_room_gets_it(either: AsyncClient, world: World, many: bool) -> None:
    await world.fill()
    if many:
        waiting: Any = asyncio.create_task(either.submit_many([{"definition": "d", "queue": "small"}] * 3, block=True))
    else:
        waiting = asyncio.create_task(either.submit(definition="d", queue="small", block=True, timeout=30))
    async with asyncio.timeout(30):
        while not waiting.done():
            await world.make_room()
            await asyncio.sleep(0.02)

    assert all(one.ok for one in waiting.result()) if many else waiting.result().name


async def test_threads_share_a_synchronous_client(world: World) -> None:
    def whole_way() -> tuple[list[Any], set[str]]:
        with Client(**world.client_arguments()) as client:
            names: set[str] = set()
            threads = [threading.Thread(target=lambda: names.add(client.submit(definition="d").name)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            handle = client.submit(definition="d", name="n")
            done = client.submit_many([{"definition": "d", "name": "n"}, {"definition": ""}])
            with pytest.raises(errors.TimeoutError):
                handle.get(0.05)
            return [one.handle.name if one.handle else type(one.error) for one in done], names

    many, names = await asyncio.to_thread(whole_way)

    assert (["n", errors.InvalidTask], 8) == (many, len(names))
    await world.submitted(9)


async def test_what_is_closed_says_so(world: World) -> None:
    client = AsyncClient(**world.client_arguments())
    handle = await client.submit(definition="d", name="n")
    await client.close()

    for call in (lambda: client.submit(definition="d"), lambda: client.get("n"), lambda: handle.get(5), handle.cancel):
        with pytest.raises(RuntimeError, match="The client is closed: make another"):
            await call()


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        pytest.param(lambda c: c.get(5), TypeError, "name is 5 (int): give a text", id="get of a number"),
        pytest.param(lambda c: c.cancel(5), TypeError, "name is 5 (int): give a text", id="cancel of a number"),
        pytest.param(lambda c: c.cancel("n", 5), TypeError, "reason is 5 (int): give a text", id="a reason of digits"),
        pytest.param(lambda c: c.get("n", namespace=5), TypeError, "namespace is 5 (int)", id="a number of namespace"),
        pytest.param(lambda c: c.wait("n", "5"), TypeError, "timeout is '5' (str): give seconds", id="text for time"),
        pytest.param(lambda c: c.result("n", math.nan), ValueError, "timeout is nan", id="no number for time"),
        pytest.param(
            lambda c: c.submit(definition="d", timeout="5"), TypeError, "timeout is '5' (str)", id="room for a text"
        ),
        pytest.param(lambda c: c.submit(definition="d", name=5), errors.InvalidTask, "5 cannot be a name", id="name 5"),
        pytest.param(lambda c: c.submit(definition="d", key=5), errors.InvalidTask, "key is a int", id="key 5"),
    ],
)
async def test_an_argument_of_no_use_is_named(
    either: AsyncClient, call: Callable[[AsyncClient], Awaitable[Any]], error: type[Exception], said: str
) -> None:
    await either.submit(definition="d", name="n")

    with pytest.raises(error) as told:
        await call(either)

    assert said in str(told.value)
