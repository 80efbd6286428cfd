"""A task as its record or its last event tells it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from celeriac import Phase
from celeriac._names import new_name, uuid7
from celeriac._outcome import error_of
from celeriac._records import ends, submitted_at, task_of
from celeriac.api.v1alpha1 import Attempt, Result
from celeriac.wire.events import TaskEvent
from celeriac.wire.records import RecordKind, TaskRecord
from celeriac_operator.core.text import cut as operators_cut

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
EARLIER = datetime(2026, 11, 25, 11, tzinfo=UTC)


def record(outcome: str = "Succeeded", kind: RecordKind = RecordKind.FINISHED, **more: Any) -> TaskRecord:
    return TaskRecord(**({"kind": kind, "outcome": outcome, "finish_time": NOW, "expire_time": NOW} | more))


def event(phase: str = "Running", **more: Any) -> TaskEvent:
    return TaskEvent(**({"time": EARLIER, "task_uid": "u", "phase": phase} | more))


WISH = record("Cancelled", RecordKind.CANCEL_REQUESTED, message="why")


@pytest.mark.parametrize(
    ("record_", "event_", "phase", "outcome"),
    [
        pytest.param(None, None, Phase.BACKLOGGED, None, id="nothing is known: it is in the backlog"),
        pytest.param(None, event(), Phase.RUNNING, None, id="an event tells its phase"),
        pytest.param(None, event("Unheard-of"), Phase.PENDING, None, id="a phase that is not known is left out"),
        pytest.param(None, event("Backlogged"), Phase.PENDING, None, id="a Task cannot be backlogged"),
        pytest.param(None, event("Failed", reason="OOMKilled"), Phase.FAILED, "OOMKilled", id="an event of its end"),
        pytest.param(None, event("Succeeded"), Phase.SUCCEEDED, "Succeeded", id="an end without a reason"),
        pytest.param(record(), event(), Phase.SUCCEEDED, "Succeeded", id="a record counts more than an event"),
        pytest.param(record("Cancelled"), None, Phase.CANCELLED, "Cancelled", id="cancelled"),
        pytest.param(record("Expired"), None, Phase.EXPIRED, "Expired", id="expired"),
        pytest.param(record("NodeLost"), None, Phase.FAILED, "NodeLost", id="any other outcome is a failure"),
        pytest.param(record("Bad", RecordKind.DEAD), None, Phase.FAILED, "Bad", id="a dead letter is a failure"),
        pytest.param(WISH, None, Phase.BACKLOGGED, None, id="a wish to cancel is no end"),
        pytest.param(WISH, event(), Phase.RUNNING, None, id="nor that of a running one"),
    ],
)
def test_task_of(record_: TaskRecord | None, event_: TaskEvent | None, phase: Phase, outcome: str | None) -> None:
    task = task_of("team", "n", record_, event_, NOW)

    assert (phase, outcome, outcome is not None) == (task.phase, task.outcome, task.finished)
    assert (phase is Phase.SUCCEEDED) == task.succeeded


def test_a_backlogged_task_that_is_cancelled_is_said_not_to_run() -> None:
    assert "will not run" in (task_of("team", "n", WISH, None, NOW).status.message or "")


def test_a_record_is_told_whole() -> None:
    attempt = Attempt(number=3, job_name="j", exit_code=2)
    task = task_of(
        "team",
        "n",
        record("AppError", task_uid="u", message="boom", attempts=(attempt,), attempt_count=3, create_time=EARLIER),
        None,
        NOW,
    )

    assert ("u", "boom", (attempt,), 3) == (
        task.uid,
        task.status.message,
        task.status.attempts,
        task.status.attempt_count,
    )
    assert (EARLIER, NOW) == (task.created, task.status.finish_time)


@pytest.mark.parametrize(
    ("record_", "event_"),
    [
        pytest.param(record("InvalidParams", message="spec.params.a: \x1b is wrong"), None, id="its record"),
        pytest.param(
            None, event("Failed", reason="InvalidParams", message="spec.params.a: \x1b is wrong"), id="its event"
        ),
    ],
)
def test_the_conditions_of_an_end_say_why_as_those_of_the_operator_do(
    record_: TaskRecord | None, event_: TaskEvent | None
) -> None:
    conditions = task_of("team", "n", record_, event_, NOW).status.conditions or ()

    assert [("Finished", "True"), ("Succeeded", "False")] == [(each.type, each.status) for each in conditions]
    assert {("InvalidParams", "spec.params.a: \\x1b is wrong")} == {(each.reason, each.message) for each in conditions}


def test_a_result_of_null_is_a_result() -> None:
    task = task_of("team", "n", record(result=Result(value=None)), None, NOW)

    assert Result(value=None) == task.status.result
    assert task_of("team", "n", record(), None, NOW).status.result is None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param("Cancelled: wäy", "wäy", id="the operator's words are not the reason"),
        pytest.param("Cancelled: Cancelled: again", "Cancelled: again", id="unless they are"),
        pytest.param("Cancelled", "", id="no reason"),
        pytest.param("why", "why", id="a record of somebody else's"),
    ],
)
def test_a_record_of_a_cancelled_task_has_the_reason(message: str, reason: str) -> None:
    task = task_of("team", "n", record("Cancelled", message=message), None, NOW)

    assert task.spec.cancel is not None
    assert (reason, message) == (task.spec.cancel.reason, task.status.message)
    assert f"was cancelled: {reason or 'no reason was given'}." in str(error_of(task))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param("why", "why", id="plain words"),
        pytest.param(
            "\x1b[31mred\n\u202eback", "\\x1b[31mred \\u202eback", id="control characters, as the end tells them"
        ),
        pytest.param("x" * 2000, "x" * 1021 + "…", id="too many words, as the operator cuts them"),
    ],
)
@pytest.mark.parametrize("event_", [None, event()], ids=["in the backlog", "under way"])
def test_a_wish_to_cancel_is_in_the_spec_as_the_operator_will_say_it(
    given: str, reason: str, event_: TaskEvent | None
) -> None:
    cancel = task_of("team", "n", WISH.model_copy(update={"message": given}), event_, NOW).spec.cancel

    assert cancel is not None
    assert cancel.reason == reason == operators_cut(given, 1024)


@pytest.mark.parametrize(
    ("record_", "expected"), [(None, False), (WISH, False), (record(), True), (record("X", RecordKind.DEAD), True)]
)
def test_only_an_outcome_ends_a_task(record_: TaskRecord | None, expected: bool) -> None:
    assert expected == ends(record_)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (str(uuid7(1764072000000, bytes(10))), datetime(2025, 11, 25, 12, tzinfo=UTC)),
        ("resize-42", None),
        ("6f2d4f1e-9c1b-4a7e-8f2e-1d2c3b4a5f6e", None),
    ],
    ids=["a name that the client made", "a name of the user's", "a UUID of another version"],
)
def test_a_name_that_was_made_up_says_when(name: str, expected: datetime | None) -> None:
    assert expected == submitted_at(name)


def test_new_names_say_when() -> None:
    assert submitted_at(new_name()) is not None
