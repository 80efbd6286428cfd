"""Whoever decided an attempt first: what a record counts for, and what it makes of what is seen."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.builders import TASK_UID, failed_attempt, make_attempt
from tests.support.clock import at

from celeriac.api.v1alpha1 import Attempt, Failure, ObjectRef, Result, Usage
from celeriac.wire.names import PAYLOADS_BUCKET, result_object
from celeriac.wire.records import AttemptRecord, Author
from celeriac_operator.core.attempt_record import counts, decided, ref_problem, verdict
from celeriac_operator.core.outcome import Ended, NotStarted, Outcome, Running, Unclear

BOUND, UNBOUND = make_attempt(pod_uid="pod-1"), make_attempt()


def record(**fields: Any) -> AttemptRecord:
    given = {"author": Author.RUNNER, "task_uid": TASK_UID, "attempt": 1, "pod_uid": "pod-1", "finish_time": at(9)}
    return AttemptRecord(**{**given, **fields})


@pytest.mark.parametrize(
    ("attempt", "found", "expected"),
    [
        pytest.param(BOUND, record(), True, id="a runner's record of the pod that the attempt is bound to counts"),
        pytest.param(BOUND, record(pod_uid="pod-2"), False, id="a record of another pod does not count"),
        pytest.param(BOUND, record(pod_uid=None), False, id="a runner's record of no pod does not count"),
        pytest.param(UNBOUND, record(), True, id="what is recorded first binds an attempt that is not bound yet"),
        pytest.param(BOUND, record(attempt=2), False, id="a record of another attempt does not count"),
        pytest.param(BOUND, record(task_uid="other"), False, id="a record of another task does not count"),
        pytest.param(
            BOUND,
            record(author=Author.OPERATOR, pod_uid=None, failure=Failure.NODE_LOST),
            True,
            id="the operator's verdict counts without a pod",
        ),
    ],
)
def test_which_records_count(attempt: Attempt, found: AttemptRecord, expected: bool) -> None:
    assert expected is counts(found, TASK_UID, attempt)


KILLED = Ended(Failure.POD_DELETED, "Its pod was deleted", 137, at(2), at(11), "")
EXITED = Ended(None, "", 0, at(2), at(11), "7", warning="a process in it was killed")
USAGE = Usage(run_milliseconds=40, cpu_milliseconds=30, memory_bytes=50)
FAILED = record(failure=Failure.APP_ERROR, exit_code=1, message="ValueError: no")
VERDICT = record(author=Author.OPERATOR, failure=Failure.NODE_LOST, message="The node is lost")


@pytest.mark.parametrize(
    ("found", "seen", "expected"),
    [
        pytest.param(
            record(result=Result(value={"a": None}), start_time=at(3)),
            NotStarted(),
            Ended(None, "", None, at(3), at(9), '{"a":null}', lingers=True),
            id="a success counts before its container is seen to start",
        ),
        pytest.param(
            record(result=Result(value=None)),
            Running(at(2)),
            Ended(None, "", None, at(2), at(9), "null", lingers=True),
            id="a success counts while its process goes on, and null is a result",
        ),
        pytest.param(
            record(exit_code=0), KILLED, Ended(None, "", 0, at(2), at(9), ""), id="a success outlives what killed it"
        ),
        pytest.param(
            record(result=Result(value=7)),
            EXITED,
            Ended(None, "", 0, at(2), at(9), "7", warning="a process in it was killed"),
            id="what is to be warned of stays",
        ),
        pytest.param(
            FAILED,
            KILLED,
            Ended(Failure.APP_ERROR, "ValueError: no", 1, at(2), at(9)),
            id="a function that failed by itself has failed, whatever came over its pod then",
        ),
        pytest.param(
            FAILED,
            EXITED,
            Ended(Failure.APP_ERROR, "ValueError: no", 1, at(2), at(9)),
            id="exit code 0 after a recorded failure adds nothing",
        ),
        pytest.param(
            FAILED,
            Running(at(2)),
            Ended(Failure.APP_ERROR, "ValueError: no", 1, at(2), at(9), lingers=True),
            id="a failure whose process goes on lingers",
        ),
        pytest.param(
            record(failure=Failure.APP_ERROR, usage=USAGE),
            KILLED,
            Ended(Failure.APP_ERROR, "", 137, at(2), at(9), usage=USAGE),
            id="what its runner measured is kept, of one that failed too",
        ),
        pytest.param(
            VERDICT,
            EXITED,
            Ended(Failure.NODE_LOST, "The node is lost", 0, at(2), at(9)),
            id="exit code 0 after the operator's verdict adds nothing",
        ),
        pytest.param(
            VERDICT,
            Unclear(),
            Ended(Failure.NODE_LOST, "The node is lost", None, None, at(9)),
            id="nothing is waited for after the operator's verdict",
        ),
    ],
)
def test_what_a_record_makes_of_what_is_seen(found: AttemptRecord, seen: Outcome, expected: Ended) -> None:
    assert expected == decided(found, seen)


def test_a_message_of_a_record_is_cut_and_cannot_drive_a_terminal() -> None:
    text = "ValueError: \x1b[31mno" + "ü" * 2000 + "line 7, in resize"
    ended = decided(record(failure=Failure.APP_ERROR, message=text), Running(at(2)))
    assert len(ended.message.encode()) <= 3072
    assert "\x1b" not in ended.message
    assert ended.message.startswith("ValueError: ")
    assert ended.message.endswith("line 7, in resize")


@pytest.mark.parametrize(
    ("bucket", "key", "fine"),
    [
        pytest.param(PAYLOADS_BUCKET, result_object("media", TASK_UID, 1), True, id="the attempt's own object"),
        pytest.param(PAYLOADS_BUCKET, result_object("media", TASK_UID, 2), False, id="another attempt's"),
        pytest.param(PAYLOADS_BUCKET, result_object("other", TASK_UID, 1), False, id="another namespace's"),
        pytest.param("secrets", result_object("media", TASK_UID, 1), False, id="another bucket's"),
    ],
)
def test_a_result_may_refer_to_the_attempts_own_object_only(bucket: str, key: str, fine: bool) -> None:
    result = Result(ref=ObjectRef(bucket=bucket, key=key, size=3, digest="sha256:0"))
    assert fine is (ref_problem(result, "media", TASK_UID, 1) is None)


def test_a_verdict_says_what_the_status_says() -> None:
    attempt = failed_attempt(failure=Failure.OOM_KILLED, pod_uid="pod-1", exit_code=137)
    found = verdict(TASK_UID, attempt, None)
    assert found is not None
    assert (Author.OPERATOR, "pod-1", Failure.OOM_KILLED, 137, attempt.message) == (
        found.author,
        found.pod_uid,
        found.failure,
        found.exit_code,
        found.message,
    )


def test_an_attempt_that_is_not_over_has_no_verdict() -> None:
    assert verdict(TASK_UID, BOUND, None) is None
