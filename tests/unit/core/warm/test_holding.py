"""The status that names a pod is held while a quick task runs; who takes over meanwhile starts nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.builders import make_task
from tests.support.clock import at
from tests.support.invariants import Wrote
from tests.support.objects import Raw
from tests.unit.core.warm.test_assigning import claimed, plan, revoked, warm_pod, world
from tests.unit.operator_parts.test_warm import Played

from celeriac.api.v1alpha1 import Cancel
from celeriac_operator.core.admission.standing import Waits
from celeriac_operator.core.facts import Held, World
from celeriac_operator.core.plan import CreateJob, RevokeClaim
from celeriac_operator.core.warm.holding import HOLD_SECONDS, NOBODY
from celeriac_operator.kube import observe

TASK = "resize-1"


class Messages(Played):
    """With Tasks that this process of the operator has made of messages."""

    def __init__(self) -> None:
        super().__init__()
        self.annotations = {"celeriac.dev/submission": "sha256:mine"}
        self.settle()

    def give(self, name: str) -> Raw:
        self.submit(name, made_here=True)
        self.process.hear("tasks")
        self.process.work_off()
        return self.task(name)

    def written(self) -> list[Raw]:
        return [fact.status for fact in self.cluster.facts if isinstance(fact, Wrote)]

    def arrives(self) -> None:
        """The pod hears of it."""
        self.arrive(*self.cluster.assignments[-1])

    def ends(self) -> None:
        """Whatever runs ends well, until nothing is left to do."""
        for _ in range(4):
            for pod in self.running():
                self.end(pod, 0, recorded=True, exits=True)
            self.settle()
            self.clock.advance(6)
        self.settle()
        self.the_facts_are_as_they_must_be()


@pytest.fixture
def stage() -> Messages:
    return Messages()


# --- the status ---


def test_a_task_that_ends_at_once_has_one_status_and_its_attempt_in_it(stage: Messages) -> None:
    assert stage.give(TASK) == {}
    stage.claim()
    stage.end(stage.pod(stage.cluster.assignments[-1][0]), 0, recorded=True, exits=False)
    stage.process.hear_records()
    stage.process.work_off()

    (only,) = stage.written()
    assert only["phase"] == "Succeeded"
    assert [each["podUID"] for each in only["attempts"]] == [stage.cluster.assignments[-1][0]]


@pytest.mark.parametrize("claims", [True, False], ids=["claimed", "not claimed"])
def test_a_status_is_held_for_a_second(stage: Messages, claims: bool) -> None:
    stage.give(TASK)
    if claims:
        stage.claim()
    stage.clock.advance(HOLD_SECONDS - 0.2)
    stage.process.work_off()
    assert stage.written() == []

    stage.clock.advance(0.4)
    stage.process.work_off()
    (only,) = stage.written()
    assert only["phase"] == ("Running" if claims else "Starting")


def test_what_somebody_changes_of_the_task_meanwhile_changes_nothing_of_that(stage: Messages) -> None:
    stage.give(TASK)
    stage.claim()
    stage.cluster.edit("tasks", TASK, priority=3)
    stage.process.hear("tasks")
    stage.process.work_off()

    assert len(stage.cluster.assignments) == 1
    stage.ends()
    assert stage.task(TASK)["phase"] == "Succeeded"


@pytest.mark.parametrize("bus", ["Down", "Off"])
def test_it_is_not_held_where_nats_cannot_tell_of_it(bus: str) -> None:
    assert not plan(world(waiting_pod=warm_pod(), bus=bus)).hold


def test_a_task_that_was_held_here_before_others_worked_on_it_is_as_it_is_stored(stage: Messages) -> None:
    stage.give(TASK)
    stage.process.cache.forget_held(lambda _: True)
    stage.process.book.take_up(lambda _: True)

    assert stage.process.cache.open_in_pods == {}
    assert not any(stage.process.book.made_here(task) for task in _tasks(stage))  # type: ignore[arg-type]


def _tasks(stage: Messages) -> list[object]:
    return [entry.facts for entry in stage.process.cache.tasks.entries.values()]


def test_the_status_as_it_is_stored_is_what_was_there_before() -> None:
    task = make_task()
    held = make_task(held=Held(task.status, at(0)))

    assert held.as_stored == task == task.as_stored


def test_what_is_taken_back_while_it_is_held_is_written_nowhere_and_given_to_another_pod(stage: Messages) -> None:
    stage.give(TASK)
    first = stage.cluster.assignments[-1][0]
    stage.process.warm.unheard(first)
    stage.process.work_off()

    assert stage.cluster.assignments[-1][0] != first
    assert all(each["podUID"] != first for status in stage.written() for each in status.get("attempts", ()))
    stage.ends()
    assert stage.task(TASK)["phase"] == "Succeeded"


@pytest.mark.parametrize("seconds", [0, 1.5], ids=["while it was held", "once it was written"])
def test_what_was_taken_back_is_written_before_another_pod_is_told(stage: Messages, seconds: float) -> None:
    stage.give(TASK)
    stage.clock.advance(seconds)
    stage.process.work_off()
    stage.process.warm.unheard(stage.cluster.assignments[-1][0])
    stage.process.work_off()
    second = stage.cluster.assignments[-1]
    assert [each["podUID"] for each in stage.task(TASK)["attempts"]] == [second[0]]

    stage.process.start()
    stage.process.work_off()
    stage.arrive(*second)
    stage.ends()
    assert stage.runs[second[0]][1] == 1
    assert len(stage.ran) == 1


@pytest.mark.parametrize("claims", ["never heard of", "heard of", "later"])
@pytest.mark.parametrize("others", [True, False], ids=["another pod waits", "no other pod waits"])
def test_a_held_status_that_somebody_writes_over_starts_nothing_twice(
    stage: Messages, claims: str, others: bool
) -> None:
    stage.give(TASK)
    told = stage.cluster.assignments[-1]
    if claims != "later":
        stage.arrive(*told)
    if claims == "heard of":
        stage.process.hear_records()
    for pod in () if others else stage.pods():
        stage.process.warm.unheard(pod["metadata"]["uid"])
    stage.cluster.put("tasks", {**(stage.cluster.get("tasks", TASK) or {}), "status": {"observedGeneration": 1}})
    stage.process.hear("tasks")
    stage.process.work_off()
    stage.arrive(*told)
    stage.ends()

    assert stage.task(TASK)["phase"] == "Succeeded"
    assert len(stage.ran) == 1


# --- the next process ---


@pytest.mark.parametrize("claims", [True, False], ids=["claimed", "not claimed"])
def test_a_leader_that_leaves_writes_what_it_holds(stage: Messages, claims: bool) -> None:
    """The next one may be of a release that holds nothing, and reads of no claim that no status tells of."""
    stage.give(TASK)
    if claims:
        stage.claim()
    stage.process.leave()

    (only,) = stage.written()
    assert [each["podUID"] for each in only["attempts"]] == [stage.cluster.assignments[-1][0]]
    assert stage.process.cache.held(lambda _: True) == []


def test_a_leader_that_leaves_writes_what_somebody_has_changed_meanwhile(stage: Messages) -> None:
    stage.give(TASK)
    stage.cluster.edit("tasks", TASK, priority=3)
    stage.process.leave()

    assert len(stage.written()) == 1


@pytest.mark.parametrize("ends", [False, True], ids=["it runs", "it has ended meanwhile"])
def test_then_an_operator_that_knows_of_no_held_status_goes_on(
    stage: Messages, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.give(TASK)
    stage.claim()
    stage.process.leave()
    if ends:
        stage.end(stage.pod(stage.cluster.assignments[-1][0]), 0, recorded=True, exits=False)
    monkeypatch.setattr(observe, "_may_have_been_told", lambda *_: False)
    stage.process.start()
    stage.process.work_off()

    stage.ends()
    assert stage.task(TASK)["phase"] == "Succeeded"
    assert (len(stage.ran), len(stage.cluster.assignments)) == (1, 1)


def test_who_does_not_go_on_to_lead_holds_nothing(stage: Messages) -> None:
    object.__setattr__(stage.process.applier, "works_on", lambda _: False)
    assert stage.give(TASK)["phase"] == "Starting"


def test_a_claim_that_no_status_tells_of_is_followed(stage: Messages) -> None:
    stage.give(TASK)
    stage.arrives()
    stage.process.start()
    stage.process.work_off()

    assert [each["podUID"] for each in stage.task(TASK)["attempts"]] == [stage.cluster.assignments[-1][0]]
    stage.ends()
    assert stage.task(TASK)["phase"] == "Succeeded"
    assert len(stage.ran) == 1


@pytest.mark.parametrize(
    "isolation",
    [
        pytest.param("Warm", id="pods still wait"),
        pytest.param("Pod", id="the definition has no waiting pods any more"),
    ],
)
def test_what_the_last_process_told_a_pod_is_forbidden_before_anything_starts(stage: Messages, isolation: str) -> None:
    stage.give(TASK)
    old = stage.cluster.assignments[-1]
    stage.cluster.edit("taskdefinitions", "resize", isolation=isolation)
    stage.process.start()
    stage.process.work_off()
    stage.arrive(*old)

    assert old[0] not in stage.runs
    stage.ends()
    assert stage.task(TASK)["phase"] == "Succeeded"


def test_an_attempt_whose_pod_is_gone_with_the_last_process_was_disrupted(stage: Messages) -> None:
    stage.give(TASK)
    stage.arrives()
    stage.cluster.delete_pod(stage.pod(stage.cluster.assignments[-1][0])["metadata"]["name"])
    for pod in stage.pods():
        stage.cluster.kubelet(pod, "stops", 143)
    stage.process.start()
    stage.ends()

    first, second = stage.task(TASK)["attempts"]
    assert first["podUID"] == stage.cluster.assignments[0][0]
    assert first["failure"] in ("PodDeleted", "JobLost")
    assert "failure" not in second


def test_a_pod_that_runs_what_no_status_tells_of_is_not_taken_for_one_that_is_not_needed(stage: Messages) -> None:
    """The definition is looked at before its Tasks are."""
    stage.give(TASK)
    stage.arrives()
    stage.cluster.edit("taskdefinitions", "resize", warm={"minReady": 0})
    stage.process.start()
    stage.process.work_off()

    (attempt,) = stage.task(TASK)["attempts"]
    assert attempt["podUID"] == stage.cluster.assignments[-1][0]
    assert stage.cluster.get("jobs", attempt["jobName"]) is not None


def test_without_nats_nobody_knows_whether_it_runs_so_it_waits(stage: Messages) -> None:
    stage.give(TASK)
    stage.arrives()
    stage.cluster.bucket.turn(False)
    stage.process.start()
    stage.process.work_off()
    assert stage.cluster.all("jobs") == [job for job in stage.cluster.all("jobs") if "-w-" in job["metadata"]["name"]]

    stage.settle()
    stage.ends()
    assert stage.task(TASK)["phase"] == "Succeeded"
    assert len(stage.ran) == 1


# --- the rule ---


def inherited(**facts: object) -> World:
    return world(inherited=True, waiting_pod=warm_pod(), **facts)  # type: ignore[arg-type]


def test_a_task_that_may_have_been_told_to_a_pod_is_closed_to_that_first() -> None:
    found = plan(inherited())
    assert found.record == (RevokeClaim(1, NOBODY, 0, at(1)),)
    assert (found.assign, found.status) == (None, None)


@pytest.mark.parametrize(
    "waits",
    [{"slot": Waits("QueueFull", "Waiting: full")}, {"spec": {"suspend": True}}, {"waiting_pod": None, "crowd": 3}],
    ids=["its queue is full", "it is suspended", "no worker is free"],
)
def test_for_one_that_only_waits_nothing_is_written(waits: dict[str, Any]) -> None:
    facts: dict[str, Any] = {"waiting_pod": warm_pod(), **waits}
    found = plan(world(inherited=True, **facts), second=10)
    assert found.record == ()
    assert found.status is None or found.status.finish_time is None


def test_one_that_ends_before_it_starts_is_closed_to_pods_first() -> None:
    found = plan(world(inherited=True, spec={"cancel": Cancel(reason="no")}))
    assert found.record == (RevokeClaim(1, NOBODY, 0, at(1)),)
    assert found.status is None


def test_a_claim_of_what_was_not_told_here_has_the_task_looked_at(stage: Messages) -> None:
    """An operator that holds its status was killed before the pod had claimed; the next one lets the Task wait."""
    stage.give(TASK)
    stage.cluster.edit("tasks", TASK, suspend=True)
    stage.process.start()
    stage.process.work_off()
    before = stage.task(TASK)
    stage.arrives()
    stage.process.hear_records()
    stage.process.work_off()

    assert "attempts" not in before
    assert stage.task(TASK)["phase"] in ("Starting", "Running")
    stage.ends()
    assert stage.task(TASK)["phase"] == "Succeeded"
    assert len(stage.ran) == 1


@pytest.mark.parametrize(
    "of",
    [lambda: inherited(claim=revoked("")), lambda: world(waiting_pod=warm_pod())],
    ids=["it is closed", "no other process had it"],
)
def test_then_it_is_given_to_a_pod_as_any(of: Callable[[], World]) -> None:
    assert plan(of()).assign is not None


def test_a_claim_without_a_status_gets_one() -> None:
    found = plan(inherited(claim=claimed("pod-9", second=0.5)))
    assert found.status is not None
    (attempt,) = found.status.attempts
    assert (attempt.pod_uid, attempt.pod_name, attempt.job_name) == ("pod-9", None, "resize-w-gone")


def test_while_nats_is_away_it_waits_and_says_so() -> None:
    found = plan(inherited(bus="Down"), second=10)
    assert not any(isinstance(create, CreateJob) for create in found.create)
    assert found.status is not None
    assert found.status.reason == "BusUnavailable"
