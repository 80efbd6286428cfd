"""Names of children."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from tests.support import profiles  # noqa: F401

from celeriac_operator.core.names import attempt_of, job_name, revision_name

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
labels = st.from_regex(LABEL, fullmatch=True).filter(lambda name: len(name) <= 63)


@given(labels, st.uuids(), st.integers(1, 2001))
def test_a_jobs_name_is_a_label_for_every_task_and_knows_its_attempt(task: str, uid: object, attempt: int) -> None:
    name = job_name(task, str(uid), attempt)

    assert LABEL.fullmatch(name)
    assert len(name) <= 63
    assert attempt_of(name) == attempt
    assert name == job_name(task, str(uid), attempt)


def test_the_contracts_own_example() -> None:
    assert re.fullmatch(r"resize-42-[0-9a-f]{6}-a1", job_name("resize-42", "some-uid", 1))


def test_a_task_that_is_created_again_has_other_jobs() -> None:
    assert job_name("a", "uid-1", 1) != job_name("a", "uid-2", 1)


def test_other_names_are_no_attempts() -> None:
    assert [attempt_of(name) for name in ("backup", "backup-a", "backup-ax", "a-a٣", "x-a" + "9" * 40)] == [0] * 5


def test_a_revision_has_eight_characters_of_the_digest() -> None:
    assert revision_name("resize", "3fa1c2d4e5f6") == "resize-3fa1c2d4"
