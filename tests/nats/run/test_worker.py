"""A runner that takes many tasks, with a real nats-server: a process for each, so that a crash takes one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import nats
import pytest
from e2e.support.nats_proxy import NatsProxy, nats_proxy
from tests.nats.run.test_standby import Operator, operator
from tests.support.flushing import flushed
from tests.support.nats_server import NatsServer
from tests.support.runner import Ended

from celeriac.wire.names import RESULTS_BUCKET, attempt_key, claim_key, line_tag

MORE = """
import ctypes
import subprocess

@app.task
def numbers() -> int:
    print("one")
    subprocess.run(["echo", "two"])
    print("three", end="")
    return os.getpid()

@app.task
def dies(how: int) -> None:
    print("about to die", flush=True)
    os._exit(how) if how >= 0 else os.kill(os.getpid(), -how)

@app.task
def eats(size: int) -> int:
    return len(bytearray(size))

@app.task
def leaves_a_process(file: str) -> str:
    subprocess.Popen(["sh", "-c", f"sleep 3600 & echo $! > {file}; wait"])
    while not Path(file).exists() or not Path(file).read_text():
        time.sleep(0.01)
    return Path(file).read_text().strip()

@app.task
def counts(directory: str, gate: bool = False) -> int:
    with open(f"{directory}/runs", "a") as file:
        file.write("run\\n")
    print("runs", flush=True)
    while gate and not Path(f"{directory}/gate").exists():
        time.sleep(0.01)
    return len(Path(f"{directory}/runs").read_text().splitlines())
"""


class Worker(Operator):
    """What the operator does with a worker."""

    async def begin(self, url: str, name: str, slots: int = 2, tasks: int = 100, **env: str) -> None:
        (self.runner.directory / "mod.py").write_text((self.runner.directory / "mod.py").read_text() + MORE)
        given = {"CELERIAC_STANDBY": "1", "CELERIAC_NATS_URL": url, "CELERIAC_POD_UID": "pod-1", **env}
        sizes = {"CELERIAC_NAMESPACE": "team", "CELERIAC_SLOTS": str(slots), "CELERIAC_TASKS": str(tasks)}
        self.process = self.runner.start("mod:app", f"t.{name}", **given, **sizes)
        await self.ready()

    async def give(self, uid: str, params: str = "{}", seconds: float | None = None, expect: int = 0) -> None:
        env = {"CELERIAC_TASK": uid, "CELERIAC_NAMESPACE": "team", "CELERIAC_ATTEMPT": "1", "CELERIAC_TASK_UID": uid}
        message = {"uid": uid, "attempt": 1, "expect": expect, "seconds": seconds}
        await self.assign(json.dumps({**message, "env": {**env, "CELERIAC_PARAMS": params}}).encode())

    async def tell_to_stop(self, uid: str, failure: str, message: str, grace: float = 30) -> None:
        stop = {"failure": failure, "message": message, "grace": grace}
        await self.assign(json.dumps({"uid": uid, "attempt": 1, "stop": stop}).encode())

    async def written(self, key: str) -> Any:
        async with asyncio.timeout(60):
            while True:
                with suppress(nats.errors.Error):  # the server may be away just now
                    if (found := await self.read(key)) is not None:
                        return found
                await asyncio.sleep(0.02)

    async def record(self, uid: str) -> Any:
        return await self.written(attempt_key("team", uid, 1))

    async def ended(self) -> Ended:
        return await self.end(self.process)

    async def left(self) -> Ended:
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()


@asynccontextmanager
async def worker(
    server: NatsServer, directory: Path, name: str, url: str = "", **options: Any
) -> AsyncIterator[Worker]:
    async with operator(server, directory) as ours:
        found = Worker(ours.client, ours.js, ours.runner)
        found.heard = ours.heard
        try:
            await found.begin(url or server.url, name, **options)
            yield found
        finally:
            if found.process.poll() is None:
                found.process.kill()
                await asyncio.to_thread(found.process.communicate)


async def test_it_runs_each_task_in_a_process_of_its_own_and_ends_after_so_many(
    server: NatsServer, tmp_path: Path
) -> None:
    async with worker(server, tmp_path, "numbers", tasks=3) as ours:
        for uid in ("a", "b", "c"):
            await ours.give(uid)
        records = [await ours.record(uid) for uid in ("a", "b", "c")]
        ended = await ours.ended()
        assert ended.code == 0
        assert len({record["result"]["value"] for record in records} | {ours.process.pid}) == 4
        assert {record["podUID"] for record in records} == {"pod-1"}
        assert (await ours.read(claim_key("team", "a", 1)))["podUID"] == "pod-1"


async def test_each_line_says_whose_it_is(server: NatsServer, tmp_path: Path) -> None:
    async with worker(server, tmp_path, "numbers", tasks=2) as ours:
        for uid in ("a", "b"):
            await ours.give(uid)
        ended = await ours.ended()
        for uid in ("a", "b"):
            tag = line_tag(uid, 1)
            lines = [line.removeprefix(tag) for line in ended.output.splitlines() if line.startswith(tag)]
            assert sorted(lines) == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        pytest.param('{"how": 7}', 7, "The process ended with exit code 7", id="it leaves without a word"),
        pytest.param('{"how": -11}', 139, "The process ended with exit code 139", id="it crashes"),
        pytest.param('{"how": -9}', 137, "The process was killed (exit code 137", id="it is killed"),
    ],
)
async def test_a_crash_takes_one_task(server: NatsServer, tmp_path: Path, params: str, code: int, message: str) -> None:
    async with worker(server, tmp_path, "dies") as ours:
        await ours.give("a", params)
        record = await ours.record("a")
        assert (record["failure"], record["exitCode"]) == ("AppError", code)
        assert record["message"].startswith(message)
        await ours.give("b", '{"how": 0}')
        assert "failure" not in await ours.record("b")
        assert (await ours.left()).code == 143


async def test_a_task_that_takes_more_than_its_share_of_memory_is_told_apart(
    server: NatsServer, tmp_path: Path
) -> None:
    limit = {"CELERIAC_MEMORY_LIMIT": str(400_000_000)}
    async with worker(server, tmp_path, "eats", **limit) as ours:
        await ours.give("a", '{"size": 300000000}')
        await ours.give("b", '{"size": 30000000}')
        record = await ours.record("a")
        assert (record["failure"], record["exitCode"]) == ("OOMKilled", 137)
        assert (await ours.record("b"))["result"] == {"value": 30000000}


@pytest.mark.parametrize(
    ("name", "params", "record"),
    [
        pytest.param("add", '{"a": 1}', {"result": {"value": 3}}, id="a result"),
        pytest.param("fails", '{"kind": "value"}', {"failure": "AppError", "exitCode": 1}, id="an exception"),
        pytest.param("fails", '{"kind": "key"}', {"failure": "AppError", "exitCode": 100}, id="the last one"),
        pytest.param("add", "{}", {"failure": "AppError", "exitCode": 101}, id="params that do not fit"),
        pytest.param("mistaken", "{}", {"failure": "ResultInvalid", "exitCode": 103}, id="a result that does not fit"),
        pytest.param("too_late", "{}", {"failure": "RunDeadlineExceeded", "exitCode": 104}, id="the soft deadline"),
        pytest.param("hurries_async", "{}", {"result": {"value": "partial"}}, id="a coroutine with a loop of its own"),
        pytest.param("leaves_a_thread", "{}", {"result": {"value": "done"}}, id="a thread that is left behind"),
    ],
)
async def test_what_a_function_does_is_recorded_as_in_a_pod_of_its_own(
    server: NatsServer, tmp_path: Path, name: str, params: str, record: dict[str, Any]
) -> None:
    async with worker(server, tmp_path, name) as ours:
        await ours.give("a", params)
        found = await ours.record("a")
        assert {key: found.get(key) for key in record} == record


async def test_a_thread_that_is_left_behind_does_not_hold_the_slot(server: NatsServer, tmp_path: Path) -> None:
    async with worker(server, tmp_path, "leaves_a_thread", slots=1) as ours:
        for uid in ("a", "b"):
            await ours.give(uid)
            assert (await ours.record(uid))["result"] == {"value": "done"}


@pytest.mark.parametrize("name", ["waits", "waits_async"])
async def test_the_reason_of_a_stop_reaches_the_function(server: NatsServer, tmp_path: Path, name: str) -> None:
    async with worker(server, tmp_path, name) as ours:
        await ours.give("a", '{"then": "say"}')
        await _printed(ours, "started")
        await ours.tell_to_stop("a", "Cancelled", "no longer needed")
        record = await ours.record("a")
        assert record["result"] == {"value": "Cancelled: no longer needed"}


async def test_a_task_that_is_stopped_ends_for_that_reason(server: NatsServer, tmp_path: Path) -> None:
    async with worker(server, tmp_path, "waits") as ours:
        await ours.give("a", '{"then": "raise"}')
        await _printed(ours, "started")
        await ours.tell_to_stop("a", "RunDeadlineExceeded", "It ran longer than runSeconds (5 s)")
        record = await ours.record("a")
        assert (record["failure"], record["exitCode"]) == ("RunDeadlineExceeded", 143)
        assert record["message"] == "It ran longer than runSeconds (5 s) (exit code 143)"


async def test_a_task_that_does_not_listen_is_killed(server: NatsServer, tmp_path: Path) -> None:
    async with worker(server, tmp_path, "waits") as ours:
        await ours.give("a", '{"then": "raise"}')
        await _printed(ours, "started")
        await ours.tell_to_stop("a", "Cancelled", "now", grace=0)
        assert (await ours.record("a"))["exitCode"] in (137, 143)


async def test_what_it_leaves_running_ends_with_it(server: NatsServer, tmp_path: Path) -> None:
    async with worker(server, tmp_path, "leaves_a_process") as ours:
        await ours.give("a", json.dumps({"file": str(tmp_path / "left")}))
        pid = (await ours.record("a"))["result"]["value"]
        async with asyncio.timeout(60):
            while _runs(pid):
                await asyncio.sleep(0.02)


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_what_has_no_slot_waits_and_what_is_told_twice_runs_once(server: NatsServer, tmp_path: Path) -> None:
    async with worker(server, tmp_path, "waits", slots=1, tasks=2) as ours:
        for _ in range(3):
            await ours.give("a", '{"then": "say"}')
        await _printed(ours, "started")
        for _ in range(3):
            await ours.give("b", '{"then": "say"}')
        assert await ours.read(claim_key("team", "b", 1)) is None
        await ours.tell_to_stop("a", "Cancelled", "a")
        assert (await ours.record("a"))["result"]["value"].endswith("a")
        await _printed(ours, "started")
        await ours.tell_to_stop("b", "Cancelled", "b")
        assert (await ours.record("b"))["result"]["value"].endswith("b")
        ended = await ours.ended()
        assert ended.code == 0


async def test_a_task_that_is_stopped_while_it_waits_for_a_slot_never_begins(
    server: NatsServer, tmp_path: Path
) -> None:
    async with worker(server, tmp_path, "waits", slots=1, tasks=2) as ours:
        await ours.give("a", '{"then": "say"}')
        await _printed(ours, "started")
        await ours.give("b", '{"then": "say"}')
        await ours.tell_to_stop("b", "Cancelled", "b")
        await ours.give("c", '{"then": "say"}')
        await ours.tell_to_stop("a", "Cancelled", "a")
        await _printed(ours, "started")
        await ours.tell_to_stop("c", "Cancelled", "c")
        assert (await ours.record("c"))["result"] == {"value": "Cancelled: c"}
        assert (await ours.ended()).code == 0
        assert await ours.read(claim_key("team", "b", 1)) is None


async def test_a_pod_that_ends_stops_its_tasks_and_leaves_their_ends_to_the_pods(
    server: NatsServer, tmp_path: Path
) -> None:
    async with worker(server, tmp_path, "waits") as ours:
        await ours.give("a", '{"then": "raise"}')
        await _printed(ours, "started")
        assert (await ours.left()).code == 143
        assert await ours.read(attempt_key("team", "a", 1)) is None


async def test_a_pod_that_ends_claims_nothing_more(server: NatsServer, tmp_path: Path) -> None:
    """It would be disrupted, where another pod could have it: of its slots one gets free as the pod's tasks end."""
    async with worker(server, tmp_path, "counts", slots=1) as ours:
        await ours.give("a", json.dumps({"directory": str(tmp_path), "gate": True}))
        await _printed(ours, "runs")
        await ours.give("b", json.dumps({"directory": str(tmp_path)}))
        assert (await ours.left()).code == 143
        assert await ours.read(claim_key("team", "b", 1)) is None
    assert runs(tmp_path) == 1


async def test_large_params_results_and_progress_go_through_it(server: NatsServer, tmp_path: Path) -> None:
    async with worker(server, tmp_path, "reports") as ours:
        events: list[Any] = []

        async def heard(message: Any) -> None:
            events.append(json.loads(message.data))

        await ours.client.subscribe("celeriac.events.team.a.Progress", cb=heard)
        await flushed(ours.client)
        await ours.give("a")
        await ours.record("a")
        await flushed(ours.client)
        assert events[-1]["progress"] == 1.0


async def test_a_server_that_is_away_when_a_task_ends_has_its_record_later(server: NatsServer, tmp_path: Path) -> None:
    async with worker(server, tmp_path, "waits") as ours:
        await ours.give("a", '{"then": "say"}')
        await _printed(ours, "started")
        server.kill()
        (forks,) = children(ours.process.pid)
        for pid in children(forks):
            _signal(pid)
        server.start()
        assert (await ours.record("a"))["result"]["value"].startswith("None: SIGTERM")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def runs_one(ours: Worker) -> tuple[int, int]:
    """The process that forks, and that of a task."""
    await ours.give("a", '{"then": "say"}')
    await _printed(ours, "started")
    (forks,) = children(ours.process.pid)
    (task,) = children(forks)
    return forks, task


async def test_a_worker_ends_where_the_process_that_forks_is_killed(server: NatsServer, tmp_path: Path) -> None:
    """It could start no task, and would hear of no end."""
    async with worker(server, tmp_path, "waits") as ours:
        forks, task = await runs_one(ours)
        os.kill(forks, signal.SIGKILL)
        ended = await ours.ended()
        os.kill(task, signal.SIGKILL)  # with the worker a container ends
        assert ended.code == 1
        assert "the process that starts the tasks of this worker has ended" in ended.log


async def test_tasks_end_with_their_worker(server: NatsServer, tmp_path: Path) -> None:
    """Also where no container ends with it."""
    async with worker(server, tmp_path, "waits") as ours:
        forks, task = await runs_one(ours)
        ours.process.kill()
        await ours.ended()
        async with asyncio.timeout(60):
            while _runs(str(task)) or _runs(str(forks)):
                await asyncio.sleep(0.02)


# --- NATS goes at some moment of an attempt ---


def restarts(server: NatsServer) -> None:
    """It comes back with what it had acknowledged."""
    server.kill()
    server.start()


def loses_its_store(server: NatsServer) -> None:
    """It comes back with nothing, as on a volume that goes with its pod."""
    server.kill()
    shutil.rmtree(server.directory / "store")
    server.start()


Goes = Callable[[NatsServer], None]
HOW = pytest.mark.parametrize(
    "goes", [pytest.param(restarts, id="what it had is kept"), pytest.param(loses_its_store, id="what it had is lost")]
)
CLAIM, END = claim_key("team", "a", 1), attempt_key("team", "a", 1)


def fail_once(proxy: NatsProxy, key: str, when: str, fault: Callable[[], None]) -> threading.Event:
    """Have NATS go before that key is written, or once it is stored and its writer has not heard so; set afterwards."""
    began, over = threading.Event(), threading.Event()

    def meant(subject: str) -> bool:
        return not began.is_set() and subject == f"$KV.{RESULTS_BUCKET}.{key}"

    def hook(subject: str) -> None:
        if meant(subject):
            began.set()
            fault()
            over.set()
            raise ConnectionAbortedError

    if when == "before":
        proxy.before = hook
    else:
        proxy.wants_after, proxy.after = meant, hook
    return over


async def bucket_is_there(ours: Worker) -> None:
    """The operator makes it anew where it is gone."""
    async with asyncio.timeout(60):
        while True:
            with suppress(nats.errors.Error):
                await ours.js.create_key_value(bucket=RESULTS_BUCKET, history=1, direct=True)
                return


@HOW
@pytest.mark.parametrize(
    ("key", "when"),
    [
        pytest.param(CLAIM, "before", id="before its claim is stored"),
        pytest.param(CLAIM, "after", id="between its claim and the answer to that"),
        pytest.param(END, "before", id="between its end and the record of that"),
        pytest.param(END, "after", id="between its record and the answer to that"),
    ],
)
async def test_nats_goes_and_the_attempt_runs_once_and_is_recorded(
    server: NatsServer, tmp_path: Path, goes: Goes, key: str, when: str
) -> None:
    with nats_proxy(server.port) as proxy:
        gone = fail_once(proxy, key, when, lambda: goes(server))
        async with worker(server, tmp_path, "counts", url=proxy.url) as ours:
            await ours.give("a", json.dumps({"directory": str(tmp_path)}))
            assert await asyncio.to_thread(gone.wait, 60)
            await bucket_is_there(ours)
            assert (await ours.record("a"))["result"] == {"value": 1}
            assert (await ours.left()).code == 143
    assert runs(tmp_path) == 1


@HOW
async def test_what_runs_is_claimed_again_where_nats_has_lost_that_and_does_not_begin_again(
    server: NatsServer, tmp_path: Path, goes: Goes
) -> None:
    async with worker(server, tmp_path, "counts") as ours:
        params = json.dumps({"directory": str(tmp_path), "gate": True})
        await ours.give("a", params)
        await _printed(ours, "runs")
        claim = await ours.read(CLAIM)
        goes(server)
        await bucket_is_there(ours)
        await ours.ready()
        await ours.give("a", params)
        assert await ours.written(CLAIM) == claim
        (tmp_path / "gate").touch()
        assert (await ours.record("a"))["result"] == {"value": 1}
        assert (await ours.left()).code == 143
    assert runs(tmp_path) == 1


def runs(directory: Path) -> int:
    """How often the function has begun."""
    return len((directory / "runs").read_text().splitlines())


def _signal(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)


async def _printed(ours: Worker, text: str) -> None:
    def read() -> None:
        assert ours.process.stdout is not None
        while text not in (line := ours.process.stdout.readline()):
            assert line, "it has ended"

    async with asyncio.timeout(60):
        await asyncio.to_thread(read)
