"""The runner without NATS: real processes, their exit codes and what they leave as termination messages."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.runner import Runner


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.mark.parametrize(
    ("task", "params", "code", "message"),
    [
        pytest.param("add", '{"a": 1}', 0, "3", id="a default that was not sent is the function's"),
        pytest.param(
            "later",
            '{"when": "2026-01-01T00:00:00Z", "path": "/x"}',
            0,
            '"2026-01-01T00:00:00Z"',
            id="an asynchronous function, and types that JSON has not",
        ),
        pytest.param("nothing", "{}", 0, "null", id="None is null"),
        pytest.param("large", '{"size": 4093}', 0, '"' + "x" * 4093 + '"', id="a result of 4,095 bytes"),
        pytest.param("hurries", "{}", 0, '"partial"', id="the soft deadline is an exception"),
        pytest.param("hurries_async", "{}", 0, '"partial"', id="and in a coroutine, in a task group too"),
        pytest.param("leaves_a_thread", "{}", 0, '"done"', id="a thread that is left behind does not hold the slot"),
    ],
)
def test_success(runner: Runner, task: str, params: str, code: int, message: str) -> None:
    ended = runner.run(task, params)
    assert (code, message) == (ended.code, ended.message), ended.log


@pytest.mark.parametrize(
    ("task", "params", "code", "begins"),
    [
        pytest.param("fails", '{"kind": "value"}', 1, "ValueError: broken value", id="it raised, and may run again"),
        pytest.param("fails", '{"kind": "key"}', 100, "KeyError: 'broken key'", id="it raised what ends it"),
        pytest.param(
            "fails_without_a_log", '{"how": "closed"}', 100, "KeyError: 'broken'", id="it closed the streams before"
        ),
        pytest.param(
            "fails_without_a_log", '{"how": "none"}', 100, "KeyError: 'broken'", id="it took the streams away"
        ),
        pytest.param("fails_without_a_log", '{"how": "odd"}', 100, "KeyError: 'broken'", id="its streams are none"),
        pytest.param(
            "takes_what_breaks", '{"value": 1}', 100, "KeyError: 'validator'", id="a validator of a param broke"
        ),
        pytest.param("returns_what_breaks", "{}", 100, "KeyError: 'validator'", id="a validator of the result broke"),
        pytest.param(
            "returns_itself", "{}", 103, "ResultInvalid: result: it holds itself", id="a result without an end"
        ),
        pytest.param("leaves", '{"code": 7}', 7, "SystemExit: 7", id="its own exit code is kept"),
        pytest.param("leaves", '{"code": 0}', 1, "SystemExit: 0", id="leaving is never success"),
        pytest.param("leaves", '{"code": 101}', 1, "SystemExit: 101", id="the runner's codes are not the function's"),
        pytest.param(
            "add", '{"a": "secret"}', 101, "InvalidParams: t.add: invalid params: a:", id="params of a wrong type"
        ),
        pytest.param("add", '{"a": 1, "c": 2}', 101, "InvalidParams: t.add: invalid params: c:", id="a param too many"),
        pytest.param("add", "{}", 101, "InvalidParams: t.add: invalid params: a:", id="a param that is missing"),
        pytest.param("mistaken", "{}", 103, "ResultInvalid: result: ", id="a result of a wrong type"),
        pytest.param(
            "large", '{"size": 4094}', 103, "ResultInvalid: result: 4,096 bytes", id="a result of 4,096 bytes"
        ),
        pytest.param(
            "too_late",
            "{}",
            104,
            "celeriac.app.interruptions.SoftDeadlineExceeded",
            id="a soft deadline that nobody caught",
        ),
        pytest.param("too_late_async", "{}", 104, "BaseExceptionGroup", id="a soft deadline in a task group"),
        pytest.param("unknown", "{}", 100, "mod:app has no task t.unknown; it has t.add,", id="no such task"),
    ],
)
def test_failure(runner: Runner, task: str, params: str, code: int, begins: str) -> None:
    ended = runner.run(task, params)
    assert code == ended.code, ended.log
    assert ended.message is not None
    assert begins == ended.message[: len(begins)]
    assert len(ended.message.encode()) <= 4095
    assert "secret" not in ended.message + ended.log


def test_the_traceback_is_the_functions_own_and_comes_after_its_output(runner: Runner) -> None:
    ended = runner.run("fails", '{"kind": "value"}')
    assert ended.message is not None
    assert ended.log.strip() in ended.message
    assert "mod.py" in ended.log
    assert "celeriac/run" not in ended.log


def test_what_the_function_printed_is_flushed(runner: Runner) -> None:
    assert "said\n" == runner.run("nothing").output


@pytest.mark.parametrize(
    ("task", "then", "code", "message"),
    [
        pytest.param("waits", "raise", 143, "CancelRequested: SIGTERM", id="it ends by the exception"),
        pytest.param("waits_async", "raise", 143, "CancelRequested: SIGTERM", id="a coroutine too"),
        pytest.param("waits", "break", 143, "OSError: the connection", id="another error after SIGTERM is not its own"),
        pytest.param("waits", "return", 0, "None: SIGTERM", id="what it returns then is its result"),
        pytest.param("waits_async", "return", 0, "None: SIGTERM", id="of a coroutine too"),
    ],
)
def test_sigterm_is_an_exception(runner: Runner, task: str, then: str, code: int, message: str) -> None:
    process = runner.begun(task, json.dumps({"then": then}))
    process.send_signal(signal.SIGTERM)
    ended = runner.end(process)
    assert code == ended.code, ended.log
    assert message in (ended.message or "")


def test_the_context(runner: Runner) -> None:
    deadline = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = {"TASK": "x", "NAMESPACE": "n", "ATTEMPT": "4", "TASK_UID": "u", "DEADLINE": deadline}
    ended = runner.run("knows", **{f"CELERIAC_{name}": value for name, value in given.items()})
    assert ["x", "n", "4", "u", "True"] == json.loads(ended.message or "")


def test_a_plain_function_by_the_environment(runner: Runner) -> None:
    ended = runner.end(runner.start(CELERIAC_FUNCTION="mod:plain", CELERIAC_PARAMS='{"x": 4}'))
    assert (0, "8") == (ended.code, ended.message), ended.log


def test_without_arguments_it_says_how_it_is_called(runner: Runner) -> None:
    ended = runner.end(runner.start())
    assert 2 == ended.code
    assert ended.log.startswith("usage: ")
