"""What the API server's answer means for a message."""

from __future__ import annotations

import pytest

from celeriac.wire.names import REQUEST_DIGEST, SUBMISSION
from celeriac_operator.core.intake.answer import Again, Duplicate, name_taken, pause, refused
from celeriac_operator.core.intake.verdict import Bury

REFUSALS = {
    "an invalid Task never becomes one": (422, "spec.priority: Invalid value", "InvalidTask"),
    "nor one that a rule of its resource refuses, whose words are the dead letter's": (
        422,
        'Task.celeriac.dev "a" is invalid: spec.container.workingDir: Invalid value: "work": must be an absolute path, '
        "such as /work: a container starts in no other",
        "InvalidTask",
    ),
    "nor one with a field that nobody knows": (400, "strict decoding error: unknown field", "InvalidTask"),
    "nor one that is too large": (413, "Request entity too large", "InvalidTask"),
    "a policy's no is final": (403, "ValidatingAdmissionPolicy 'x' denied request: no", "Refused"),
    "a full quota is waited for": (403, 'tasks "a" is forbidden: exceeded quota: tasks, requested: 1', None),
    "a namespace that is going is waited for": (
        403,
        "unable to create new content because it is being terminated",
        None,
    ),
    "a right that the operator lacks is waited for": (403, 'User "x" cannot create resource "tasks" denied', None),
    "a namespace that is gone is waited for": (404, "namespaces not found", None),
    "too many requests pass": (429, "too many requests", None),
    "trouble passes": (500, "etcd is busy", None),
    "trouble without a word passes": (503, "", None),
}


@pytest.mark.parametrize(("status", "message", "reason"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal(status: int, message: str, reason: str | None) -> None:
    found = refused(status, message, 1)
    if reason is None:
        assert isinstance(found, Again)
        assert found.seconds >= 1 and found.why
    else:
        assert isinstance(found, Bury)
        assert (reason, message) == (found.reason, found.message)


def test_tries_are_ever_further_apart_up_to_half_a_minute() -> None:
    assert [1, 2, 4, 8, 16, 30, 30] == [pause(tries) for tries in range(1, 8)]
    assert (1, 30) == (pause(0), pause(10_000))


OURS = {SUBMISSION: "sha256:1", REQUEST_DIGEST: "r"}
TAKEN = {
    "the same message again": (Duplicate, OURS, {SUBMISSION: "sha256:1"}),
    "the same request, which waits from a later time": (
        Duplicate,
        OURS,
        {SUBMISSION: "sha256:2", REQUEST_DIGEST: "r"},
    ),
    "the same request, submitted over the API server": (Duplicate, OURS, {REQUEST_DIGEST: "r"}),
    "another message": (Bury, OURS, {SUBMISSION: "sha256:2", REQUEST_DIGEST: "q"}),
    "another message, neither with a request": (Bury, {SUBMISSION: "sha256:1"}, {SUBMISSION: "sha256:2"}),
    "a Task that came from kubectl": (Bury, OURS, {}),
    "nobody's any more": (Again, OURS, None),
}


@pytest.mark.parametrize(("expected", "ours", "theirs"), TAKEN.values(), ids=TAKEN.keys())
def test_a_name_that_is_taken(
    expected: type[Duplicate | Bury | Again], ours: dict[str, str], theirs: dict[str, str] | None
) -> None:
    assert isinstance(name_taken(ours, theirs), expected)
