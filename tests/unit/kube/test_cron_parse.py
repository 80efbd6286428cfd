"""A CronTask's JSON as facts, and which news of Tasks wake it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.clock import T0, wire
from tests.support.objects import Raw, owner, raw_task

from celeriac_operator.core.cron.facts import CronKey
from celeriac_operator.core.facts import Key
from celeriac_operator.kube.cache import Cache
from celeriac_operator.kube.parse import controlling_cron, cron_of, task_of

NIGHTLY = CronKey("media", "nightly")
SLOT = "nightly-29539445"
OWNED = {"ownerReferences": [owner("CronTask", "nightly", "cron-1")]}


def raw_cron(*, status: Raw | None = None, **meta: Any) -> Raw:
    """A CronTask."""
    base = {"name": "nightly", "namespace": "media", "uid": "cron-1", "resourceVersion": "7", "generation": 3}
    template = {"spec": {"container": {"image": "x"}}}
    return {
        "metadata": {**base, "creationTimestamp": wire(T0), **meta},
        "spec": {"schedule": "0 2 * * *", "taskTemplate": template, "color": "red"},
        **({"status": status} if status else {}),
    }


def test_a_crontask_that_was_just_created_has_no_status() -> None:
    found = cron_of(raw_cron())

    assert (NIGHTLY, 3, T0, "0 2 * * *") == (found.key, found.generation, found.created, found.spec.schedule)
    assert found.status.decided_time is None
    assert not found.deleting


def test_one_that_is_being_deleted() -> None:
    assert cron_of(raw_cron(deletionTimestamp=wire(T0))).deleting


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        pytest.param([owner("CronTask", "nightly", "cron-1")], NIGHTLY, id="its controller"),
        pytest.param([owner("CronTask", "nightly", "cron-1", controller=False)], None, id="an owner that controls not"),
        pytest.param([owner("Workflow", "nightly", "w-1")], None, id="another kind"),
        pytest.param([], None, id="nobody"),
    ],
)
def test_whose_run_a_task_is(owners: list[Raw], expected: CronKey | None) -> None:
    assert expected == controlling_cron(raw_task(ownerReferences=owners))


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param({"celeriac.dev/backfill": "true"}, True, id="a backfill"),
        pytest.param({"other": "x"}, False, id="another annotation"),
        pytest.param(None, False, id="none"),
    ],
)
def test_whether_a_task_is_a_backfill(annotations: dict[str, str] | None, expected: bool) -> None:
    assert expected == task_of(raw_task(annotations=annotations)).backfill


FINISHED = {"conditions": [{"type": "Finished", "status": "True", "reason": "X", "lastTransitionTime": wire(T0)}]}
STARTED = {"attempts": [{"number": 1, "jobName": "j"}]}


@pytest.mark.parametrize(
    ("status", "meta", "expected"),
    [
        pytest.param(None, OWNED, {Key("media", SLOT), NIGHTLY}, id="a new run"),
        pytest.param(STARTED, OWNED, {Key("media", SLOT)}, id="a run that goes on is no news to its CronTask"),
        pytest.param({**STARTED, **FINISHED}, OWNED, {Key("media", SLOT), NIGHTLY}, id="a run that has ended"),
        pytest.param({**STARTED, **FINISHED}, {}, {Key("media", SLOT)}, id="a Task that is nobody's run"),
    ],
)
def test_what_wakes_a_crontask(status: Raw | None, meta: Raw, expected: set[Key | CronKey]) -> None:
    assert expected == Cache().put("tasks", raw_task(SLOT, status=status, **meta))


def test_a_run_that_is_deleted_wakes_its_crontask() -> None:
    cache = Cache()
    cache.put("tasks", raw_task(SLOT, status=STARTED, **OWNED))

    assert NIGHTLY in cache.drop("tasks", Key("media", SLOT))


def test_a_crontask_wakes_itself_and_a_bad_one_counts_as_not_there() -> None:
    cache = Cache()

    assert {NIGHTLY} == cache.put("crons", raw_cron())
    cache.put("crons", {**raw_cron(resourceVersion="8"), "spec": {"schedule": 5}})
    assert cache.crons.get(Key("media", "nightly")) is None
