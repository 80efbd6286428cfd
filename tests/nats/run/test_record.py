"""The runner with a real nats-server: what it records, what it does not, and what trouble of NATS makes of it."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError
from tests.support.nats_server import NatsServer, nats_server
from tests.support.runner import Runner

from celeriac import _objects
from celeriac.api.v1alpha1 import Failure
from celeriac.wire.canonical import canonical_json, digest
from celeriac.wire.events import TaskEvent
from celeriac.wire.names import (
    EVENTS_STREAM,
    PAYLOADS_BUCKET,
    RESULTS_BUCKET,
    attempt_key,
    params_object,
    result_object,
    stop_key,
)
from celeriac.wire.records import AttemptRecord, Author, StopNotice
from celeriac_operator.bus.room import Bounds
from celeriac_operator.bus.shared import share

T = TypeVar("T")
KEY = attempt_key("team", "uid-1", 2)
ATTEMPT = {
    "CELERIAC_TASK": "task-1",
    "CELERIAC_NAMESPACE": "team",
    "CELERIAC_ATTEMPT": "2",
    "CELERIAC_TASK_UID": "uid-1",
    "CELERIAC_POD_UID": "pod-1",
}


class Store:
    """The buckets, as the operator makes them."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server

    def do(self, deed: Callable[[JetStreamContext], Coroutine[Any, Any, T]]) -> T:
        """Something with JetStream."""

        async def connected() -> T:
            client = await nats.connect(self._server.url)
            try:
                return await deed(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(connected())

    def record(self) -> AttemptRecord | None:
        """The attempt's record."""

        async def read(js: JetStreamContext) -> AttemptRecord | None:
            try:
                entry = await (await js.key_value(RESULTS_BUCKET)).get(KEY)
            except KeyNotFoundError:
                return None
            return AttemptRecord.model_validate_json(entry.value or b"")

        return self.do(read)

    def put_record(self, record: AttemptRecord) -> None:
        """The attempt's record, written by somebody else."""

        async def write(js: JetStreamContext) -> int:
            return await (await js.key_value(RESULTS_BUCKET)).create(KEY, canonical_json(record.to_wire()))

        self.do(write)

    def put_notice(self, notice: StopNotice) -> None:
        """Why the attempt is being stopped, as the operator says it."""

        async def write(js: JetStreamContext) -> int:
            bucket = await js.key_value(RESULTS_BUCKET)
            return await bucket.create(stop_key("team", "uid-1", 2), canonical_json(notice.to_wire()))

        self.do(write)

    def payload(self, name: str) -> bytes | None:
        """A payload's bytes."""

        async def read(js: JetStreamContext) -> bytes | None:
            return await _objects.get(js, name)

        return self.do(read)

    def put_payload(self, name: str, data: bytes) -> None:
        """A payload."""

        async def write(js: JetStreamContext) -> object:
            return await _objects.put(js, name, data)

        self.do(write)

    def events(self) -> list[TaskEvent]:
        """All events."""

        async def read(js: JetStreamContext) -> list[TaskEvent]:
            state = (await js.stream_info(EVENTS_STREAM)).state
            numbers = range(max(state.first_seq, 1), state.last_seq + 1)
            return [TaskEvent.model_validate_json((await js.get_msg(EVENTS_STREAM, n)).data or b"") for n in numbers]

        return self.do(read)


async def _make(js: JetStreamContext) -> None:
    await share(js, Bounds(), 1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    directory = tmp_path / "nats"
    directory.mkdir()
    with nats_server(directory) as server:
        yield server


@pytest.fixture
def store(server: NatsServer) -> Store:
    store = Store(server)
    store.do(_make)
    return store


@pytest.fixture
def runner(tmp_path: Path, server: NatsServer) -> Runner:
    return Runner(tmp_path, ATTEMPT | {"CELERIAC_NATS_URL": server.url})


def record(author: Author = Author.OPERATOR, **given: Any) -> AttemptRecord:
    base: dict[str, Any] = {"author": author, "task_uid": "uid-1", "attempt": 2, "finish_time": datetime.now(UTC)}
    return AttemptRecord.model_validate(base | given)


CANCELLED = record(failure=Failure.CANCELLED, message="no longer needed")


@pytest.mark.parametrize(
    ("task", "params", "code", "failure", "result"),
    [
        pytest.param("add", '{"a": 1}', 0, None, {"value": 3}, id="a result"),
        pytest.param("nothing", "{}", 0, None, {"value": None}, id="null is a result"),
        pytest.param("fails", '{"kind": "value"}', 1, "AppError", None, id="it raised"),
        pytest.param("fails", '{"kind": "key"}', 100, "AppError", None, id="it raised what ends it"),
        pytest.param("add", "{}", 101, "AppError", None, id="its params do not fit"),
        pytest.param("mistaken", "{}", 103, "ResultInvalid", None, id="its result does not fit"),
        pytest.param("too_late", "{}", 104, "RunDeadlineExceeded", None, id="its soft deadline ended it"),
    ],
)
def test_the_outcome_is_recorded(
    runner: Runner, store: Store, task: str, params: str, code: int, failure: str | None, result: Any
) -> None:
    ended = runner.run(task, params)
    found = store.record()
    assert found is not None, ended.log
    assert (Author.RUNNER, "uid-1", 2, "pod-1") == (found.author, found.task_uid, found.attempt, found.pod_uid)
    assert (code, code, failure) == (ended.code, found.exit_code, found.failure)
    assert result == (found.result.to_wire() if found.result else None)
    assert (ended.message if failure else "") == found.message


def test_a_large_result_goes_to_the_object_store(runner: Runner, store: Store) -> None:
    ended = runner.run("large", '{"size": 300000}')
    found = store.record()
    assert (0, "") == (ended.code, ended.message), ended.log
    assert found is not None and found.result is not None and found.result.ref is not None
    data = store.payload(found.result.ref.key)
    assert canonical_json("x" * 300_000) == data
    assert (result_object("team", "uid-1", 2), 300_002, digest("x" * 300_000), PAYLOADS_BUCKET) == (
        found.result.ref.key,
        found.result.ref.size,
        found.result.ref.digest,
        found.result.ref.bucket,
    )


@pytest.mark.parametrize(
    ("stored", "code"),
    [
        pytest.param({"a": 40}, 0, id="they are what was submitted"),
        pytest.param({"a": 41}, 1, id="they are something else"),
        pytest.param(None, 1, id="they are not there"),
    ],
)
def test_large_params_come_from_the_object_store(
    runner: Runner, store: Store, stored: dict[str, int] | None, code: int
) -> None:
    key, value = params_object("team", digest({"a": 40})), {"a": 40}
    reference = {"bucket": PAYLOADS_BUCKET, "key": key, "size": 8, "digest": digest(value)}
    if stored is not None:
        store.put_payload(key, canonical_json(stored))
    ended = runner.run("add", CELERIAC_PARAMS_REF=json.dumps(reference))
    assert code == ended.code, ended.log
    assert code != 0 or ended.message == "42"


@pytest.mark.parametrize(
    ("existing", "code", "says"),
    [
        pytest.param(CANCELLED, 102, "by the operator (Cancelled)", id="the operator gave the attempt up"),
        pytest.param(record(Author.RUNNER, pod_uid="pod-2"), 102, "by pod pod-2", id="another pod has ended"),
        pytest.param(record(Author.RUNNER, pod_uid="pod-1"), 0, "", id="it was this pod, and the answer was lost"),
    ],
)
@pytest.mark.parametrize(("task", "params"), [("add", '{"a": 1}'), ("large", '{"size": 9000}')])
def test_a_record_is_never_written_over(
    runner: Runner, store: Store, existing: AttemptRecord, code: int, says: str, task: str, params: str
) -> None:
    store.put_record(existing)
    ended = runner.run(task, params)
    assert code == ended.code, ended.log
    assert says in ended.log
    assert existing == store.record()
    assert (ended.message is None) is (code != 0)


def test_a_record_that_was_collected_is_not_written_again(runner: Runner, store: Store) -> None:
    async def collect(js: JetStreamContext) -> bool:
        return await (await js.key_value(RESULTS_BUCKET)).delete(KEY)

    store.put_record(CANCELLED)
    store.do(collect)
    ended = runner.run("add", '{"a": 1}')
    assert 102 == ended.code, ended.log
    assert store.record() is None


@pytest.mark.parametrize("task", ["waits", "waits_async"])
def test_the_reason_of_a_stop_reaches_the_function_and_forbids_nothing(runner: Runner, store: Store, task: str) -> None:
    process = runner.begun(task, '{"then": "return"}')
    store.put_notice(StopNotice(failure=Failure.CANCELLED, message="no longer needed"))
    process.send_signal(signal.SIGTERM)
    ended = runner.end(process)
    assert (0, '"Cancelled: no longer needed"') == (ended.code, ended.message), ended.log
    found = store.record()
    assert found is not None and found.failure is None


@pytest.mark.parametrize("task", ["waits", "waits_async"])
def test_sigterm_gives_the_operators_reason_and_records_nothing(runner: Runner, store: Store, task: str) -> None:
    process = runner.begun(task)
    store.put_record(CANCELLED)
    process.send_signal(signal.SIGTERM)
    ended = runner.end(process)
    assert 143 == ended.code, ended.log
    assert "CancelRequested: no longer needed" in (ended.message or "")
    assert CANCELLED == store.record()


def test_sigterm_without_a_verdict_leaves_the_outcome_to_the_operator(runner: Runner, store: Store) -> None:
    process = runner.begun("waits")
    process.send_signal(signal.SIGTERM)
    assert 143 == runner.end(process).code
    assert store.record() is None


def test_what_it_returns_after_it_was_given_up_does_not_count(runner: Runner, store: Store) -> None:
    process = runner.begun("waits", '{"then": "return"}')
    store.put_record(CANCELLED)
    process.send_signal(signal.SIGTERM)
    ended = runner.end(process)
    assert (102, None) == (ended.code, ended.message), ended.log


def test_what_it_returns_after_sigterm_counts_otherwise(runner: Runner, store: Store) -> None:
    process = runner.begun("waits", '{"then": "return"}')
    process.send_signal(signal.SIGTERM)
    assert 0 == runner.end(process).code
    found = store.record()
    assert found is not None and found.failure is None


def test_progress_is_events_not_too_many_and_the_last_one_always(runner: Runner, store: Store) -> None:
    ended = runner.run("reports")
    assert 0 == ended.code, ended.log
    events = store.events()
    assert 1 <= len(events) <= 5
    last = events[-1]
    assert (1.0, "done", 2, "uid-1") == (last.progress, last.message, last.attempt, last.task_uid)


def test_progress_that_is_made_before_there_is_a_connection_is_told_once_there_is(
    runner: Runner, store: Store, server: NatsServer
) -> None:
    server.pause()
    process = runner.begun("reports")
    server.go_on()
    ended = runner.end(process)
    assert 0 == ended.code, ended.log
    assert ["done"] == [event.message for event in store.events()]


def test_nats_that_is_not_there_costs_seconds_and_no_result(runner: Runner, server: NatsServer) -> None:
    server.stop()
    ended = runner.run("add", '{"a": 1}')
    assert (0, "3") == (ended.code, ended.message), ended.log
    assert "NATS cannot be used" in ended.log


def test_nats_that_hangs_costs_seconds_and_no_result(runner: Runner, store: Store, server: NatsServer) -> None:
    process = runner.begun("gated")
    server.pause()
    ended = runner.end(process, "go\n")
    server.go_on()
    assert (0, '"through"') == (ended.code, ended.message), ended.log


def test_nats_that_was_killed_and_started_again_gets_the_record(
    runner: Runner, store: Store, server: NatsServer
) -> None:
    process = runner.begun("gated")
    server.kill()
    server.start()
    ended = runner.end(process, "go\n")
    assert 0 == ended.code, ended.log
    found = store.record()
    assert found is not None, ended.log
    assert found.result is not None and found.result.value == "through"


def test_buckets_that_are_missing_cost_no_result(runner: Runner, server: NatsServer) -> None:
    ended = runner.run("add", '{"a": 1}')
    assert (0, "3") == (ended.code, ended.message), ended.log


def test_params_and_results_are_in_no_log(runner: Runner, store: Store) -> None:
    ended = runner.run("add", '{"a": 123454321}')
    assert 0 == ended.code
    assert "12345432" not in ended.log + ended.output
