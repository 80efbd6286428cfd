"""Which lines of a log are a task's."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.sdk.fake_api import PODS, FakeApi
from tests.unit.sdk.test_logs import pod

from celeriac import AsyncClient
from celeriac.wire.names import begin_line, line_tag

WAITED: list[Any] = [{"number": 1, "jobName": "resize-w-0123456789", "podName": "p1"}]


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        pytest.param(None, ["one", "two", "three"], id="all"),
        pytest.param(2, ["two", "three"], id="the last"),
        pytest.param(10, ["one", "two", "three"], id="more than there are"),
    ],
)
async def test_what_a_pod_said_while_it_waited_is_not_the_tasks(
    tail: int | None, expected: list[str], client: AsyncClient, fake: FakeApi
) -> None:
    await fake.put(f"{PODS}/p1", pod("p1", terminated={}))
    await fake.task("n", {"attempts": WAITED})
    begin = begin_line((await client.get("n")).uid, 1)
    lines = ["importing", begin, "one", begin, "two", "three"]
    fake.logs["p1"] = [f"{line}\n".encode() for line in lines]

    assert [line async for line in client.logs("n", tail=tail)] == expected


async def test_a_task_that_its_pod_has_not_taken_has_no_lines(client: AsyncClient, fake: FakeApi) -> None:
    await fake.put(f"{PODS}/p1", pod("p1", running={}))
    await fake.task("n", {"attempts": WAITED})
    fake.logs["p1"] = [b"importing\n"]

    assert [line async for line in client.logs("n")] == []


async def test_of_a_worker_it_has_the_lines_with_its_tag(client: AsyncClient, fake: FakeApi) -> None:
    await fake.put(f"{PODS}/p1", pod("p1", running={}))
    await fake.task("n", {"attempts": WAITED})
    ours, other = line_tag((await client.get("n")).uid, 1), line_tag("another", 1)
    lines = ["importing", f"{ours}one", f"{other}else", f"{ours}", f"{ours}two", "the worker's own"]
    fake.logs["p1"] = [f"{line}\n".encode() for line in lines]

    assert [line async for line in client.logs("n")] == ["one", "", "two"]
    assert [line async for line in client.logs("n", tail=1)] == ["two"]
