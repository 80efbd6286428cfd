"""The reconciler with the operator's own cache, observe and apply, on the simulated cluster."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.clock import Clock
from tests.support.cluster import NAMESPACE, NEWS_OF_A_LOST_NODE, Cluster
from tests.support.crash import Fault
from tests.support.objects import Raw
from tests.support.process import Process

from celeriac.api.v1alpha1 import Cancel
from celeriac_operator.core.facts import Key
from celeriac_operator.kube.api import ApiError
from celeriac_operator.watch import WATCHED

TASK = "resize-42"
KEY = Key(NAMESPACE, TASK)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(Clock())


def submit(cluster: Cluster, **spec: Any) -> None:
    cluster.add("tasks", {"metadata": {"name": TASK}, "spec": {"container": {"image": "x"}, **spec}})


def hear_all(process: Process) -> None:
    for kind in WATCHED:
        process.hear(kind)
    process.work_off()


def status(cluster: Cluster) -> Raw:
    return (cluster.get("tasks", TASK) or {}).get("status") or {}


def pod(cluster: Cluster) -> Raw:
    (found,) = cluster.all("pods")
    return found


def begun(cluster: Cluster) -> Process:
    """An operator that has seen the Task's process begin."""
    process = Process(cluster)
    submit(cluster)
    hear_all(process)
    cluster.run_controllers()
    cluster.kubelet(pod(cluster), "starts")
    hear_all(process)
    return process


def test_a_task_that_does_not_wait_costs_three_writes(cluster: Cluster) -> None:
    process = Process(cluster)
    submit(cluster)
    hear_all(process)
    cluster.run_controllers()
    hear_all(process)
    cluster.kubelet(pod(cluster), "starts")
    hear_all(process)
    cluster.clock.advance(5)
    process.work_off()
    assert status(cluster)["phase"] == "Running"
    cluster.kubelet(pod(cluster), "exits", 0, '{"size": 3}')
    hear_all(process)
    cluster.run_controllers()
    hear_all(process)

    assert status(cluster)["result"] == {"value": {"size": 3}}
    assert cluster.writes == {"create jobs": 1, "status tasks": 2}


def test_a_pod_that_begins_as_it_should_is_no_reason_to_look_at_its_task(cluster: Cluster) -> None:
    process = Process(cluster)
    submit(cluster)
    hear_all(process)
    cluster.run_controllers()
    process.hear("pods")

    assert process.cache.pods.entries
    assert not process.queue.ready


def test_a_pod_that_begins_is_looked_at_where_its_task_is_to_end(cluster: Cluster) -> None:
    process = Process(cluster)
    submit(cluster)
    hear_all(process)
    cluster.run_controllers()
    task = process.cache.tasks.entries[KEY]
    task.facts = replace(task.facts, spec=task.facts.spec.model_copy(update={"cancel": Cancel(reason="enough")}))
    process.hear("pods")

    assert {KEY: None} == process.queue.ready


def test_a_second_pod_of_a_job_is_looked_at_at_once(cluster: Cluster) -> None:
    process = Process(cluster)
    submit(cluster)
    hear_all(process)
    cluster.run_controllers()
    process.hear("pods")
    first = pod(cluster)
    second = {**first, "metadata": {**first["metadata"], "name": "another", "uid": "another"}}
    cluster.add("pods", second)
    process.hear("pods")

    assert {KEY: None} == process.queue.ready


def test_after_a_write_nothing_is_observed_anew_where_nothing_is_left_to_do(cluster: Cluster) -> None:
    process = Process(cluster)
    submit(cluster)
    process.hear("tasks")
    assert process.work()
    assert {"create jobs": 1} == cluster.writes
    assert not process.queue.ready
    assert KEY in process.queue.timers


def test_what_a_task_waited_for_is_no_reason_to_look_at_it_once_it_has_ended(cluster: Cluster) -> None:
    """Each look costs as much as any other, and a worker's task waits twice before it runs."""
    process = Process(cluster)
    submit(cluster, ttlSecondsAfterFinished=7200)
    hear_all(process)
    cluster.run_controllers()
    cluster.kubelet(pod(cluster), "starts")
    cluster.kubelet(pod(cluster), "exits", 0, "1")
    hear_all(process)

    assert status(cluster)["phase"] == "Succeeded"
    assert process.queue.timers == {KEY: cluster.clock() + timedelta(hours=2)}


def test_a_task_that_is_created_again_starts_anew(cluster: Cluster) -> None:
    """What was remembered of the first one (a refusal, an error) is not the second one's, also unseen in between."""
    process = Process(cluster)
    submit(cluster)
    cluster.quota_on_jobs = True
    process.hear("tasks")
    process.work_off()
    cluster.clock.advance(1)
    cluster.quota_on_jobs = False
    cluster.remove("tasks", TASK)
    submit(cluster)
    process.hear("tasks")
    process.work_off()

    assert cluster.writes["create jobs"] == 1


def test_an_error_of_a_task_is_not_its_successors(cluster: Cluster) -> None:
    process = Process(cluster)
    submit(cluster)
    process.hear("tasks")
    process.work_off()
    process.reconciler.failed(KEY, RuntimeError("a bug"), 5)
    cluster.remove("tasks", TASK)
    submit(cluster)
    process.hear("tasks")
    process.work_off()

    assert status(cluster).get("reason") != "InternalError"
    assert cluster.writes["create jobs"] == 2


def test_a_task_that_makes_the_operator_raise_is_marked_and_its_pod_stopped(cluster: Cluster) -> None:
    process = begun(cluster)
    process.reconciler.failed(KEY, RuntimeError("a bug"), 5)
    process.queue.add(KEY)
    hear_all(process)

    assert status(cluster)["reason"] == "InternalError"
    assert "deletionTimestamp" in pod(cluster)["metadata"]


def test_in_a_backlog_of_the_job_controller_nothing_is_listed_and_its_job_is_asked_ever_less_often(
    cluster: Cluster,
) -> None:
    """A list costs the API server as much as there is; of each of thousands of waiting Tasks, that is their square."""
    process = Process(cluster)
    submit(cluster)
    hear_all(process)
    process.kube.lists.clear()
    for _ in range(100):
        cluster.clock.advance(1)
        hear_all(process)

    assert status(cluster)["phase"] == "Starting"
    assert process.kube.lists == {}
    assert process.kube.gets["jobs"] <= 6

    cluster.quota_on_pods = True
    cluster.run_controllers()
    cluster.clock.advance(100)
    hear_all(process)
    assert (status(cluster)["phase"], status(cluster)["reason"]) == ("Queued", "QuotaExceeded")


def test_a_quota_is_waited_for_and_then_the_pod_has_all_of_its_time(cluster: Cluster) -> None:
    process = Process(cluster)
    submit(cluster)
    hear_all(process)
    cluster.quota_on_pods = True
    for _ in range(100):
        cluster.run_controllers()
        cluster.clock.advance(5)
        hear_all(process)
    assert (status(cluster)["phase"], status(cluster)["reason"]) == ("Queued", "QuotaExceeded")
    assert cluster.writes["status tasks"] == 1
    assert status(cluster)["attemptCount"] == 0

    cluster.quota_on_pods = False
    cluster.run_controllers()
    hear_all(process)
    cluster.clock.advance(200)
    hear_all(process)
    cluster.kubelet(pod(cluster), "starts")
    hear_all(process)
    cluster.clock.advance(2)
    process.work_off()
    assert status(cluster)["phase"] == "Running"


def test_a_result_is_read_though_the_watch_of_pods_is_far_behind(cluster: Cluster) -> None:
    """The Job says Complete before its pod was ever seen."""
    process = Process(cluster)
    submit(cluster)
    hear_all(process)
    cluster.run_controllers()
    cluster.kubelet(pod(cluster), "starts")
    cluster.kubelet(pod(cluster), "exits", 0, "7")
    cluster.run_controllers()
    cluster.clock.advance(5)
    process.work_off()
    hear_all(process)

    assert status(cluster)["result"] == {"value": 7}


@pytest.mark.parametrize(("heard", "failure"), NEWS_OF_A_LOST_NODE.values(), ids=NEWS_OF_A_LOST_NODE)
def test_a_pod_goes_with_its_node_and_the_operator_hears(cluster: Cluster, heard: int, failure: str) -> None:
    process = begun(cluster)
    cluster.clock.advance(5)
    process.work_off()
    cluster.lose(pod(cluster))
    process.hear("pods", heard)
    process.work_off()

    assert [each["failure"] for each in status(cluster)["attempts"]] == [failure]


def test_a_task_that_has_its_definitions_name_is_found_at_the_start(cluster: Cluster) -> None:
    cluster.add("taskdefinitions", {"metadata": {"name": TASK}, "spec": {"container": {"image": "x"}}})
    cluster.add("tasks", {"metadata": {"name": TASK}, "spec": {"definitionName": TASK}})
    Process(cluster).work_off()

    assert cluster.writes["create jobs"] == 1


def test_a_job_of_a_user_with_our_label_does_not_keep_the_operator_from_starting(cluster: Cluster) -> None:
    labels = {"app.kubernetes.io/managed-by": "celeriac", "celeriac.dev/attempt": "x"}
    meta = {"name": "theirs", "labels": labels, "annotations": {"celeriac.dev/accepted": "{"}}
    cluster.add("jobs", {"metadata": meta, "spec": {}, "status": {"conditions": [{"type": "X", "status": "True"}]}})
    submit(cluster)
    process = Process(cluster)
    process.work_off()

    assert cluster.writes["create jobs"] == 1


MESSAGE = {"celeriac.dev/submission": "sha256:mine"}


def submit_by_message(cluster: Cluster, up: bool = True, **spec: Any) -> None:
    cluster.bucket.enabled, cluster.bucket.up = True, up
    meta = {"name": TASK, "annotations": MESSAGE}
    cluster.add("tasks", {"metadata": meta, "spec": {"container": {"image": "x"}, **spec}})


def record(cluster: Cluster) -> Raw:
    return cluster.bucket.read(f"{NAMESPACE}.{TASK}") or {}


def test_a_task_that_came_by_message_costs_one_record_more_and_one_look_up(cluster: Cluster) -> None:
    submit_by_message(cluster)
    process = Process(cluster)
    process.work_off()
    cluster.run_controllers()
    cluster.kubelet(pod(cluster), "starts")
    cluster.kubelet(pod(cluster), "exits", 0, "7")
    hear_all(process)
    assert cluster.writes == {"create jobs": 1, "create record": 1, "status tasks": 1}
    assert cluster.bucket.gets == 1
    assert (record(cluster)["outcome"], record(cluster)["result"]) == ("Succeeded", {"value": 7})


def test_a_plain_task_asks_nats_nothing_and_tells_it_nothing(cluster: Cluster) -> None:
    cluster.bucket.enabled = True
    process = Process(cluster)
    submit(cluster)
    hear_all(process)
    cluster.run_controllers()
    cluster.kubelet(pod(cluster), "starts")
    cluster.kubelet(pod(cluster), "exits", 0, "7")
    hear_all(process)
    assert (cluster.bucket.gets, cluster.bucket.entries) == (0, {})


def test_a_task_that_is_deleted_before_it_has_finished_leaves_a_record(cluster: Cluster) -> None:
    submit_by_message(cluster)
    process = Process(cluster)
    process.work_off()
    cluster.remove("tasks", TASK)
    hear_all(process)
    assert (record(cluster)["outcome"], record(cluster)["message"]) == (
        "Cancelled",
        "Its Task was deleted before it had finished",
    )


def test_the_history_tells_of_each_task_that_is_deleted_before_it_has_finished(cluster: Cluster) -> None:
    """Or an audit could not tell it from one that was lost with a part of etcd."""
    submit(cluster)
    process = Process(cluster)
    hear_all(process)
    cluster.remove("tasks", TASK)
    hear_all(process)
    hear_all(process)
    assert [entry for entry in cluster.history if entry[2] == "Deleted"] == [(TASK, "Cancelled", "Deleted")]


def test_the_history_of_a_finished_task_ends_with_its_end_though_it_is_deleted(cluster: Cluster) -> None:
    submit(cluster, cancel={"reason": "no longer needed"})
    process = Process(cluster)
    hear_all(process)
    cluster.remove("tasks", TASK)
    hear_all(process)
    assert [entry[1:] for entry in cluster.history] == [("Cancelled", "Cancelled")]


def test_a_task_that_took_the_name_of_a_deleted_one_runs(cluster: Cluster) -> None:
    submit_by_message(cluster)
    process = Process(cluster)
    process.work_off()
    cluster.remove("tasks", TASK)
    submit_by_message(cluster)
    hear_all(process)
    assert record(cluster) == {}
    assert cluster.created_jobs.total() == 2


def test_a_deletion_while_nats_is_away_is_recorded_when_it_is_back(cluster: Cluster) -> None:
    submit_by_message(cluster, up=False)
    process = Process(cluster)
    process.work_off()
    cluster.remove("tasks", TASK)
    process.hear("tasks")
    process.work()
    assert record(cluster) == {}
    cluster.bucket.turn(True)
    process.hear_records()
    cluster.clock.advance(60)
    process.work_off()
    assert record(cluster)["outcome"] == "Cancelled"


def test_an_attempt_is_not_started_again_where_the_answer_to_its_status_was_lost(cluster: Cluster) -> None:
    """Somebody has deleted its Job meanwhile, which would else be found when it is created again."""
    submit(cluster, retry={"maxAttempts": 1, "maxDisruptions": 2})
    process = Process(cluster)
    process.work_off()
    cluster.run_controllers()
    cluster.kubelet(pod(cluster), "starts")
    cluster.kubelet(pod(cluster), "evicted", 1)
    cluster.delete_job(cluster.all("jobs")[0]["metadata"]["name"])
    process.hear("pods")
    cluster.faults = [Fault.REPLY_LOST]
    process.work()
    cluster.run_controllers()
    process.hear("pods")
    process.work_off()
    assert (status(cluster)["phase"], cluster.created_jobs.total()) == ("Retrying", 1)


def test_a_deleted_task_is_not_started_again_where_the_answer_to_its_status_was_lost(cluster: Cluster) -> None:
    """Its Job and its pod went with it, and the watch of Tasks has not told."""
    submit(cluster)
    process = Process(cluster)
    process.work_off()
    cluster.run_controllers()
    cluster.kubelet(pod(cluster), "starts")
    cluster.kubelet(pod(cluster), "exits", 1)
    process.hear("pods")
    cluster.faults = [Fault.REPLY_LOST]
    process.work()
    cluster.remove("tasks", TASK)
    for _ in range(2):
        cluster.run_controllers()
    process.hear("pods")
    cluster.clock.advance(5)
    process.work_off()
    assert cluster.created_jobs.total() == 1


def test_a_bucket_that_is_full_is_said_and_how_it_ended_is_not_lost(cluster: Cluster) -> None:
    submit_by_message(cluster)
    process = Process(cluster)
    process.work_off()
    cluster.run_controllers()
    cluster.kubelet(pod(cluster), "starts")
    cluster.kubelet(pod(cluster), "exits", 0, "7")
    cluster.bucket.full = True
    hear_all(process)
    for _ in range(3):
        cluster.clock.advance(60)
        process.work_off()
    found = status(cluster)
    assert ("BusUnavailable", {"value": 7}, 1) == (found["reason"], found["result"], cluster.writes["status tasks"])
    assert record(cluster) == {}
    cluster.remove("pods", pod(cluster)["metadata"]["name"])
    cluster.bucket.full = False
    cluster.clock.advance(60)
    hear_all(process)
    found = status(cluster)
    assert ("Succeeded", {"value": 7}) == (found["reason"], found["result"])
    assert ("Succeeded", {"value": 7}) == (record(cluster)["outcome"], record(cluster)["result"])


def test_a_task_that_makes_the_operator_fail_is_recorded_too(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("a bug")

    submit_by_message(cluster)
    process = Process(cluster)
    monkeypatch.setattr("celeriac_operator.reconcile.decide", fails)
    with pytest.raises(RuntimeError):
        process.work()
    process.reconciler.failed(KEY, RuntimeError("a bug"), 5)
    process.queue.add(KEY)
    process.work()
    assert status(cluster)["reason"] == "InternalError"
    assert record(cluster)["outcome"] == "InternalError"


def test_a_function_that_came_by_no_message_says_that_its_verdict_finds_no_room(cluster: Cluster) -> None:
    cluster.bucket.enabled = True
    submit(cluster, container={"image": "x", "command": ["python", "-m", "celeriac.run", "media:app", "resize"]})
    process = Process(cluster)
    process.work_off()
    cluster.run_controllers()
    cluster.kubelet(pod(cluster), "starts")
    cluster.kubelet(pod(cluster), "exits", 137, "")
    cluster.bucket.full = True
    hear_all(process)
    for _ in range(3):
        cluster.clock.advance(60)
        process.work_off()
    found, writes = status(cluster), cluster.writes["status tasks"]
    assert ("Running", "BusUnavailable", 1) == (found["phase"], found["reason"], writes)
    assert "Attempt 1 is over; its outcome is settled once NATS has room" in found["message"]
    cluster.bucket.full = False
    cluster.clock.advance(60)
    hear_all(process)
    assert ("Failed", "AppError") == (status(cluster)["phase"], status(cluster)["reason"])


@pytest.mark.parametrize(
    ("deadlines", "before", "after"),
    [
        pytest.param({}, 590, 20, id="after ten minutes"),
        pytest.param({"queueSeconds": 60}, 50, 20, id="after queueSeconds"),
    ],
)
def test_a_message_whose_definition_never_comes_ends_and_whoever_waits_is_told(
    cluster: Cluster, deadlines: Raw, before: float, after: float
) -> None:
    cluster.bucket.enabled = True
    spec = {"definitionName": "never", "deadlines": deadlines}
    cluster.add("tasks", {"metadata": {"name": TASK, "annotations": MESSAGE}, "spec": spec})
    process = Process(cluster)
    process.work_off()
    cluster.clock.advance(before)
    process.work_off()
    assert ("Pending", "DefinitionNotFound") == (status(cluster)["phase"], status(cluster)["reason"])
    cluster.clock.advance(after)
    process.work_off()
    assert ("Failed", "DefinitionNotFound") == (status(cluster)["phase"], status(cluster)["reason"])
    assert "DefinitionNotFound" == record(cluster)["outcome"]


def test_a_record_that_no_status_can_tell_ends_its_task_all_the_same(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write records of the namespace has forged it; the API server refuses what it says."""
    submit_by_message(cluster)
    times = {"finishTime": "2026-03-01T12:00:00Z", "expireTime": "2026-03-08T12:00:00Z"}
    forged = {"kind": "Finished", "taskUid": "earlier", "outcome": "Forged", **times}
    cluster.bucket.put(f"{NAMESPACE}.{TASK}", json.dumps(forged).encode())
    process = Process(cluster)
    write = process.kube.write_status

    async def refuses(resource: Any, namespace: str, name: str, version: str, status: Raw) -> Raw:
        if status["reason"] == "Forged":
            raise ApiError(422, "Invalid", "status: must be another")
        return await write(resource, namespace, name, version, status)

    monkeypatch.setattr(process.kube, "write_status", refuses)
    for _ in range(20):
        cluster.clock.advance(60)
        process.work_off()
    assert ("InternalError", []) == (status(cluster).get("reason"), cluster.all("jobs"))


def test_a_runner_that_was_first_decides_though_the_operator_had_not_heard_of_it(cluster: Cluster) -> None:
    """Its process was killed while it exited, and the news of its record are late: the verdict meets the record."""
    command = ["python", "-m", "celeriac.run", "media:app", "resize"]
    submit_by_message(cluster, container={"image": "x", "command": command})
    process = Process(cluster)
    process.work_off()
    cluster.run_controllers()
    hear_all(process)
    cluster.kubelet(pod(cluster), "starts")
    hear_all(process)
    uid = (cluster.get("tasks", TASK) or {})["metadata"]["uid"]
    success: Raw = {"author": "Runner", "taskUid": uid, "attempt": 1, "podUID": pod(cluster)["metadata"]["uid"]}
    success |= {"result": {"value": 7}, "finishTime": "2026-03-01T12:00:00Z"}
    cluster.bucket.put(f"{NAMESPACE}.{uid}.1", json.dumps(success).encode())
    cluster.kubelet(pod(cluster), "exits", 137, "")
    hear_all(process)
    assert (status(cluster)["phase"], status(cluster)["result"]) == ("Succeeded", {"value": 7})
    assert (record(cluster)["outcome"], record(cluster)["result"]) == ("Succeeded", {"value": 7})


def test_a_record_that_was_written_meanwhile_ends_the_task_as_it_says(cluster: Cluster) -> None:
    submit_by_message(cluster)
    process = Process(cluster)
    process.work_off()
    cluster.run_controllers()
    cluster.kubelet(pod(cluster), "starts")
    cluster.kubelet(pod(cluster), "exits", 1, "")
    times = {"finishTime": "2026-03-01T12:00:00Z", "expireTime": "2026-03-08T12:00:00Z"}
    earlier = {"kind": "Finished", "taskUid": "earlier", "outcome": "Succeeded", "result": {"value": 7}, **times}
    cluster.bucket.put(f"{NAMESPACE}.{TASK}", json.dumps(earlier).encode())
    hear_all(process)
    assert (status(cluster)["phase"], status(cluster)["result"]) == ("Succeeded", {"value": 7})
