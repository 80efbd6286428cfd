"""The synchronous client, which must say the same as the asynchronous one."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.sdk.fake_api import PODS, TASKS, FakeApi, finished
from tests.unit.sdk.test_logs import attempt, pod

from celeriac import AsyncClient, AsyncTaskHandle, Client, TaskHandle, errors
from celeriac._loop import LoopThread


@pytest.fixture
def sync(fake: FakeApi) -> Iterator[Client]:
    with Client(transport=fake) as client:
        yield client


def change(client: Client, coroutine: object) -> None:
    client._loop.run(coroutine)  # type: ignore[arg-type]


@pytest.mark.parametrize(("one", "other"), [(Client, AsyncClient), (TaskHandle, AsyncTaskHandle)])
def test_both_have_the_same_methods_with_the_same_parameters(one: type, other: type) -> None:
    def shape(kind: type) -> dict[str, list[str]]:
        methods = {n: m for n, m in vars(kind).items() if not n.startswith("_") and callable(m)}
        return {name: list(inspect.signature(method).parameters) for name, method in methods.items()}

    expected = shape(other)
    expected.pop("namespace", None)  # a property of the one, a coroutine of the other

    assert shape(one) == expected


def test_the_whole_way(sync: Client, fake: FakeApi) -> None:
    handle = sync.submit(image="i", name="n")
    change(sync, fake.put(f"{PODS}/p1", pod("p1", terminated={})))
    change(sync, fake.task("n", finished("Succeeded", result={"value": 3}, attempts=[attempt(1, "p1")])))
    fake.logs["p1"] = [b"a\nb\n"]

    assert (handle.get(5), sync.result("n", 5), sync.wait("n").outcome) == (3, 3, "Succeeded")
    assert list(handle.logs()) == list(sync.logs("n")) == ["a", "b"]
    assert [task.name for task in sync.watch("n")] == ["n"]
    assert (sync.namespace, handle.status().name, handle.wait().name, handle.cancel().name) == ("team", "n", "n", "n")
    assert [handle.retry().name, sync.retry("n").name] == ["n-r1", "n-r2"]
    assert [task.name for task in sync.list()] == ["n", "n-r1", "n-r2"]
    assert handle.why().task == sync.why("n").task == sync.get("n").name == sync.cancel("n").name
    assert repr(handle) == "<TaskHandle team/n>"


def test_submit_many(sync: Client) -> None:
    done = sync.submit_many([{"image": "i", "name": "a"}, {"image": "i", "definition": "d"}])

    assert [one.handle.name if one.handle else type(one.error) for one in done] == ["a", errors.InvalidTask]


def test_a_handle_can_be_awaited_in_any_loop(sync: Client, fake: FakeApi) -> None:
    handle = sync.submit(image="i", name="n")
    change(sync, fake.task("n", finished("Succeeded", result={"value": 3})))

    async def both() -> list[int]:
        return [await handle, await handle.aget(1)]

    assert asyncio.run(both()) == [3, 3]


def test_a_log_that_is_left_early_is_closed(sync: Client, fake: FakeApi) -> None:
    sync.submit(image="i", name="n")
    for _ in sync.watch("n"):
        break

    assert sync.get("n").name == "n"


def test_closing_ends_what_waits_in_other_threads(fake: FakeApi) -> None:
    client = Client(transport=fake)
    client.submit(image="i", name="n")
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            client.wait("n")
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    while "WATCH" not in fake.methods():
        time.sleep(0.001)
    client.close()
    client.close()
    thread.join(5)

    assert len(ended) == 1
    with pytest.raises(RuntimeError, match="make another"):
        client.get("n")


def test_the_timeout_of_a_handle(sync: Client) -> None:
    handle = sync.submit(image="i")

    with pytest.raises(errors.TimeoutError):
        handle.get(0.01)


def test_a_loop_thread_gives_errors_back() -> None:
    loop = LoopThread()

    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        loop.run(fail())
    loop.close()

    assert loop.closed


def test_a_closed_client_says_so(fake: FakeApi) -> None:
    with Client(transport=fake) as client:
        handle = client.submit(image="i", name="n")

    for call in (lambda: client.get("n"), handle.status, lambda: handle.get(1), lambda: list(handle.logs())):
        with pytest.raises(RuntimeError, match="The client is closed: make another"):
            call()


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        pytest.param(5, TypeError, r"nats_url is 5 \(int\): give a text \(str\), such as", id="a number"),
        pytest.param(
            "nope://x", errors.ConnectionFailed, r"nats_url.*nope:// is none of nats://", id="no scheme of NATS"
        ),
    ],
)
def test_a_nats_url_that_is_none_is_named(url: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said), Client("team", nats_url=url) as client:
        client.get("n")


@pytest.mark.parametrize("name", ["../pods/x", "n/status", ""])
def test_a_name_is_of_one_object(sync: Client, fake: FakeApi, name: str) -> None:
    for ask, error in (
        (sync.get, errors.TaskNotFound),
        (sync.pause, errors.UnknownQueue),
        (sync.cron_get, errors.CronTaskNotFound),
    ):
        with pytest.raises(error, match=f"'{name}' is no name: give"):
            ask(name)
    assert not fake.calls


def test_a_name_of_none_is_no_name(sync: Client, fake: FakeApi) -> None:
    for ask in (sync.get, sync.cancel, sync.retry, sync.why, sync.pause, sync.cron_get):
        with pytest.raises(TypeError, match=r"name is None \(NoneType\): give a text"):
            ask(None)  # type: ignore[operator]
    assert not fake.calls


def test_what_is_in_a_path_is_quoted(sync: Client, fake: FakeApi) -> None:
    with pytest.raises(errors.TaskNotFound):
        sync.get("a?b")

    assert fake.calls[-1].path == f"{TASKS}/a%3Fb"


NOT_CLOSED = """
from celeriac import Client
from tests.unit.sdk.fake_api import FakeApi

class Told(FakeApi):
    async def close(self):
        print("closed")

client = Client(transport=Told())
client.namespace
"""


def test_what_a_program_leaves_open_is_closed_at_its_end() -> None:
    ended = subprocess.run([sys.executable, "-c", NOT_CLOSED], capture_output=True, text=True, check=True)
    assert ("closed\n", "") == (ended.stdout, ended.stderr)
