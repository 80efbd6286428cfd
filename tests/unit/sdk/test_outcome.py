"""From a finished task to its value or its error."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.sdk.fake_api import condition, finished

from celeriac import errors
from celeriac._outcome import value_of
from celeriac._task import Task, parse_task


def task(status: dict[str, Any], **spec: Any) -> Task:
    meta = {"name": "n", "namespace": "team", "uid": "u", "creationTimestamp": "2026-11-23T10:00:00Z"}
    return parse_task({"metadata": meta, "spec": spec, "status": status})


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(finished("Succeeded", result={"value": {"a": 1}}), {"a": 1}, id="an object"),
        pytest.param(finished("Succeeded", result={"value": None}), None, id="null is a value"),
        pytest.param(finished("Succeeded", result={"value": False}), False, id="false is a value"),
        pytest.param(finished("Succeeded"), None, id="no result at all"),
        pytest.param(
            finished("Succeeded", attempts=[{"number": 1, "jobName": "j", "exitCode": 0}]),
            None,
            id="no result of a process that was seen to end",
        ),
        pytest.param(
            finished("Succeeded", result={"value": 1}, attempts=[{"number": 1, "jobName": "j"}]),
            1,
            id="a result of a process whose end nobody saw",
        ),
        pytest.param(finished("Succeeded", phase="Failed", result={"value": 1}), 1, id="the phase decides nothing"),
    ],
)
def test_value(status: dict[str, Any], expected: Any) -> None:
    assert value_of(task(status)) == expected


@pytest.mark.parametrize(
    ("status", "spec", "expected", "wanted"),
    [
        pytest.param(
            finished("AppError", message="Attempt 1 failed", attempts=[{"number": 1, "jobName": "j", "exitCode": 7}]),
            {},
            errors.TaskFailed,
            r"failed \(AppError, exit code 7\): Attempt 1 failed\. 'celeriac why n -n team'",
            id="a failure with an exit code",
        ),
        pytest.param(finished("NodeLost"), {}, errors.TaskFailed, r"failed \(NodeLost\)", id="a lost node"),
        pytest.param(finished("ResultInvalid"), {}, errors.ResultInvalid, "ResultInvalid", id="an invalid result"),
        pytest.param(
            finished("Cancelled"),
            {"cancel": {"reason": "enough"}},
            errors.TaskCancelled,
            "cancelled: enough",
            id="cancelled",
        ),
        pytest.param(
            finished("Cancelled"), {}, errors.TaskCancelled, "no reason was given", id="cancelled for no reason"
        ),
        pytest.param(finished("Expired"), {}, errors.TaskExpired, "longer queueSeconds", id="expired"),
        pytest.param(
            finished(
                "DefinitionNotFound", message="TaskDefinition d is not in namespace team, and 10 minutes have passed"
            ),
            {},
            errors.UnknownDefinition,
            r"team/n cannot run: TaskDefinition d is not in .* passed\. Apply .*, and run 'celeriac retry n -n team'",
            id="a definition that did not come, which the operator names",
        ),
        pytest.param(
            finished("InvalidParams", message="a: no"), {}, errors.InvalidParams, "a: no", id="invalid params"
        ),
        pytest.param(
            finished("InlineContainerDenied"),
            {"queueName": "q"},
            errors.InlineContainerDenied,
            "spec.inlineContainers of TaskQueue q",
            id="a container that the queue does not take",
        ),
        pytest.param(
            finished(
                "Succeeded",
                message="Attempt 1 succeeded, but its pod was deleted before its result was read",
                attempts=[{"number": 1, "jobName": "j"}],
            ),
            {},
            errors.ResultInvalid,
            "what it returned, if anything, is lost: Attempt 1 succeeded, but its pod was deleted before its result "
            "was read. 'celeriac retry n -n team' runs it again",
            id="a result that nobody read",
        ),
        pytest.param(
            finished("Succeeded", result={"ref": {"bucket": "b", "key": "k", "size": 1, "digest": "d"}}),
            {},
            errors.ResultInvalid,
            "object store",
            id="a result that is kept elsewhere",
        ),
    ],
)
def test_error(status: dict[str, Any], spec: dict[str, Any], expected: type[Exception], wanted: str) -> None:
    with pytest.raises(expected, match=wanted) as caught:
        value_of(task(status, **spec))

    assert type(caught.value) is expected


def test_a_failure_carries_what_is_known_of_it() -> None:
    attempts = [
        {"number": 1, "jobName": "j1", "failure": "OOMKilled", "exitCode": 137},
        {"number": 2, "jobName": "j2", "failure": "AppError", "exitCode": 1, "message": "Traceback: ValueError"},
    ]

    with pytest.raises(errors.TaskFailed) as caught:
        value_of(task(finished("AppError", message="2 attempts failed", attempts=attempts)))

    error = caught.value
    assert (error.failure, error.exit_code, [a.exit_code for a in error.attempts]) == ("AppError", 1, [137, 1])
    assert "The last attempt ended with:\nTraceback: ValueError" in str(error)


def test_the_output_in_the_message_is_said_once() -> None:
    attempts = [{"number": 1, "jobName": "j", "message": "Exit code 1: a\nb"}]

    with pytest.raises(errors.TaskFailed) as caught:
        value_of(task(finished("AppError", message="Attempt 1 failed: Exit code 1: a\nb", attempts=attempts)))

    assert str(caught.value).count("b") - str(caught.value).count("b ") == 1


@pytest.mark.parametrize(
    ("conditions", "done", "succeeded", "outcome"),
    [
        pytest.param([], False, False, None, id="nothing is known"),
        pytest.param([condition("Finished", "False", "Running")], False, False, None, id="not finished"),
        pytest.param([condition("Succeeded", "True", "x")], False, False, None, id="succeeded but not finished"),
        pytest.param(
            [condition("Finished", "True", "Expired")], True, False, "Expired", id="finished, success not said"
        ),
    ],
)
def test_conditions(conditions: list[Any], done: bool, succeeded: bool, outcome: str | None) -> None:
    one = task({"conditions": conditions, "phase": "Succeeded"})

    assert (one.finished, one.succeeded, one.outcome) == (done, succeeded, outcome)
