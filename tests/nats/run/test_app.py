"""A function from call to result through a real nats-server: the message, the runner on it, the value at the handle."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.support.nats_operator import FakeOperator
from tests.support.nats_server import NatsServer, nats_server
from tests.support.runner import Runner

from celeriac import Client, QueueFull, ResultInvalid
from celeriac.wire.names import RESULTS_BUCKET, attempt_key
from celeriac.wire.records import AttemptRecord


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    directory = tmp_path / "nats"
    directory.mkdir()
    with nats_server(directory) as server:
        yield server


@pytest.fixture
async def operator(server: NatsServer) -> AsyncIterator[FakeOperator]:
    operator = FakeOperator(server.url, "team")
    await operator.start("default")
    yield operator
    await operator.stop()


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.fixture
def module(runner: Runner, server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The program that submits: it has the same module that the runner has."""
    monkeypatch.syspath_prepend(str(runner.directory))
    module: Any = importlib.import_module("mod")
    with Client("team", nats_url=server.url) as client:
        monkeypatch.setattr(module.app, "_given_client", client)
        yield module
    sys.modules.pop("mod", None)


async def run_one(operator: FakeOperator, runner: Runner, url: str) -> None:
    """What the operator does with one message: an attempt, and the task's record from that of the attempt."""
    (message,) = await operator.take()
    definition = str(message.spec["definitionName"]).replace("-", "_")
    reference = message.spec.get("paramsRef")
    env = {
        "CELERIAC_TASK": message.name or "",
        "CELERIAC_NAMESPACE": "team",
        "CELERIAC_ATTEMPT": "1",
        "CELERIAC_TASK_UID": "uid-1",
        "CELERIAC_POD_UID": "pod-1",
        "CELERIAC_NATS_URL": url,
        "CELERIAC_PARAMS_REF": json.dumps(reference) if reference else "",
    }
    ended = await asyncio.to_thread(runner.run, definition, json.dumps(message.spec.get("params") or {}), **env)
    assert ended.code == 0, ended.log
    entry = await (await operator.js.key_value(RESULTS_BUCKET)).get(attempt_key("team", "uid-1", 1))
    attempt = AttemptRecord.model_validate_json(entry.value or b"")
    await operator.finish(message.name or "", result=attempt.result)


@pytest.mark.parametrize(
    ("task", "arguments", "expected"),
    [
        pytest.param("add", {"a": 1}, 3, id="a small one"),
        pytest.param("echo", {"data": b"\xff" * 40_000}, b"\xff" * 40_000, id="params and result in the object store"),
    ],
)
async def test_there_and_back(
    operator: FakeOperator,
    server: NatsServer,
    runner: Runner,
    module: Any,
    task: str,
    arguments: dict[str, Any],
    expected: Any,
) -> None:
    handle = await getattr(module, task).adelay(**arguments)
    await run_one(operator, runner, server.url)
    assert expected == await handle.aget(timeout=30)


async def test_a_result_of_another_version_of_the_function(operator: FakeOperator, module: Any) -> None:
    handle = await module.add.adelay(1)
    await operator.take()
    await operator.finish(handle.name, value="three")
    with pytest.raises(ResultInvalid, match="result: Input should be a valid integer"):
        await handle.aget(timeout=30)


async def test_a_full_queue_pushes_back(operator: FakeOperator, module: Any) -> None:
    await operator.queue("small", max_msgs=1)
    await module.add.options(queue="small").adelay(1)
    with pytest.raises(QueueFull):
        await module.add.options(queue="small").adelay(2)
    waiting = asyncio.create_task(module.add.options(queue="small", block=True, timeout=30).adelay(3))
    await operator.take("small")
    assert (await waiting).name
