"""The checker itself: what must be found, and what must not."""

from __future__ import annotations

import pytest
from tests.support.invariants import Buried, Deleted, Fact, JobMade, Made, violations

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
