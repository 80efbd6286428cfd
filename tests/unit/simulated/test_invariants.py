"""The checker itself: what must be found, and what must not."""

from __future__ import annotations

import pytest
from tests.support.invariants import Buried, Deleted, Fact, JobMade, JobTaken, Made, Recorded, Wrote, violations

DIGEST = "sha256:1"
MADE, JOB, DELETED = Made("u", "a", DIGEST), JobMade("u", 1, "default"), Deleted("u")
BURIED = Buried("a", DIGEST, "s.1", "TooOld")


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        pytest.param([MADE, JOB, BURIED], 1, id="a message that runs is buried"),
        pytest.param([MADE, BURIED, JOB], 1, id="a message that was buried runs"),
        pytest.param([MADE, JOB, BURIED, DELETED], 1, id="its Task is deleted only after it was buried"),
        pytest.param(
            [MADE, DELETED, BURIED, JOB, Made("v", "a", DIGEST), JobMade("v", 1, "q")], 1, id="it comes again"
        ),
        pytest.param([MADE, JOB, DELETED, BURIED], 0, id="its Task is deleted before it was acknowledged"),
        pytest.param([MADE, JOB, Buried("a", DIGEST, "s.1", "NameReused")], 0, id="another copy of it may run"),
        pytest.param([MADE, BURIED], 0, id="its Task has no Job"),
    ],
)
def test_what_was_buried_never_runs(facts: list[Fact], found: int) -> None:
    assert len([each for each in violations(facts) if each.startswith("what_was_buried")]) == found


TOLD = {"attempts": [{"number": 1}]}
TAKEN = JobTaken("u", 1)


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        pytest.param([MADE, JOB, Wrote("u", TOLD), TAKEN, JOB], 1, id="its Job is made again"),
        pytest.param(
            [MADE, JOB, TAKEN, Wrote("u", TOLD), JOB], 1, id="it was deleted before, and its operator heard so"
        ),
        pytest.param(
            [MADE, JOB, Wrote("u", TOLD, given_up=True), TAKEN, JOB], 1, id="it was told before it was deleted"
        ),
        pytest.param(
            [MADE, JOB, TAKEN, Wrote("u", TOLD, given_up=True), JOB], 0, id="nobody waits to hear of the write"
        ),
        pytest.param(
            [MADE, JOB, TAKEN, Wrote("u", TOLD, given_up=True), Wrote("u", TOLD), JOB], 1, id="it is written once more"
        ),
    ],
)
def test_a_recorded_attempt_gets_no_job(facts: list[Fact], found: int) -> None:
    assert len([each for each in violations(facts) if each.startswith("a_recorded_attempt")]) == found


ENDED, FAILED = {"author": "Runner", "exitCode": 0}, {"author": "Operator", "failure": "PodDeleted"}
FINISHED, DEAD = {"kind": "Finished", "outcome": "Succeeded"}, {"kind": "Dead", "outcome": "TooOld"}


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        pytest.param([Recorded("t.u.1", ENDED), Recorded("t.u.1", FAILED)], 1, id="an attempt's record is replaced"),
        pytest.param([Recorded("t.u.1", ENDED), Recorded("t.u.1", ENDED)], 0, id="it is written once more as it was"),
        pytest.param([Recorded("t.u.1", ENDED), Recorded("t.u.2", FAILED)], 0, id="the next attempt ends otherwise"),
        pytest.param([Recorded("t.a", FINISHED), Recorded("t.a", DEAD)], 1, id="a task's end is replaced"),
        pytest.param(
            [Recorded("t.a", DEAD), Recorded("t.a", FINISHED)], 0, id="what was buried is sent again, and runs"
        ),
    ],
)
def test_what_is_recorded_stays(facts: list[Fact], found: int) -> None:
    assert len([each for each in violations(facts) if each.startswith("what_is_recorded")]) == found
