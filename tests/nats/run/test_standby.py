"""A runner that waits for its task, with a real nats-server: it claims before it runs, and takes one task at most."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import nats
import nats.errors
import pytest
from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError
from tests.support.flushing import flushed
from tests.support.nats_server import NatsServer
from tests.support.runner import Ended, Runner

from celeriac.run import standby as module
from celeriac.run.standby import Standby, parse_assignment
from celeriac.wire.names import (
    RESULTS_BUCKET,
    assign_subject,
    attempt_key,
    begin_line,
    claim_key,
    ready_subject,
    roll_subject,
)

UID = "uid-1"
CLAIM = claim_key("team", UID, 1)
TASK = {"CELERIAC_TASK": "task-1", "CELERIAC_NAMESPACE": "team", "CELERIAC_ATTEMPT": "1", "CELERIAC_TASK_UID": UID}


def assignment(expect: int = 0, params: str = '{"a": 1}', seconds: float | None = None, uid: str = UID) -> bytes:
    env = {**TASK, "CELERIAC_TASK_UID": uid, "CELERIAC_PARAMS": params}
    return json.dumps({"uid": uid, "attempt": 1, "expect": expect, "env": env, "seconds": seconds}).encode()


class Operator:
    """What the operator does with waiting pods."""

    def __init__(self, client: nats.NATS, js: JetStreamContext, runner: Runner) -> None:
        self.client, self.js, self.runner = client, js, runner
        self.heard: asyncio.Queue[str] = asyncio.Queue()

    async def listen(self) -> None:
        async def heard(message: Any) -> None:
            self.heard.put_nowait(message.subject)

        await self.client.subscribe("celeriac.ready.team.*", cb=heard)
        await flushed(self.client)

    def pod(self, url: str, name: str = "add", uid: str = "pod-1", **more: str) -> subprocess.Popen[str]:
        env = {
            **more,
            "CELERIAC_STANDBY": "1",
            "CELERIAC_NATS_URL": url,
            "CELERIAC_POD_UID": uid,
            "CELERIAC_NAMESPACE": "team",
        }
        return self.runner.start("mod:app", f"t.{name}", **env)

    async def ready(self, uid: str = "pod-1") -> None:
        async with asyncio.timeout(60):
            while await self.heard.get() != ready_subject("team", uid):
                pass

    async def assign(self, data: bytes, uid: str = "pod-1") -> None:
        """Tell the pod of a task. Where the server goes because of that, it does not say any more that it has it."""
        await self.client.publish(assign_subject("team", uid), data)
        with suppress(nats.errors.FlushTimeoutError):
            await flushed(self.client)

    async def end(self, pod: subprocess.Popen[str]) -> Ended:
        return await asyncio.to_thread(self.runner.end, pod)

    async def read(self, key: str) -> Any:
        bucket = await self.js.key_value(RESULTS_BUCKET)
        try:
            return json.loads((await bucket.get(key)).value or b"null")
        except KeyNotFoundError:
            return None

    async def write(self, key: str, author: str = "Operator", uid: str = "pod-1") -> int:
        bucket = await self.js.key_value(RESULTS_BUCKET)
        record = {"author": author, "taskUid": UID, "attempt": 1, "podUID": uid, "time": "2026-11-26T00:00:00Z"}
        return await bucket.put(key, json.dumps(record).encode())


@asynccontextmanager
async def operator(server: NatsServer, directory: Path) -> AsyncIterator[Operator]:
    client = await nats.connect(server.url, error_cb=_quiet)
    js = client.jetstream()
    await js.create_key_value(bucket=RESULTS_BUCKET, history=1, direct=True)
    found = Operator(client, js, Runner(directory))
    await found.listen()
    try:
        yield found
    finally:
        await client.close()


async def _quiet(_error: Exception) -> None:
    """Servers are killed on purpose."""


async def test_it_claims_the_task_runs_it_and_ends(server: NatsServer, tmp_path: Path) -> None:
    async with operator(server, tmp_path) as ours:
        pod = ours.pod(server.url)
        await ours.ready()
        await ours.assign(assignment())
        ended = await ours.end(pod)
        assert (ended.code, ended.message) == (0, "3")
        claim, record = await ours.read(CLAIM), await ours.read(attempt_key("team", UID, 1))
        assert (claim["author"], claim["podUID"]) == ("Runner", "pod-1")
        assert (record["podUID"], record["result"]) == ("pod-1", {"value": 3})
        assert begin_line(UID, 1) in ended.log.splitlines()
        assert begin_line(UID, 1) in ended.output.splitlines()


async def test_it_says_that_it_is_there_when_it_is_asked(server: NatsServer, tmp_path: Path) -> None:
    async with operator(server, tmp_path) as ours:
        pod = ours.pod(server.url)
        await ours.ready()
        await ours.client.publish(roll_subject("team"), b"")
        await ours.ready()
        pod.send_signal(signal.SIGTERM)
        assert (await ours.end(pod)).code == 143


async def test_what_was_taken_back_is_never_run_and_the_pod_takes_another(server: NatsServer, tmp_path: Path) -> None:
    async with operator(server, tmp_path) as ours:
        pod = ours.pod(server.url)
        await ours.ready()
        revoked = await ours.write(CLAIM)
        await ours.assign(assignment(expect=0, params='{"a": 100}'))
        await ours.ready()
        await ours.assign(assignment(expect=revoked))
        ended = await ours.end(pod)
        assert (ended.code, ended.message) == (0, "3")
        assert (await ours.read(CLAIM))["author"] == "Runner"


async def test_of_two_pods_with_the_same_assignment_one_runs_it(server: NatsServer, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    async with operator(server, tmp_path) as ours:
        first = ours.pod(server.url)
        await ours.ready()
        ours.runner = other = Runner(tmp_path / "b")
        second = ours.pod(server.url, uid="pod-2")
        await ours.ready("pod-2")
        await asyncio.gather(ours.assign(assignment()), ours.assign(assignment(), "pod-2"))
        winner = (await _written(ours, CLAIM))["podUID"]
        loser = {"pod-1": second, "pod-2": first}[winner]
        await ours.ready("pod-2" if winner == "pod-1" else "pod-1")
        loser.send_signal(signal.SIGTERM)
        codes = [await asyncio.to_thread(runner.end, pod) for runner, pod in ((other, first), (other, second))]
        assert sorted(each.code for each in codes) == [0, 143]


@pytest.mark.parametrize(
    ("end", "again"),
    [
        pytest.param(b'{"author":"Runner"}', True, id="it has ended: that is written once more"),
        pytest.param(b"", False, id="its end was collected"),
        pytest.param(None, False, id="it runs"),
    ],
)
@pytest.mark.parametrize("claimant", ["pod-1", "pod-2"])
async def test_whoever_tells_of_an_attempt_that_was_claimed_gets_news_of_its_end(
    server: NatsServer, tmp_path: Path, end: bytes | None, again: bool, claimant: str
) -> None:
    async with operator(server, tmp_path) as ours:
        key, bucket = attempt_key("team", UID, 1), await ours.js.key_value(RESULTS_BUCKET)
        await ours.write(CLAIM, author="Runner", uid=claimant)
        before = await bucket.put(key, end) if end is not None else 0
        pod = ours.pod(server.url)
        await ours.ready()
        await ours.assign(assignment())
        await ours.ready()
        if end is not None:
            after = await bucket.get(key)
            assert (after.value or b"", (after.revision or 0) > before) == (end, again)
        assert (await ours.read(CLAIM))["podUID"] == claimant
        pod.send_signal(signal.SIGTERM)
        assert (await ours.end(pod)).code == 143


async def _written(ours: Operator, key: str) -> Any:
    async with asyncio.timeout(60):
        while (found := await ours.read(key)) is None:
            await asyncio.sleep(0.02)
    return found


async def test_an_attempt_that_ends_while_its_claim_is_written_once_more_does_not_begin_again(
    server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy operator tells a worker again while no slot is free; it is heard of once one is, as the attempt ends."""
    async with operator(server, tmp_path) as ours, Standby(ours.client, "team", "pod-1", ours.js) as standby:
        await flushed(ours.client)
        await ours.assign(assignment())
        first = await standby.next()
        publish = ours.js.publish

        async def while_it_ends(*args: Any, **kwargs: Any) -> Any:
            standby.ended(first)
            return await publish(*args, **kwargs)

        monkeypatch.setattr(ours.js, "publish", while_it_ends)
        await ours.assign(assignment())
        await ours.assign(assignment(uid="uid-2"))
        assert (first.uid, (await standby.next()).uid) == (UID, "uid-2")


def stop(uid: str = UID) -> bytes:
    said = {"failure": "Cancelled", "message": "deleted", "grace": 0}
    return json.dumps({"uid": uid, "attempt": 1, "stop": said}).encode()


@pytest.mark.parametrize(
    ("then", "seconds", "taken"),
    [
        pytest.param([assignment(uid="uid-2")], 100, "uid-2", id="not said again for long: nobody wants it any more"),
        pytest.param([assignment(), assignment(uid="uid-2")], 100, UID, id="said again: it is wanted"),
        pytest.param([stop(), assignment(uid="uid-2")], 0, "uid-2", id="to be stopped before it began"),
        pytest.param([stop(), assignment()], 0, UID, id="to be stopped, and then told once more"),
        pytest.param([stop("uid-3"), assignment(uid="uid-2")], 0, UID, id="another is to be stopped"),
    ],
)
async def test_what_waits_for_a_slot_is_claimed_only_if_it_is_wanted(
    server: NatsServer,
    tmp_path: Path,
    then: list[bytes],
    seconds: float,
    taken: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may have run elsewhere meanwhile, so long ago that NATS knows no more of that."""
    times = itertools.chain([0.0], itertools.repeat(seconds))
    monkeypatch.setattr(module, "monotonic", lambda: next(times))
    async with operator(server, tmp_path) as ours:
        async with Standby(ours.client, "team", "pod-1", ours.js) as standby:
            await flushed(ours.client)
            for data in (assignment(), *then):
                await ours.assign(data)
            assert (await standby.next()).uid == taken
        others = {UID, "uid-2"} - {taken}
        assert [await ours.read(claim_key("team", uid, 1)) for uid in others] == [None]


async def test_a_second_assignment_finds_nobody(server: NatsServer, tmp_path: Path) -> None:
    async with operator(server, tmp_path) as ours:
        pod = ours.pod(server.url, "gated")
        await ours.ready()
        await ours.assign(assignment(params="{}"))
        await _written(ours, CLAIM)
        await ours.assign(assignment(uid="uid-2"))
        ended = await asyncio.to_thread(ours.runner.end, pod, "\n")
        assert (ended.code, ended.message) == (0, '"through"')
        assert await ours.read(claim_key("team", "uid-2", 1)) is None


async def test_a_server_that_is_killed_between_assignment_and_claim_leaves_one_that_runs_it(
    server: NatsServer, tmp_path: Path
) -> None:
    async with operator(server, tmp_path) as ours:
        pod = ours.pod(server.url)
        await ours.ready()
        await ours.assign(assignment())
        server.kill()
        server.start()
        async with asyncio.timeout(60):
            while await asyncio.to_thread(_ended, pod) is None:
                await ours.client.publish(assign_subject("team", "pod-1"), assignment())
        assert (await ours.end(pod)).code == 0
        claim = await ours.read(CLAIM)
        assert (claim["author"], claim["podUID"]) == ("Runner", "pod-1")


def _ended(pod: subprocess.Popen[str]) -> int | None:
    try:
        return pod.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        return None


async def test_a_module_that_cannot_be_imported_ends_the_pod_before_it_is_ready(
    server: NatsServer, tmp_path: Path
) -> None:
    async with operator(server, tmp_path) as ours:
        ended = await ours.end(ours.pod(server.url, "no-such-task"))
        assert ended.code == 1
        assert "has no task t.no-such-task" in ended.log
        assert ours.heard.empty()


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b'{"uid": 1}', b'{"uid":"a","attempt":"x","expect":0,"env":{}}'])
def test_what_is_no_assignment_is_passed_over(data: bytes) -> None:
    assert parse_assignment(data) is None
