"""Queues on a real node: limits that are kept, the order, stops and resumes, quotas that never fit, and restarts."""

import json
from typing import Any

import pytest
from e2e.support.kube import JOBS, QUEUES, TASKS, Obj
from e2e.support.manifests import queue, quota, task
from e2e.support.namespaces import Namespace
from e2e.support.predicates import Predicate, attempt_runs, attempts, condition, finished, gone, reason, status
from e2e.support.release import Release

SLEEPS = "trap 'exit 143' TERM; sleep 300 & wait"
BRIEFLY = "sleep 2"


def queue_status(**wanted: Any) -> Predicate:
    """The TaskQueue's status says so."""
    return Predicate(f"a queue with {wanted}", lambda obj: wanted.items() <= status(obj).items())


def active(wanted_reason: str) -> Predicate:
    """The TaskQueue's condition Active has that reason."""

    def test(obj: Obj | None) -> bool:
        found = [each for each in status(obj).get("conditions", ()) if each["type"] == "Active"]
        return bool(found) and found[0]["reason"] == wanted_reason

    return Predicate(f"a queue that is {wanted_reason}", test)


def set_queue(namespace: Namespace, name: str, **spec: Any) -> None:
    """Change fields of a TaskQueue's spec."""
    namespace.kube.patch(QUEUES, namespace.name, name, {"spec": spec})


def wait_queue(namespace: Namespace, name: str, predicate: Predicate) -> Obj:
    """Wait for something about a TaskQueue."""
    return namespace.kube.wait(QUEUES, namespace.name, name, predicate)


def most_at_once(ended: list[Obj]) -> int:
    """How many attempts were under way at once, at most: from a Job's creation to its attempt's end, whole seconds."""
    spans = [(each["createTime"], each["finishTime"]) for task_obj in ended for each in attempts(task_obj)]
    return max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans)


def test_no_more_run_at_once_than_the_queue_lets(namespace: Namespace) -> None:
    namespace.apply(queue("two", maxConcurrency=2))
    names = [f"limited-{number}" for number in range(6)]
    namespace.submit(*(task(name, BRIEFLY, queueName="two") for name in names))

    ended = [namespace.wait(name) for name in names]

    assert [status(each)["phase"] for each in ended] == ["Succeeded"] * 6
    assert most_at_once(ended) == 2


def test_a_waiting_task_says_why_and_its_position_is_known(namespace: Namespace, release: Release) -> None:
    namespace.apply(queue("one", maxConcurrency=1))
    namespace.submit(task("first", SLEEPS, queueName="one"))
    namespace.wait("first", attempt_runs(1))
    namespace.submit(task("second", queueName="one"))

    waits = namespace.wait("second", reason("QueueFull"))

    assert status(waits)["message"] == "Waiting: queue one is at its limit of 1"
    why = json.loads(release.http_of_leader(f"/api/v1/namespaces/{namespace.name}/tasks/second/why"))
    assert (why["position"], why["reason"]) == (1, "QueueFull")
    wait_queue(namespace, "one", queue_status(running=1, queued=1))


def test_priority_then_age_decides(namespace: Namespace) -> None:
    namespace.apply(queue("one", maxConcurrency=1, stopPolicy="Hold"))
    for name, priority in (("old", 0), ("new", 0), ("urgent", 5)):
        namespace.submit(task(name, BRIEFLY, queueName="one", priority=priority))
        namespace.wait(name, reason("QueueHeld"))
    set_queue(namespace, "one", stopPolicy=None)

    began = {name: status(namespace.wait(name))["startTime"] for name in ("old", "new", "urgent")}

    assert sorted(began, key=lambda name: began[name])[0] == "urgent"
    assert began["old"] <= began["new"]


def test_a_full_key_is_overtaken(namespace: Namespace) -> None:
    namespace.apply(queue("keys", maxConcurrencyPerKey=1))
    namespace.submit(task("first", SLEEPS, queueName="keys", concurrencyKey="user"))
    namespace.wait("first", attempt_runs(1))
    namespace.submit(
        task("same-key", queueName="keys", concurrencyKey="user"),
        task("other-key", queueName="keys", concurrencyKey="other"),
    )

    assert status(namespace.wait("other-key"))["phase"] == "Succeeded"
    namespace.wait("same-key", reason("KeyLimit"))
    namespace.cancel("first")
    assert status(namespace.wait("same-key"))["phase"] == "Succeeded"


def test_a_queue_is_drained_and_goes_on(namespace: Namespace) -> None:
    namespace.apply(queue("media"))
    namespace.submit(task("works", f'[ "$CELERIAC_ATTEMPT" = 1 ] || exit 0; {SLEEPS}', queueName="media"))
    namespace.wait("works", attempt_runs(1))

    set_queue(namespace, "media", stopPolicy="HoldAndDrain", stopReason="upgrade")

    wait_queue(namespace, "media", active("Drained"))
    held = namespace.wait("works", reason("QueueHeld"))
    assert attempts(held)[0]["failure"] == "Preempted"
    assert "media" in attempts(held)[0]["message"]
    set_queue(namespace, "media", stopPolicy=None, stopReason=None)
    ended = namespace.wait("works")
    assert (status(ended)["phase"], status(ended)["disruptionCount"]) == ("Succeeded", 1)


def test_a_task_that_can_never_fit_is_told_and_blocks_nobody(namespace: Namespace) -> None:
    hard = {"requests.cpu": "500m", "limits.memory": "4Gi"}
    namespace.apply(queue("one", maxConcurrency=1), quota("small", **hard))
    large = {"resources": {"requests": {"cpu": "4", "memory": "32Mi"}}}
    namespace.submit(task("large", queueName="one", container_fields=large))
    stuck = Predicate("told that it can never fit", lambda obj: "can never fit" in status(obj).get("message", ""))
    told = namespace.wait("large", stuck)
    namespace.submit(task("small", queueName="one"))

    assert (status(told)["reason"], condition(told, "Stalled")) == ("QuotaExceeded", "True")
    assert status(namespace.wait("small"))["phase"] == "Succeeded"


def test_a_container_where_the_queue_takes_none_fails_at_once(namespace: Namespace) -> None:
    namespace.apply(queue("strict", inlineContainers="Deny"))
    namespace.submit(task("inline", queueName="strict"))

    ended = namespace.wait("inline")

    assert (status(ended)["phase"], status(ended)["reason"]) == ("Failed", "InlineContainerDenied")
    assert "strict" in status(ended)["message"]


@pytest.mark.alone
def test_a_restart_keeps_limits_and_order(namespace: Namespace, release: Release) -> None:
    namespace.apply(queue("one", maxConcurrency=1))
    namespace.submit(task("runs", "sleep 15", queueName="one"))
    namespace.wait("runs", attempt_runs(1))
    namespace.submit(task("low", BRIEFLY, queueName="one"), task("high", BRIEFLY, queueName="one", priority=9))
    for name in ("low", "high"):
        namespace.wait(name, reason("QueueFull"))

    with release.paused():
        pass

    ended = [namespace.wait(name) for name in ("runs", "high", "low")]
    assert most_at_once(ended) == 1
    assert [len(attempts(each)) for each in ended] == [1, 1, 1]
    assert status(ended[1])["startTime"] <= status(ended[2])["startTime"]


def test_a_job_for_kueue_waits_until_it_is_unsuspended(namespace: Namespace) -> None:
    """Kueue is not here: its part, to unsuspend the Job, is done by hand."""
    namespace.apply(queue("kueued", kueueQueueName="team-a"))
    namespace.submit(task("admitted", queueName="kueued", deadlines={"startSeconds": 60}))
    namespace.wait("admitted", reason("KueuePending"))
    (job,) = namespace.jobs_of("admitted")

    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert job["spec"]["suspend"] is True
    namespace.kube.patch(JOBS, namespace.name, job["metadata"]["name"], {"spec": {"suspend": False}})
    assert status(namespace.wait("admitted"))["phase"] == "Succeeded"


def test_a_queue_keeps_as_many_finished_tasks_as_it_says(namespace: Namespace) -> None:
    namespace.apply(queue("brief", historyLimit=1))
    for name in ("old", "new"):
        namespace.submit(task(name, queueName="brief"))
        namespace.wait(name, finished())

    namespace.wait("old", gone())

    assert namespace.kube.get(TASKS, namespace.name, "new") is not None
