"""Queues in the running operator, on the simulated cluster: limits, order, stops, restarts, and what they cost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.support.clock import Clock
from tests.support.cluster import NAMESPACE, Cluster
from tests.support.crash import Fault
from tests.support.objects import Raw
from tests.support.process import Process
from tests.support.profiles import examples

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.core.admission.standing import Holds, QueueKey
from celeriac_operator.core.facts import Key
from celeriac_operator.core.intake.stream import UNKNOWN, StreamState
from celeriac_operator.core.names import job_name
from celeriac_operator.watch import WATCHED

DEFAULT = QueueKey(NAMESPACE, "default")


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(Clock())


def queue(cluster: Cluster, name: str = "default", **spec: Any) -> None:
    cluster.add("taskqueues", {"metadata": {"name": name}, "spec": spec})


def submit(cluster: Cluster, name: str, labels: dict[str, str] | None = None, **spec: Any) -> None:
    meta = {"name": name, **({"labels": labels} if labels else {})}
    cluster.add("tasks", {"metadata": meta, "spec": {"container": {"image": "x"}, **spec}})


def settle(process: Process, seconds: float = 0) -> None:
    """Everything is heard and done, and Job controller and kubelet have their turn."""
    process.cluster.clock.advance(seconds)
    for _ in range(4):
        for kind in WATCHED:
            process.hear(kind)
        process.work_off(500)
        process.cluster.run_controllers()
        for pod in process.cluster.all("pods"):
            process.cluster.kubelet(pod, "starts")


def running(cluster: Cluster) -> list[str]:
    """The Tasks whose container runs."""
    pods = [pod for pod in cluster.all("pods") if pod["status"]["phase"] == "Running"]
    return sorted(pod["metadata"]["labels"]["celeriac.dev/task"] for pod in pods)


def end(process: Process, task: str, code: int = 0) -> None:
    (pod,) = [
        pod
        for pod in process.cluster.all("pods")
        if pod["metadata"]["labels"]["celeriac.dev/task"] == task and pod["status"]["phase"] == "Running"
    ]
    process.cluster.kubelet(pod, "exits", code)
    settle(process)


def status(cluster: Cluster, plural: str, name: str) -> Raw:
    return (cluster.get(plural, name) or {}).get("status") or {}


def said(cluster: Cluster, task: str) -> str:
    found = status(cluster, "tasks", task)
    return f"{found.get('phase')}/{found.get('reason')}"


def test_no_more_run_at_once_than_the_queue_lets_and_the_oldest_is_next(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=2)
    process = Process(cluster)
    for name in ("c", "b", "a", "d"):
        submit(cluster, name)
        settle(process, 1)
    assert ["b", "c"] == running(cluster)

    end(process, "c")
    assert ["a", "b"] == running(cluster)


def test_a_waiting_task_says_why_once(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=1)
    process = Process(cluster)
    for name in ("a", "b"):
        submit(cluster, name)
    settle(process)
    assert {} == status(cluster, "tasks", "b")
    for _ in range(20):
        settle(process, 5)

    found = status(cluster, "tasks", "b")
    assert ("Queued", "QueueFull") == (found["phase"], found["reason"])
    assert found["message"] == "Waiting: queue default is at its limit of 1"
    assert cluster.writes["status tasks"] == 2, "a: Running, b: QueueFull"


def test_a_queue_without_limits_costs_nothing(cluster: Cluster) -> None:
    """As many writes and as many reconciles as without any queue."""
    process = Process(cluster)
    submit(cluster, "a")
    process.hear("tasks")
    assert process.work()
    assert cluster.writes == {"create jobs": 1}

    settle(process, 5)
    end(process, "a")
    assert cluster.writes == {"create jobs": 1, "status tasks": 2}


def test_the_operators_defaults_limit_a_queue_that_nobody_declared(cluster: Cluster) -> None:
    process = Process(cluster, queue_defaults=TaskQueueSpec(max_concurrency=1))
    for name in ("a", "b"):
        submit(cluster, name)
    settle(process)
    assert ["a"] == running(cluster)

    queue(cluster)
    settle(process)
    assert ["a", "b"] == running(cluster)


def test_a_queue_that_is_deleted_falls_back_to_the_operators_defaults(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=1)
    process = Process(cluster)
    for name in ("a", "b"):
        submit(cluster, name)
    settle(process)
    cluster.remove("taskqueues", "default")
    settle(process)

    assert ["a", "b"] == running(cluster)


def test_a_new_priority_counts_at_once(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=1)
    process = Process(cluster)
    for name in ("a", "b", "c"):
        submit(cluster, name)
    settle(process, 2)
    cluster.edit("tasks", "c", priority=5)
    settle(process)
    end(process, "a")

    assert ["c"] == running(cluster)


def test_raising_a_limit_counts_at_once(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=1)
    process = Process(cluster)
    for name in ("a", "b", "c"):
        submit(cluster, name)
    settle(process, 2)
    cluster.edit("taskqueues", "default", maxConcurrency=3)
    settle(process)

    assert ["a", "b", "c"] == running(cluster)


def test_a_full_key_is_overtaken(cluster: Cluster) -> None:
    queue(cluster, maxConcurrencyPerKey=1)
    process = Process(cluster)
    for name, key in (("a", "user"), ("b", "user"), ("c", None)):
        submit(cluster, name, **({"concurrencyKey": key} if key else {}))
    settle(process, 2)
    settle(process, 2)

    assert ["a", "c"] == running(cluster)
    assert said(cluster, "b") == "Queued/KeyLimit"


def test_retries_and_suspended_tasks_hold_no_slot(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=1)
    process = Process(cluster)
    backoff = {"initialSeconds": 60, "jitter": "None"}
    submit(cluster, "a", retry={"maxAttempts": 2, "backoff": backoff})
    submit(cluster, "b")
    submit(cluster, "c", suspend=True)
    settle(process)
    end(process, "a", code=1)
    assert ["b"] == running(cluster)

    settle(process, 60)
    assert ["b"] == running(cluster), "the retry is due, and has to wait"
    submit(cluster, "d")
    settle(process)
    end(process, "b")
    assert ["a"] == running(cluster), "it has the age of its task"


def test_a_held_queue_starts_nothing_and_what_runs_goes_on(cluster: Cluster) -> None:
    queue(cluster)
    process = Process(cluster)
    submit(cluster, "a")
    settle(process)
    cluster.edit("taskqueues", "default", stopPolicy="Hold", stopReason="upgrade")
    settle(process)
    submit(cluster, "b")
    settle(process)
    settle(process, 2)
    assert ["a"] == running(cluster)
    assert said(cluster, "b") == "Queued/QueueHeld"
    assert status(cluster, "tasks", "b")["message"] == "Waiting: queue default is held: upgrade"

    cluster.edit("taskqueues", "default", stopPolicy=None, stopReason=None)
    settle(process)
    assert ["a", "b"] == running(cluster)


def test_a_queue_that_no_watch_has_told_of_yet_is_followed(cluster: Cluster) -> None:
    """Watches tell of kinds in no order."""
    process = Process(cluster)
    queue(cluster, stopPolicy="Hold")
    submit(cluster, "a")
    process.hear("tasks")
    process.work_off(500)
    cluster.clock.advance(2)
    process.work_off(500)

    assert ("QueueHeld", []) == (status(cluster, "tasks", "a")["reason"], cluster.all("jobs"))


def test_a_queue_that_nobody_declared_is_asked_for_once(cluster: Cluster) -> None:
    process = Process(cluster)
    for name in ("a", "b"):
        submit(cluster, name)
        settle(process)

    assert 1 == process.kube.gets["taskqueues"]


def test_a_queue_is_drained_and_its_tasks_go_on_when_it_does(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=5)
    process = Process(cluster)
    submit(cluster, "a")
    settle(process, 2)
    cluster.edit("taskqueues", "default", stopPolicy="HoldAndDrain")
    settle(process)
    for pod in cluster.all("pods"):
        cluster.kubelet(pod, "stops", 143)
    settle(process)
    settle(process, 30)
    settle(process, 2)
    assert [] == running(cluster)
    found = status(cluster, "tasks", "a")
    assert ("Preempted", 1) == (found["attempts"][0]["failure"], found["disruptionCount"])
    assert said(cluster, "a") == "Queued/QueueHeld"

    cluster.edit("taskqueues", "default", stopPolicy="None")
    settle(process)
    assert ["a"] == running(cluster)
    end(process, "a")
    assert said(cluster, "a") == "Succeeded/Succeeded"


def test_tenants_take_turns(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=2, fairness={"byLabel": "tenant"})
    process = Process(cluster)
    for number in range(6):
        submit(cluster, f"big{number}", {"tenant": "big"})
    settle(process, 1)
    submit(cluster, "small", {"tenant": "small"})
    settle(process)
    end(process, "big0")

    assert ["big1", "small"] == running(cluster)


def test_a_full_quota_is_waited_for_with_the_slot_in_hand(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=1)
    cluster.quota_on_jobs = True
    process = Process(cluster)
    for name in ("a", "b"):
        submit(cluster, name)
    for _ in range(10):
        settle(process, 5)

    assert (said(cluster, "a"), said(cluster, "b")) == ("Queued/QuotaExceeded", "Queued/QueueFull")
    assert process.queues.admission.counts(DEFAULT).running == 1


def test_a_task_that_can_never_fit_does_not_block_the_others(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=1)
    cluster.too_large_for_quota = {"a"}
    process = Process(cluster)
    for name in ("a", "b"):
        submit(cluster, name)
    for _ in range(3):
        settle(process, 5)

    assert ["b"] == running(cluster)
    stalled = {c["type"]: c["status"] for c in status(cluster, "tasks", "a")["conditions"]}["Stalled"]
    assert (said(cluster, "a"), stalled) == ("Queued/QuotaExceeded", "True")


def test_a_container_where_the_queue_takes_none_fails_at_once(cluster: Cluster) -> None:
    queue(cluster, inlineContainers="Deny")
    process = Process(cluster)
    submit(cluster, "a")
    settle(process)

    assert said(cluster, "a") == "Failed/InlineContainerDenied"
    assert "queue default" in status(cluster, "tasks", "a")["message"]


def test_a_deleted_task_gives_its_slot_back(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=1)
    process = Process(cluster)
    for name in ("a", "b"):
        submit(cluster, name)
    settle(process)
    cluster.remove("tasks", "a")
    settle(process)

    assert process.queues.admission.counts(DEFAULT).running == 1
    assert process.queues.admission.counts(DEFAULT).queued == 0


def test_a_slot_is_given_back_only_once_the_end_is_recorded(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=1)
    process = Process(cluster)
    submit(cluster, "a")
    settle(process)
    (pod,) = cluster.all("pods")
    cluster.kubelet(pod, "exits", 0)
    cluster.edit("tasks", "a", priority=3)  # not heard yet, so that the write is refused
    process.hear("pods")
    process.work()
    assert (1, {}) == (process.queues.admission.counts(DEFAULT).running, status(cluster, "tasks", "a"))

    settle(process)
    assert (0, "Succeeded/Succeeded") == (process.queues.admission.counts(DEFAULT).running, said(cluster, "a"))


def test_a_task_that_waits_for_a_quota_does_not_start_in_a_queue_that_is_held(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=1)
    cluster.quota_on_jobs = True
    process = Process(cluster)
    submit(cluster, "a")
    settle(process, 2)
    cluster.edit("taskqueues", "default", stopPolicy="Hold")
    cluster.quota_on_jobs = False
    for _ in range(3):
        settle(process, 5)

    assert ([], "Queued/QueueHeld") == (running(cluster), said(cluster, "a"))


def test_a_task_that_cannot_be_read_any_more_gives_its_slot_back(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=1)
    process = Process(cluster)
    submit(cluster, "a")
    settle(process)
    task = cluster.get("tasks", "a")
    assert task is not None
    cluster.put("tasks", {**task, "spec": {"container": 5}})
    process.hear("tasks")
    process.work()

    assert process.queues.admission.counts(DEFAULT).running == 0


# --- restarts ---


def test_after_a_restart_the_same_run_and_the_order_is_the_same(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=2)
    process = Process(cluster)
    for name in ("d", "c", "b", "a"):
        submit(cluster, name)
        settle(process, 1)
    process.start()
    assert process.queues.admission.counts(DEFAULT).running == 2, "known before anything was looked at"
    settle(process)
    assert ["c", "d"] == running(cluster)

    end(process, "d")
    assert ["b", "c"] == running(cluster)


def test_after_a_restart_nothing_starts_before_everything_was_looked_at(cluster: Cluster) -> None:
    """The keys come in any order: here the Task that is last in the queue's order comes first."""
    queue(cluster, maxConcurrency=1)
    for name, priority in (("a", 0), ("b", 1), ("c", 2)):
        submit(cluster, name, priority=priority)
    process = Process(cluster)
    settle(process)

    assert ["c"] == running(cluster)


def test_a_task_that_makes_trouble_does_not_keep_the_others_from_starting(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=2)
    submit(cluster, "a", suspend=True)  # says so after a second, which fails
    submit(cluster, "b")
    cluster.clock.advance(5)
    process = Process(cluster)
    cluster.faults = [None, Fault.REFUSED]  # the queue's status goes through
    process.work_off()
    settle(process)

    assert ["b"] == running(cluster)


def test_a_job_that_nobody_recorded_holds_a_slot_after_a_crash(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=1)
    process = Process(cluster)
    settle(process)
    submit(cluster, "b")
    cluster.faults = [Fault.CRASH_AFTER]
    settle(process)
    submit(cluster, "a", priority=9)
    settle(process)

    assert ["b"] == running(cluster)


def test_taking_up_one_namespace_leaves_the_others_as_they_are(cluster: Cluster) -> None:
    """As when a replica takes over a shard: what it knew of it before is forgotten, nothing else."""
    process = Process(cluster)
    submit(cluster, "a")
    settle(process)
    elsewhere = QueueKey("other", "default")
    process.queues.admission.set(Key("other", "x"), Holds(elsewhere))
    process.queues.admission.set(Key(NAMESPACE, "gone"), Holds(DEFAULT))
    process.queues.begin(lambda namespace: namespace == NAMESPACE)

    assert process.queues.admission.counts(DEFAULT).running == 1, "the Task that runs, and not the one that is gone"
    assert process.queues.admission.counts(elsewhere).running == 1


# --- the rate limit ---

SLOW = {"tasks": 2, "periodSeconds": 60}


def test_the_rate_limit_lets_a_burst_start_and_then_one_at_a_time(cluster: Cluster) -> None:
    queue(cluster, rateLimit=SLOW)
    process = Process(cluster)
    for name in "abcd":
        submit(cluster, name)
    settle(process)
    assert ["a", "b"] == running(cluster)
    settle(process, 29)
    assert ["a", "b"] == running(cluster)
    assert said(cluster, "c") == "Queued/RateLimited"

    settle(process, 1)
    assert ["a", "b", "c"] == running(cluster)


@pytest.mark.parametrize("pause", [1, 7, 29], ids=lambda pause: f"{pause} s after the burst")
def test_a_restart_does_not_refill_the_bucket(cluster: Cluster, pause: int) -> None:
    """Before its status was written the Jobs' creation times tell, afterwards the status."""
    queue(cluster, rateLimit=SLOW)
    process = Process(cluster)
    settle(process)
    for name in "abcd":
        submit(cluster, name)
    settle(process)
    settle(process, pause)
    process.start()
    settle(process)
    assert ["a", "b"] == running(cluster)

    settle(process, 31 - pause)
    assert ["a", "b", "c"] == running(cluster)


def test_after_a_restart_starts_count_that_are_younger_than_the_status(cluster: Cluster) -> None:
    queue(cluster, rateLimit=SLOW)
    process = Process(cluster)
    settle(process)
    submit(cluster, "a")
    settle(process)
    settle(process, 6)
    assert "rateLimit" in status(cluster, "taskqueues", "default")
    submit(cluster, "b")
    settle(process, 1)
    settle(process, 2)
    process.start()
    submit(cluster, "c")
    settle(process, 1)
    assert ["a", "b"] == running(cluster)

    settle(process, 30)
    assert ["a", "b", "c"] == running(cluster)


# --- the status ---


def test_the_status_of_a_queue(cluster: Cluster) -> None:
    queue(cluster, maxConcurrency=1)
    process = Process(cluster)
    for name in ("a", "b", "c"):
        submit(cluster, name)
    settle(process, 10)
    settle(process, 10)

    found = status(cluster, "taskqueues", "default")
    assert (1, 2) == (found["running"], found["queued"])
    assert found["oldestQueuedSeconds"] >= 10
    assert {"Accepted": "True", "Active": "True"} == {c["type"]: c["status"] for c in found["conditions"]}


def test_a_new_queue_says_of_its_stream_what_is_known_once_it_is(cluster: Cluster) -> None:
    """Its first status was written before, and nothing more in the next five seconds."""
    process = Process(cluster)
    stream = UNKNOWN
    process.queues.stream = lambda _: stream
    queue(cluster)
    settle(process)
    assert status(cluster, "taskqueues", "default") == {}

    stream = StreamState(0)
    process.queue.add(DEFAULT)  # as the streams have it looked at
    settle(process)
    assert "StreamReady" in {c["type"] for c in status(cluster, "taskqueues", "default")["conditions"]}


def test_after_a_restart_a_queue_says_what_was_known_of_its_stream(cluster: Cluster) -> None:
    queue(cluster)
    process = Process(cluster)
    process.queues.stream = lambda _: StreamState(3)
    process.queue.add(DEFAULT)
    settle(process)
    before = cluster.writes["status taskqueues"]
    process.start()
    process.queues.stream = lambda _: UNKNOWN
    settle(process, 10)

    assert (3, before) == (status(cluster, "taskqueues", "default")["backlog"], cluster.writes["status taskqueues"])


def test_the_status_is_written_at_most_every_five_seconds_and_only_when_it_changes(cluster: Cluster) -> None:
    queue(cluster)
    process = Process(cluster)
    for second in range(20):
        submit(cluster, f"t{second}")
        settle(process, 1)
    assert 3 <= cluster.writes["status taskqueues"] <= 5

    settle(process, 60)
    before = cluster.writes["status taskqueues"]
    for _ in range(10):
        settle(process, 60)
    assert before == cluster.writes["status taskqueues"]


def test_a_task_that_is_over_at_once_is_in_no_number(cluster: Cluster) -> None:
    queue(cluster)
    process = Process(cluster)
    settle(process, 10)
    settle(process, 10)  # it was written long ago, and could be again
    before = cluster.writes["status taskqueues"]
    submit(cluster, "a")
    settle(process, 0.01)
    end(process, "a")
    settle(process, 60)

    assert before == cluster.writes["status taskqueues"]


def test_a_queue_that_is_changed_all_the_time_is_not_written_all_the_time(cluster: Cluster) -> None:
    queue(cluster)
    process = Process(cluster)
    for second in range(20):
        cluster.edit("taskqueues", "default", maxConcurrency=second + 1)
        settle(process, 1)

    assert 3 <= cluster.writes["status taskqueues"] <= 5


def test_a_long_wait_is_written_ever_more_rarely(cluster: Cluster) -> None:
    queue(cluster, stopPolicy="Hold")
    process = Process(cluster)
    submit(cluster, "a")
    for _ in range(600):
        settle(process, 6)

    age = status(cluster, "taskqueues", "default")["oldestQueuedSeconds"]
    assert 2400 <= age <= 3600
    assert cluster.writes["status taskqueues"] <= 20


def test_a_queue_that_is_deleted_meanwhile_is_no_error(cluster: Cluster) -> None:
    queue(cluster)
    process = Process(cluster)
    cluster.remove("taskqueues", "default")
    process.work_off()

    assert not process.errors


# --- Kueue ---


def test_kueue_admits_a_job_by_unsuspending_it(cluster: Cluster) -> None:
    queue(cluster, kueueQueueName="team-a")
    process = Process(cluster)
    submit(cluster, "a", deadlines={"startSeconds": 60})
    settle(process)
    settle(process, 600)
    (job,) = cluster.all("jobs")
    assert (True, "team-a") == (job["spec"]["suspend"], job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"])
    assert said(cluster, "a") == "Queued/KueuePending"
    assert status(cluster, "tasks", "a")["attemptCount"] == 0

    cluster.edit("jobs", job["metadata"]["name"], suspend=False)
    settle(process, 5)
    assert ["a"] == running(cluster)
    end(process, "a")
    assert said(cluster, "a") == "Succeeded/Succeeded"


def test_a_job_whose_pod_is_seen_before_it_is_asked_is_known_to_be_admitted(cluster: Cluster) -> None:
    """Otherwise it would be taken for one that Kueue has suspended, and removed."""
    queue(cluster, kueueQueueName="team-a")
    process = Process(cluster)
    submit(cluster, "a")
    settle(process)
    (job,) = cluster.all("jobs")
    cluster.edit("jobs", job["metadata"]["name"], suspend=False)
    cluster.run_controllers()
    (pod,) = cluster.all("pods")
    cluster.kubelet(pod, "starts")
    process.hear("pods")
    process.work_off()
    end(process, "a")

    assert said(cluster, "a") == "Succeeded/Succeeded"
    assert "deletionTimestamp" not in cluster.all("jobs")[0]["metadata"]


# --- whatever happens ---

LIMIT, TASKS = 2, [f"t{number}" for number in range(6)]


class AnyLoad(RuleBasedStateMachine):
    """Several Tasks of a limited queue, with late watches, lost replies and crashes: no limit is ever exceeded."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster(Clock())
        queue(self.cluster, maxConcurrency=LIMIT, maxConcurrencyPerKey=1, fairness={"byLabel": "tenant"})
        self.process = Process(self.cluster)

    @rule(
        name=st.sampled_from(TASKS),
        key=st.none() | st.sampled_from("kl"),
        priority=st.integers(-1, 1),
        tenant=st.sampled_from("ab"),
        suspend=st.sampled_from([False, False, True]),
    )
    def a_task_is_submitted(self, name: str, key: str | None, priority: int, tenant: str, suspend: bool) -> None:
        if self.cluster.get("tasks", name) is not None:
            return
        more: Raw = {"concurrencyKey": key} if key else {}
        backoff = {"initialSeconds": 1, "jitter": "None"}
        retry = {"maxAttempts": 2, "backoff": backoff}
        submit(self.cluster, name, {"tenant": tenant}, priority=priority, suspend=suspend, retry=retry, **more)

    @rule(name=st.sampled_from(TASKS), suspend=st.booleans(), priority=st.integers(-1, 1))
    def a_task_is_changed(self, name: str, suspend: bool, priority: int) -> None:
        self.cluster.edit("tasks", name, suspend=suspend, priority=priority)

    @rule(name=st.sampled_from(TASKS), how=st.sampled_from(["cancel", "delete"]))
    def a_task_is_given_up(self, name: str, how: str) -> None:
        if how == "delete":
            self.cluster.remove("tasks", name)
        else:
            self.cluster.edit("tasks", name, cancel={"reason": "no"})

    @rule(kinds=st.lists(st.sampled_from(list(WATCHED)), min_size=1), events=st.none() | st.integers(1, 3))
    def watches_deliver(self, kinds: list[str], events: int | None) -> None:
        for kind in kinds:
            self.process.hear(kind, events)

    @rule(times=st.integers(1, 8))
    def the_operator_works(self, times: int) -> None:
        for _ in range(times):
            self.process.work()

    @rule(faults=st.lists(st.none() | st.sampled_from(Fault), min_size=1, max_size=3))
    def faults_to_come(self, faults: list[Fault | None]) -> None:
        self.cluster.faults = list(faults)

    @rule()
    def the_operator_is_restarted(self) -> None:
        self.process.start()

    @rule(seconds=st.sampled_from([0, 1, 5, 30]))
    def time_passes(self, seconds: int) -> None:
        self.cluster.clock.advance(seconds)
        self.cluster.run_controllers()

    @rule(code=st.sampled_from([0, 0, 1]), what=st.sampled_from(["starts", "exits", "stops", "evicted"]))
    def something_happens_to_pods(self, code: int, what: str) -> None:
        for pod in self.cluster.all("pods"):
            self.cluster.kubelet(pod, what, code)

    @rule(seconds=st.sampled_from([0, 2, 30]))
    def all_goes_well(self, seconds: int) -> None:
        self.cluster.faults = []
        settle(self.process, seconds)

    def under_way(self) -> list[str]:
        """Tasks that have an attempt under way, as the API server knows it."""
        found = []
        for task in self.cluster.all("tasks"):
            known, meta = task.get("status") or {}, task["metadata"]
            if any(c["type"] == "Finished" and c["status"] == "True" for c in known.get("conditions", ())):
                continue
            number = known.get("attemptCount", 0) + 1
            begun = self.cluster.get("jobs", job_name(meta["name"], meta["uid"], number)) is not None
            recorded = any("finishTime" not in attempt for attempt in known.get("attempts", ()))
            found += [meta["name"]] if begun or recorded else []
        return found

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        holders = self.under_way()
        assert len(holders) <= LIMIT, f"{holders} at once"
        tasks = [self.cluster.get("tasks", name) for name in holders]
        keys = [task["spec"]["concurrencyKey"] for task in tasks if task and "concurrencyKey" in task["spec"]]
        assert len(keys) == len(set(keys)), f"{keys} at once"

    def teardown(self) -> None:
        """Once all goes well, every Task gets its turn and ends."""
        self.cluster.faults = []
        for name in TASKS:
            self.cluster.edit("tasks", name, suspend=False)
        for _ in range(12):
            settle(self.process, 30)
            self.no_limit_is_exceeded()
            for pod in self.cluster.all("pods"):
                self.cluster.kubelet(pod, "exits", 0)
                self.cluster.kubelet(pod, "stops", 0)
            settle(self.process, 30)
        phases = {task["metadata"]["name"]: task.get("status", {}).get("phase") for task in self.cluster.all("tasks")}
        assert set(phases.values()) <= {"Succeeded", "Failed", "Cancelled"}, f"not all have ended: {phases}"


TestAnyLoad = AnyLoad.TestCase
TestAnyLoad.settings = examples(40)
