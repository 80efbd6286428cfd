"""The Tasks of a CronTask."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from celeriac.api.v1alpha1 import TaskTemplate
from celeriac.cron.run import build_run, manual_name, run_name, slot_of

SLOT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
CRON = {"name": "nightly", "namespace": "media", "uid": "cron-1"}


def template(**metadata: Any) -> TaskTemplate:
    spec = {"container": {"image": "x"}, "params": {"a": None}}
    return TaskTemplate.model_validate({"spec": spec, "metadata": metadata})


def test_the_name_is_the_minute_of_the_slot() -> None:
    assert "nightly-29579130" == run_name("nightly", SLOT)


def test_the_longest_name_is_a_label() -> None:
    assert len(run_name("a" * 50, datetime(2999, 1, 1, tzinfo=UTC))) <= 63
    assert len(manual_name("a" * 50, "x7k2p")) <= 63


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        pytest.param("nightly-29579130", SLOT, id="a slot"),
        pytest.param("nightly-manual-x7k2p", None, id="by hand"),
        pytest.param("nightly-29579130-r1", None, id="a retry by a person"),
        pytest.param("other-29579130", None, id="another CronTask's"),
        pytest.param("nightly-", None, id="no number"),
        pytest.param("nightly-9999999999", None, id="a number beyond all years"),
        pytest.param("nightly-029579130", None, id="a second name for a slot"),
    ],
)
def test_the_slot_is_read_from_the_name(task: str, expected: datetime | None) -> None:
    assert expected == slot_of("nightly", task)


def test_the_task_carries_its_origin_over_the_templates_own_metadata() -> None:
    given = template(
        labels={"team": "a", "celeriac.dev/cron": "forged"},
        annotations={"note": "x", "celeriac.dev/scheduled-time": "forged"},
    )
    manifest = build_run(CRON, given, "nightly-29579130", SLOT)
    meta = manifest["metadata"]

    assert {"team": "a", "celeriac.dev/cron": "nightly"} == meta["labels"]
    assert {"note": "x", "celeriac.dev/scheduled-time": "2026-03-29T01:30:00Z"} == meta["annotations"]
    assert [("CronTask", "nightly", "cron-1", True)] == [
        (owner["kind"], owner["name"], owner["uid"], owner["controller"]) for owner in meta["ownerReferences"]
    ]
    assert {"container": {"image": "x"}, "params": {"a": None}} == manifest["spec"]


def test_a_run_never_says_that_it_came_by_message() -> None:
    """The admission policy lets the operator say so, and the operator makes what the template's author has written."""
    marks = ("submission", "submit-time", "definition-digest")
    given = template(annotations={f"celeriac.dev/{mark}": "sha256:0" for mark in marks})

    assert {} == build_run(CRON, given, "nightly-manual-x7k2p", None)["metadata"]["annotations"]


def test_a_template_without_metadata_is_enough() -> None:
    bare = TaskTemplate.model_validate({"spec": {"container": {"image": "x"}}})

    assert {"celeriac.dev/cron": "nightly"} == build_run(CRON, bare, "n", None)["metadata"]["labels"]
    assert {} == build_run(CRON, bare, "n", None)["metadata"]["annotations"]


def test_a_backfill_says_so() -> None:
    annotations = build_run(CRON, template(), "n", SLOT, backfill=True)["metadata"]["annotations"]

    assert "true" == annotations["celeriac.dev/backfill"]
