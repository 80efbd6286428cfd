"""Pods that wait, on the simulated cluster: what the parts make of it together."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import Counter
from tests.support.cluster import NAMESPACE, NEWS_OF_A_LOST_NODE
from tests.support.crash import Fault
from tests.support.objects import Raw
from tests.unit.core.warm.test_any_assignment import AnyAssignment
from tests.unit.core.warm.test_any_worker import AnyWorker

from celeriac_operator.core.facts import Key
from celeriac_operator.metrics import WARM_ATTEMPTS
from celeriac_operator.warm import MOST_HEARD


class Played(AnyAssignment):
    """The machine, played by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.begin(submission=False, limit=None)

    def task(self, name: str) -> Raw:
        return (self.cluster.get("tasks", name) or {}).get("status") or {}

    def give(self, name: str) -> Raw:
        """A Task that is given to a pod; the pod has not heard of it."""
        self.submit(name)
        self.process.hear("tasks")
        self.process.work_off()
        return self.task(name)

    def claim(self) -> None:
        for message in self.cluster.assignments[self.told :]:
            self.arrive(*message)
        self.told = len(self.cluster.assignments)
        self.process.hear_records()
        self.process.work_off()

    def pod(self, uid: str) -> Raw:
        return next(pod for pod in self.pods() if pod["metadata"]["uid"] == uid)

    def definition_status(self) -> Raw:
        for _ in range(2):
            self.clock.advance(6)
            self.settle()
        found: Raw = (self.cluster.get("taskdefinitions", "resize") or {})["status"]
        return found


class Stage(Played):
    """With pods that take one task."""


class WorkerStage(Played, AnyWorker):
    """With workers."""


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def workers() -> WorkerStage:
    return WorkerStage()


def counted(counter: Counter, result: str) -> float:
    value: Any = counter.labels(result)._value.get()
    return float(value)


def test_a_quick_task_costs_two_status_writes_and_no_create_of_its_own(stage: Stage) -> None:
    before = stage.cluster.writes.copy()
    first = stage.give("resize-1")
    stage.claim()
    stage.end(stage.pod(first["attempts"][0]["podUID"]), 0, recorded=True, exits=True)
    stage.process.hear_records()
    stage.process.hear("pods")
    stage.process.work_off()
    written = stage.cluster.writes - before

    assert stage.task("resize-1")["phase"] == "Succeeded"
    assert written["status tasks"] == 2
    assert all("-w-" in job["metadata"]["name"] for job in stage.cluster.all("jobs"))


def test_nothing_else_is_asked_of_the_api_server_meanwhile(stage: Stage) -> None:
    stage.process.kube.gets.clear()
    first = stage.give("resize-1")
    stage.claim()
    stage.end(stage.pod(first["attempts"][0]["podUID"]), 0, recorded=True, exits=False)
    stage.process.hear_records()
    stage.process.work_off()

    assert stage.task("resize-1")["phase"] == "Succeeded"
    assert {"taskqueues": 1} == stage.process.kube.gets, "the queue is asked for once, as nobody has declared it"


def test_two_tasks_get_two_pods_and_the_third_one_of_its_own(stage: Stage) -> None:
    hits, misses = counted(WARM_ATTEMPTS, "hit"), counted(WARM_ATTEMPTS, "miss")
    given = [stage.give(f"resize-{number}") for number in (1, 2)]
    stage.give("resize-3")

    assert len({status["attempts"][0]["podUID"] for status in given}) == 2
    assert [job for job in stage.cluster.all("jobs") if "-w-" not in job["metadata"]["name"]]
    assert counted(WARM_ATTEMPTS, "hit") - hits == 2
    assert counted(WARM_ATTEMPTS, "miss") - misses == 1


def test_a_pod_that_was_taken_is_replaced(stage: Stage) -> None:
    stage.give("resize-1")
    stage.clock.advance(1)
    stage.settle()

    assert sum(stage.waits(pod) for pod in stage.pods()) == 2


def test_the_jobs_of_the_pods_that_a_task_ran_in_are_there_to_be_read_until_it_goes(stage: Stage) -> None:
    stage.give("resize-1")
    for code in (1, 0):
        stage.claim()
        pod = stage.pod(stage.task("resize-1")["attempts"][-1]["podUID"])
        stage.end(pod, code, recorded=True, exits=True)
        stage.process.hear_records()
        stage.clock.advance(1)
        stage.settle()
    status = stage.task("resize-1")
    jobs = [attempt["jobName"] for attempt in status["attempts"]]
    there = [stage.cluster.get("jobs", job) for job in jobs]
    stage.cluster.remove("tasks", "resize-1")
    stage.process.hear("tasks")
    stage.process.work_off()

    assert (status["phase"], len(set(jobs))) == ("Succeeded", 2)
    assert all(there), status
    assert [stage.cluster.get("jobs", job) for job in jobs] == [None, None]


def test_the_definition_says_how_its_pods_are_used(stage: Stage) -> None:
    stage.give("resize-1")

    assert stage.definition_status()["warm"] == {"ready": 2, "claimed": 1, "hitRate": 100}


def test_what_nobody_hears_is_taken_back_and_given_to_another(stage: Stage) -> None:
    first = stage.give("resize-1")["attempts"][0]["podUID"]
    stage.process.warm.unheard(first)
    stage.process.work_off()
    (attempt,) = stage.task("resize-1")["attempts"]

    assert (attempt["number"], attempt["podUID"] != first) == (1, True)
    assert stage.cluster.assignments[-1][1]["expect"] > 0


def test_a_restarted_operator_tells_the_pod_again(stage: Stage) -> None:
    first = stage.give("resize-1")["attempts"][0]["podUID"]
    stage.cluster.assignments.clear()
    stage.process.start()
    stage.process.queue.ready.update(dict.fromkeys(stage.process.cache.work_keys(lambda _: True)))
    stage.process.work_off()

    assert [uid for uid, _ in stage.cluster.assignments] == [first]


def test_who_may_have_a_job_of_his_own_gets_no_pod_that_waits(stage: Stage) -> None:
    """The answer to the create of its Job was lost, no watch tells of Jobs, and now a pod waits."""
    stage.process.start()
    stage.submit("resize-1")
    stage.process.hear("tasks")
    stage.process.work()
    stage.cluster.faults = [None, Fault.REPLY_LOST]
    stage.process.work()
    stage.process.hear("pods")
    stage.pods_say_that_they_wait()
    stage.clock.advance(1)
    stage.process.work_off()

    stage.settle()
    stage.clock.advance(2)
    stage.settle()

    assert [] == stage.cluster.assignments
    assert stage.task("resize-1")["attempts"][0]["jobName"].endswith("-a1")


def test_pods_that_come_to_nothing_are_said_and_tried_later(stage: Stage) -> None:
    for _ in range(3):
        for pod in stage.pods():
            stage.cluster.kubelet(pod, "starts")
            stage.cluster.kubelet(pod, "exits", 1, "ModuleNotFoundError: No module named 'media'")
        stage.process.hear("pods")
        stage.process.work_off()
        stage.cluster.run_controllers()
    (why,) = (each for each in stage.definition_status()["conditions"] if each["type"] == "WarmUnavailable")

    assert why["reason"] == "PodsFail"
    assert "No module named 'media'" in why["message"]


def test_a_quota_that_refuses_pods_is_said(stage: Stage) -> None:
    stage.cluster.quota_on_jobs = True
    stage.cluster.edit("taskdefinitions", "resize", version="2")
    (why,) = (each for each in stage.definition_status()["conditions"] if each["type"] == "WarmUnavailable")

    assert (why["reason"], "exceeded quota" in why["message"]) == ("PodsRefused", True)


def test_a_pod_with_somebody_elses_job_gets_no_task(stage: Stage) -> None:
    """Anybody who may make pods may write our labels."""
    for pod in stage.pods():
        name, meta = pod["metadata"]["name"], pod["metadata"]
        owner = {**meta["ownerReferences"][0], "name": "theirs", "uid": "theirs"}
        stage.cluster.put("pods", {**pod, "metadata": {**meta, "name": name, "ownerReferences": [owner]}})
    stage.process.hear("pods")
    stage.give("resize-1")

    assert not stage.cluster.assignments


def cold(stage: Played) -> list[str]:
    jobs = (job["metadata"]["name"] for job in stage.cluster.all("jobs"))
    return [name for name in jobs if "-w-" not in name]


def ends(stage: WorkerStage, status: Raw) -> None:
    """A worker's process ends well."""
    (attempt,) = status["attempts"]
    pod = stage.pod(attempt["podUID"])
    stage.process_ends(pod, stage.processes[attempt["podUID"]][0], 0)
    stage.process.hear_records()
    stage.process.work_off()


def test_two_tasks_share_a_worker_and_the_third_waits_for_a_slot(workers: WorkerStage) -> None:
    given = [workers.give(f"resize-{number}") for number in (1, 2)]
    workers.give("resize-3")
    waiting = workers.task("resize-3")
    workers.claim()
    ends(workers, given[0])
    after = workers.task("resize-3")

    assert len({status["attempts"][0]["podUID"] for status in given}) == 1
    assert "attempts" not in waiting
    assert workers.task("resize-1")["phase"] == "Succeeded"
    assert after["attempts"][0]["podUID"] == given[0]["attempts"][0]["podUID"]
    assert not cold(workers)


def test_a_quick_task_of_a_worker_costs_two_status_writes(workers: WorkerStage) -> None:
    before = workers.cluster.writes.copy()
    given = workers.give("resize-1")
    workers.claim()
    ends(workers, given)

    assert (workers.cluster.writes - before)["status tasks"] == 2


def test_a_slot_that_is_free_again_is_said(workers: WorkerStage) -> None:
    given = workers.give("resize-1")
    workers.claim()
    running = workers.definition_status()["warm"]
    ends(workers, given)

    assert [running["claimed"], workers.definition_status()["warm"]["claimed"]] == [1, 0]


def test_a_backlog_brings_another_worker(workers: WorkerStage) -> None:
    for number in (1, 2, 3):
        workers.give(f"resize-{number}")
    workers.clock.advance(1)
    workers.settle()
    workers.settle()

    assert len(workers.pods()) == 2
    assert len({workers.task(f"resize-{number}")["attempts"][0]["podUID"] for number in (1, 2, 3)}) == 2
    assert not cold(workers)


def test_a_worker_that_has_had_enough_is_replaced(workers: WorkerStage) -> None:
    for number in range(1, 5):
        ends_of = workers.give(f"resize-{number}")
        if "attempts" in ends_of:
            workers.claim()
            ends(workers, ends_of)
    workers.clock.advance(1)
    workers.settle()
    workers.settle()
    used = [workers.task(f"resize-{number}")["attempts"][0]["podUID"] for number in range(1, 5)]

    assert len(set(used[:3])) == 1
    assert used[3] != used[0]
    assert not cold(workers)


def test_a_cancel_stops_the_attempt_and_not_the_worker(workers: WorkerStage) -> None:
    pod = workers.give("resize-1")["attempts"][0]["podUID"]
    workers.claim()
    workers.cluster.edit("tasks", "resize-1", cancel={"reason": "no longer needed"})
    workers.process.hear("tasks")
    workers.process.work_off()
    uid, message = workers.cluster.assignments[-1]

    assert (uid, message["stop"]["failure"], message["stop"]["message"]) == (pod, "Cancelled", "no longer needed")
    assert "deletionTimestamp" not in workers.pod(pod)["metadata"]
    workers.settle()
    assert workers.task("resize-1")["phase"] == "Cancelled"


@pytest.mark.parametrize("again", [False, True], ids=["its name is free", "its name is taken at once"])
def test_what_goes_on_for_a_task_that_is_deleted_is_stopped(workers: WorkerStage, again: bool) -> None:
    pod = workers.give("resize-1")["attempts"][0]["podUID"]
    workers.claim()
    (old,) = workers.ran
    workers.cluster.remove("tasks", "resize-1")
    if again:
        workers.submit("resize-1")
    workers.process.hear("tasks")
    workers.process.work_off()
    stops = [(uid, message["uid"]) for uid, message in workers.cluster.assignments if "stop" in message]

    assert stops == [(pod, old[0])]


def test_what_was_taken_back_from_a_worker_may_be_given_to_it_again(workers: WorkerStage) -> None:
    """Nobody heard it, and then that worker says again that it waits: there is no other."""
    worker = workers.give("resize-1")["attempts"][0]["podUID"]
    workers.process.warm.unheard(worker)
    workers.process.work_off()
    workers.process.warm.heard(NAMESPACE, worker)
    workers.process.work_off()
    (attempt,) = workers.task("resize-1")["attempts"]
    (_, before), *_, (again, told) = workers.cluster.assignments

    assert (attempt["number"], attempt["podUID"], again) == (1, worker, worker)
    assert told["expect"] > before["expect"]
    written = workers.cluster.writes["status tasks"]
    workers.clock.advance(1)
    workers.process.work_off()
    assert workers.cluster.writes["status tasks"] == written, "it is given to that worker, and stays so"

    workers.claim()
    workers.end(workers.pod(worker), 0, recorded=True, exits=False)
    workers.settle()
    assert workers.task("resize-1")["phase"] == "Succeeded"
    assert len(workers.ran) == 1
    workers.the_facts_are_as_they_must_be()


@pytest.mark.parametrize("of", [Stage, WorkerStage])
def test_what_was_taken_back_from_a_pod_is_given_to_another_rather_than_to_it_again(of: type[Played]) -> None:
    """It says that it waits, and claims nothing: its slots may be taken by what the operator does not know of."""
    stage = of()
    stage.cluster.edit("taskdefinitions", "resize", worker={"minPods": 2, "maxPods": 2, "slotsPerPod": 2})
    for _ in range(2):
        stage.clock.advance(1)
        stage.settle()
    first = stage.give("resize-1")["attempts"][0]["podUID"]
    for _ in range(6):
        stage.clock.advance(1)
        stage.process.warm.heard(NAMESPACE, first)
        stage.process.work_off()

    assert stage.task("resize-1")["attempts"][0]["podUID"] != first


def test_a_pod_that_was_reserved_before_others_led_is_free_unless_a_task_says_that_it_has_it(stage: Stage) -> None:
    """The Task that it was for may be gone since, and then nobody looks at that again."""
    stage.cluster.faults = [Fault.REFUSED]
    stage.give("resize-1")
    key = Key(NAMESPACE, "resize-1")
    stage.cluster.remove("tasks", key.name)
    stage.process.cache.drop("tasks", key)
    stage.process.queue.forget(key)
    stage.process.warm.take_up(lambda _: True)
    stage.pods_say_that_they_wait()
    given = [stage.give(f"resize-{number}") for number in (2, 3)]

    assert all("-w-" in status["attempts"][0]["jobName"] for status in given)


def test_who_waits_starts_cold_where_workers_come_to_nothing(workers: WorkerStage) -> None:
    for number in (1, 2, 3):
        workers.give(f"resize-{number}")
    for _ in range(4):
        for pod in workers.pods():
            workers.cluster.kubelet(pod, "starts")
            workers.cluster.kubelet(pod, "exits", 1, "ModuleNotFoundError: No module named 'media'")
        workers.process.hear("pods")
        workers.clock.advance(1)
        workers.process.work_off()
        workers.cluster.run_controllers()

    assert cold(workers)


def test_who_waits_is_called_again_by_a_new_operator(workers: WorkerStage) -> None:
    for number in (1, 2, 3):
        workers.give(f"resize-{number}")
    workers.process.start()
    workers.process.queue.ready.update(dict.fromkeys(workers.process.cache.work_keys(lambda _: True)))
    workers.process.work_off()
    workers.settle()
    workers.settle()

    assert workers.task("resize-3")["attempts"]
    assert not cold(workers)


@pytest.mark.parametrize("of", [Stage, WorkerStage])
@pytest.mark.parametrize(("heard", "failure"), NEWS_OF_A_LOST_NODE.values(), ids=NEWS_OF_A_LOST_NODE)
def test_a_pod_goes_with_its_node_and_the_operator_hears(of: type[Played], heard: int, failure: str) -> None:
    stage = of()
    uid = stage.give("resize-1")["attempts"][0]["podUID"]
    stage.claim()
    stage.process.hear("pods")
    stage.cluster.lose(stage.pod(uid))
    stage.process.hear("pods", heard)
    stage.process.work_off()

    assert stage.task("resize-1")["attempts"][0]["failure"] == failure


def test_who_waits_for_a_worker_is_not_called_while_nats_is_away(workers: WorkerStage) -> None:
    workers.pods_say_that_they_wait()
    workers.cluster.bucket.turn(False)
    waits = workers.give("resize-1")

    assert not waits.get("attempts")
    workers.cluster.bucket.turn(True)
    workers.process.hear_records()
    workers.pods_say_that_they_wait()
    workers.process.work_off()
    assert workers.task("resize-1")["attempts"]


def test_pods_that_nobody_has_seen_are_remembered_up_to_a_bound(stage: Stage) -> None:
    """Whoever has a runner's password may say of any number of pods that they wait."""
    for number in range(MOST_HEARD + 10):
        stage.process.warm.heard(NAMESPACE, f"nobody-{number}")

    assert len(stage.process.warm._heard) <= MOST_HEARD
    stage.give("resize-1")
    stage.claim()
    assert stage.task("resize-1")["attempts"][0]["podName"]


def test_of_a_pod_nobody_elsewhere_says_that_it_waits_or_takes_no_more(workers: WorkerStage) -> None:
    worker = workers.give("resize-1")["attempts"][0]["podUID"]
    room = workers.process.warm._lefts[worker]
    workers.process.warm.heard("evil", worker, 0)

    assert workers.process.warm._lefts[worker] == room
