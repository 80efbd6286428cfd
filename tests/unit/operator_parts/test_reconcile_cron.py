"""CronTasks with the operator's own cache, observe and apply, on the simulated cluster."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.clock import T0, Clock
from tests.support.crash import Fault
from tests.support.cron import CRON, clock
from tests.support.cron_cluster import CronCluster, hear, work
from tests.support.process import Process

from celeriac.cron.run import run_name
from celeriac_operator.core.cron.facts import CronKey
from celeriac_operator.kube.api import ApiError
from celeriac_operator.metrics import REGISTRY

KEY = CronKey("media", CRON)


@pytest.fixture
def cluster() -> CronCluster:
    return CronCluster(Clock(T0))


def to(cluster: CronCluster, process: Process, time: str) -> None:
    """Go to that time, and do what is to be done."""
    cluster.clock.now = clock(time)
    hear(process)
    work(process)


def name(time: str) -> str:
    return run_name(CRON, clock(time))


def test_a_run_costs_a_create_and_a_status_write_and_another_when_it_ends(cluster: CronCluster) -> None:
    process = Process(cluster)
    cluster.schedule()
    to(cluster, process, "12:00:01")
    cluster.writes.clear()
    to(cluster, process, "12:05")

    assert {"create tasks": 1, "status crontasks": 1} == cluster.writes
    assert [name("12:05")] == [run["name"] for run in cluster.cron_status["active"]]
    assert ("2026-03-01T12:05:00Z", "2026-03-01T12:10:00Z") == (
        cluster.cron_status["lastScheduleTime"],
        cluster.cron_status["nextScheduleTime"],
    )

    cluster.end(name("12:05"))
    to(cluster, process, "12:06")
    assert {"create tasks": 1, "status crontasks": 2} == cluster.writes
    assert 0 == cluster.cron_status["activeCount"]


@pytest.mark.parametrize("fault", [None, *Fault])
@pytest.mark.parametrize("position", [0, 1])
def test_a_slot_runs_once_whatever_happens_to_its_two_writes(
    cluster: CronCluster, fault: Fault | None, position: int
) -> None:
    process = Process(cluster)
    cluster.schedule()
    to(cluster, process, "12:00:01")
    cluster.faults = [*[None] * position, fault]
    to(cluster, process, "12:05")
    to(cluster, process, "12:05:30")

    assert {name("12:05"): 1} == cluster.runs
    assert "2026-03-01T12:05:00Z" == cluster.cron_status["lastScheduleTime"]


def test_a_new_leader_with_an_old_cache_does_not_run_a_slot_again(cluster: CronCluster) -> None:
    """The Task has come and gone, and the new leader has heard of neither it nor the status."""
    old, new = Process(cluster), Process(cluster)
    cluster.schedule(successfulTasksHistoryLimit=0)
    hear(new)
    work(new)
    to(cluster, old, "12:05")
    cluster.end(name("12:05"))
    to(cluster, old, "12:05:10")
    assert cluster.get("tasks", name("12:05")) is None

    work(new)
    assert {name("12:05"): 1} == cluster.runs


def test_a_new_leader_that_has_not_seen_the_active_run_starts_no_second(cluster: CronCluster) -> None:
    old, new = Process(cluster), Process(cluster)
    cluster.one_at_a_time = True
    cluster.schedule(concurrencyPolicy="Forbid")
    hear(new)
    to(cluster, old, "12:05")
    cluster.clock.now = clock("12:10")
    new.hear("crons")
    work(new)

    assert {name("12:05"): 1} == cluster.runs
    assert 1 == cluster.cron_status["missedRuns"]


def test_replace_cancels_and_starts_when_the_old_run_has_ended(cluster: CronCluster) -> None:
    process = Process(cluster)
    cluster.one_at_a_time = True
    cluster.schedule(concurrencyPolicy="Replace")
    to(cluster, process, "12:05")
    to(cluster, process, "12:10")
    to(cluster, process, "12:10:20")
    old = cluster.get("tasks", name("12:05")) or {}

    assert "Replaced by the next run" in old["spec"]["cancel"]["reason"]
    assert 1 == cluster.writes["merge tasks"]
    cluster.end(name("12:05"), "Cancelled")
    to(cluster, process, "12:10:40")
    assert {name("12:05"): 1, name("12:10"): 1} == cluster.runs


@pytest.mark.parametrize(
    ("refusal", "reason", "accepted", "again"),
    [
        pytest.param(
            ApiError(422, "Invalid", "metadata.labels: Invalid value"),
            *("InvalidTemplate", "False", 300),
            id="a template that is wrong",
        ),
        pytest.param(
            ApiError(403, "Forbidden", "ValidatingAdmissionPolicy 'x' denied request"),
            *("InvalidTemplate", "False", 300),
            id="a template that a policy denies",
        ),
        pytest.param(
            ApiError(403, "Forbidden", "exceeded quota: tasks"), *("QuotaExceeded", "True", 10), id="a full quota"
        ),
        pytest.param(
            ApiError(403, "Forbidden", "the namespace is being terminated"), *("Refused", "True", 30), id="a namespace"
        ),
    ],
)
def test_a_run_that_the_api_server_refuses(
    cluster: CronCluster, refusal: ApiError, reason: str, accepted: str, again: int
) -> None:
    process = Process(cluster)
    cluster.schedule("0 * * * *", catchUp={"policy": "Latest"})
    to(cluster, process, "12:00:01")
    cluster.refusal = refusal
    cluster.writes.clear()
    to(cluster, process, "13:00")
    to(cluster, process, "13:00:01")
    found = {c["type"]: c for c in cluster.cron_status["conditions"]}

    assert (accepted, "True", reason) == (
        found["Accepted"]["status"],
        found["Stalled"]["status"],
        found["Stalled"]["reason"],
    )
    assert refusal.message in found["Stalled"]["message"]
    assert {"status crontasks": 1} == cluster.writes
    assert clock("13:00") + timedelta(seconds=again) == process.queue.timers[KEY]
    cluster.refusal = None
    cluster.clock.now = clock("13:00") + timedelta(seconds=again)
    work(process)
    assert {name("13:00"): 1} == cluster.runs
    assert ["False"] == [c["status"] for c in cluster.cron_status["conditions"] if c["type"] == "Stalled"]


def test_a_template_that_was_corrected_is_tried_at_once(cluster: CronCluster) -> None:
    process = Process(cluster)
    cluster.schedule("0 * * * *")
    to(cluster, process, "12:00:01")
    cluster.refusal = ApiError(422, "Invalid", "no")
    to(cluster, process, "13:00")
    cluster.refusal = None
    cluster.edit("crontasks", CRON, jitterSeconds=0)
    to(cluster, process, "13:00:30")

    assert {name("13:00"): 1} == cluster.runs


def test_another_task_of_the_runs_name_is_not_adopted(cluster: CronCluster) -> None:
    process = Process(cluster)
    cluster.schedule()
    cluster.add("tasks", {"metadata": {"name": name("12:05")}, "spec": {"container": {"image": "x"}}})
    to(cluster, process, "12:05")
    [stalled] = [c for c in cluster.cron_status["conditions"] if c["type"] == "Stalled"]

    assert ("True", "RunNameTaken") == (stalled["status"], stalled["reason"])
    cluster.remove("tasks", name("12:05"))
    to(cluster, process, "12:05:30")
    assert {name("12:05"): 1} == cluster.runs


def test_a_crontask_of_the_same_name_starts_anew(cluster: CronCluster) -> None:
    process = Process(cluster)
    cluster.schedule()
    to(cluster, process, "12:05")
    cluster.remove("crontasks", CRON)
    cluster.remove("tasks", name("12:05"))
    cluster.schedule(catchUp={"policy": "All"})
    to(cluster, process, "12:06")

    assert {name("12:05"): 1} == cluster.runs
    assert "lastScheduleTime" not in cluster.cron_status


def test_a_task_of_the_crontasks_name_is_another_key(cluster: CronCluster) -> None:
    process = Process(cluster)
    cluster.schedule()
    cluster.add("tasks", {"metadata": {"name": CRON}, "spec": {"container": {"image": "x"}}})
    hear(process)

    assert {("media", CRON), KEY} == set(process.queue.ready)


def test_a_crontask_that_makes_the_operator_raise_is_marked_until_it_is_changed(cluster: CronCluster) -> None:
    process = Process(cluster)
    cluster.schedule()
    to(cluster, process, "12:00:01")
    process.reconciler.failed(KEY, RuntimeError("a bug"), 5)
    process.queue.add(KEY)
    to(cluster, process, "12:05")
    reasons = {c["reason"] for c in cluster.cron_status["conditions"]}

    assert {"InternalError"} == reasons
    assert {} == cluster.runs
    cluster.edit("crontasks", CRON, suspend=False)
    to(cluster, process, "12:05:30")
    assert {name("12:05"): 1} == cluster.runs


def test_a_crontask_that_cannot_be_read_is_left_alone(cluster: CronCluster) -> None:
    process = Process(cluster)
    cluster.add("crontasks", {"metadata": {"name": "odd"}, "spec": {"schedule": 5}})
    cluster.schedule()
    to(cluster, process, "12:05")

    assert {name("12:05"): 1} == cluster.runs


def test_what_became_of_slots_is_measured(cluster: CronCluster) -> None:
    def count(outcome: str) -> float:
        return REGISTRY.get_sample_value("celeriac_cron_runs_total", {"outcome": outcome}) or 0

    before = {outcome: count(outcome) for outcome in ("started", "missed", "skipped")}
    process = Process(cluster)
    cluster.schedule(concurrencyPolicy="Forbid")
    to(cluster, process, "12:05")
    to(cluster, process, "12:10")
    cluster.end(name("12:05"))
    cluster.clock.now += timedelta(minutes=22)
    hear(process)
    work(process)

    assert {"started": 1, "skipped": 1, "missed": 4} == {key: count(key) - old for key, old in before.items()}
