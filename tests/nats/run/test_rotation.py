"""Passwords of NATS are replaced under pods that wait and under workers: what they run is told, and they take more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.nats.run.test_standby import UID, assignment, operator
from tests.nats.run.test_worker import worker
from tests.support.keeping import until
from tests.support.nats_server import NatsServer, nats_server
from tests.support.rotation import ROTATIONS, accounts, rotated

from celeriac.wire.names import attempt_key


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path, accounts("first")) as running:
        yield running


def access(file: Path) -> dict[str, str]:
    """What a pod has: the variable stays as it was, and the kubelet replaces the file."""
    file.write_text("first")
    password = {"CELERIAC_NATS_PASSWORD": "first", "CELERIAC_NATS_PASSWORD_FILE": str(file)}
    return {"CELERIAC_NATS_USER": "theirs", **password}


@pytest.mark.parametrize("rotate", ROTATIONS)
async def test_what_a_worker_runs_is_told_and_it_takes_more(
    rotate: Callable[[NatsServer], None], server: NatsServer, tmp_path: Path
) -> None:
    file, marks = tmp_path / "password", {uid: tmp_path / uid for uid in ("before", "after")}
    async with worker(server, tmp_path, "marked", **access(file)) as ours:
        await ours.give("before", json.dumps({"mark": str(marks["before"])}))
        await until(marks["before"].exists)
        await rotated(server, rotate, file)

        for mark in marks.values():
            mark.with_name(f"{mark.name}-may-end").touch()
        assert (await ours.record("before"))["result"] == {"value": "done"}
        await ours.ready()
        await ours.give("after", json.dumps({"mark": str(marks["after"])}))
        assert (await ours.record("after"))["result"] == {"value": "done"}
        assert (await ours.left()).code == 143
    assert [mark.read_text() for mark in marks.values()] == ["begun;", "begun;"]


@pytest.mark.parametrize("rotate", ROTATIONS)
async def test_a_pod_that_waits_takes_its_task_and_tells_its_end(
    rotate: Callable[[NatsServer], None], server: NatsServer, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    async with operator(server, tmp_path) as ours:
        pod = ours.pod(server.url, **access(file))
        await ours.ready()
        await rotated(server, rotate, file)

        await ours.ready()
        await ours.assign(assignment())
        assert (await ours.end(pod)).code == 0
        assert (await ours.read(attempt_key("team", UID, 1)))["result"] == {"value": 3}
