from datetime import UTC, datetime

import pytest

from celeriac.api.v1alpha1 import Failure
from celeriac.api.v1alpha1.task import Attempt, Result
from celeriac.wire.events import TaskEvent
from celeriac.wire.records import AttemptRecord, Author, RecordKind, TaskRecord

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
VALUES = {
    "a task that returned null": TaskRecord(
        kind=RecordKind.FINISHED,
        outcome="Succeeded",
        task_uid="u",
        result=Result(value=None),
        attempts=(Attempt(number=1, job_name="j"),),
        finish_time=NOON,
        expire_time=NOON,
    ),
    "a cancel request": TaskRecord(
        kind=RecordKind.CANCEL_REQUESTED, outcome="Cancelled", message="why", finish_time=NOON, expire_time=NOON
    ),
    "an attempt that raised": AttemptRecord(
        author=Author.RUNNER,
        task_uid="u",
        attempt=1,
        pod_uid="p",
        failure=Failure.APP_ERROR,
        exit_code=1,
        message="ValueError: no",
        finish_time=NOON,
    ),
    "an event": TaskEvent(time=NOON, phase="Running", attempt=1, progress=0.5),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_record_is_read_back_as_it_was_written(value: TaskRecord | AttemptRecord | TaskEvent) -> None:
    assert value == type(value).model_validate(value.to_wire())
