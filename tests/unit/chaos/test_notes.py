"""Facts as objects and processes tell them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from e2e.support.notes import Notes
from tests.support.invariants import Deleted, Ended, Fact, JobMade, JobTaken, Made, Started, Wrote

TASK = {"metadata": {"uid": "u", "name": "t"}}
FINISHED = {"phase": "Succeeded", "conditions": [{"type": "Finished", "status": "True"}]}
JOB = {"metadata": {"uid": "j", "name": "t-abc-a2", "ownerReferences": [{"uid": "u", "kind": "Task"}]}}
WARM = {"metadata": {"uid": "w", "name": "d-w-abc", "ownerReferences": [{"uid": "d", "kind": "TaskDefinition"}]}}


def pod(job: str, **state: Any) -> dict[str, Any]:
    meta = {"uid": "p", "name": "p", "ownerReferences": [{"uid": job, "kind": "Job", "name": f"job-{job}"}]}
    return {"metadata": meta, "status": {"containerStatuses": [{"state": state}]}}


RUNS, ENDS = pod("j", running={}), pod("j", terminated={"exitCode": 3})
Told = list[tuple[str, str, dict[str, Any]]]


@pytest.mark.parametrize(
    ("told", "facts"),
    [
        pytest.param([("Task", "ADDED", TASK)], [Made("u", "t")], id="a Task is made"),
        pytest.param(
            [("Task", "ADDED", TASK), ("Task", "MODIFIED", {**TASK, "status": FINISHED}), ("Task", "DELETED", TASK)],
            [Made("u", "t"), Wrote("u", FINISHED), Deleted("u")],
            id="its status is written, and it is deleted",
        ),
        pytest.param(
            [("Task", "ADDED", TASK), ("Task", "MODIFIED", TASK)], [Made("u", "t")], id="what stays the same is no fact"
        ),
        pytest.param(
            [("Job", "ADDED", JOB), ("Pod", "ADDED", pod("j")), ("Pod", "MODIFIED", RUNS), ("Pod", "MODIFIED", ENDS)],
            [JobMade("u", 2, "default"), Started("u", 2, "p"), Ended("u", 2, "p", 3)],
            id="the process of an attempt starts and ends",
        ),
        pytest.param(
            [("Job", "ADDED", JOB), ("Pod", "MODIFIED", ENDS)],
            [JobMade("u", 2, "default"), Started("u", 2, "p"), Ended("u", 2, "p", 3)],
            id="one that was never seen to run has started all the same",
        ),
        pytest.param(
            [("Job", "ADDED", JOB), ("Job", "MODIFIED", JOB), ("Job", "DELETED", JOB)],
            [JobMade("u", 2, "default"), JobTaken("u", 2)],
            id="a Job is made once, and taken",
        ),
        pytest.param(
            [("Job", "ADDED", WARM), ("Pod", "MODIFIED", pod("w", running={}))],
            [],
            id="a pod that waits has no attempt",
        ),
        pytest.param([("Event", "ADDED", TASK)], [], id="other objects are none of its business"),
    ],
)
def test_facts(told: Told, facts: list[Fact]) -> None:
    notes = Notes()
    for when, (kind, event, raw) in enumerate(told):
        notes.note(kind, event, raw, when)

    assert notes.facts == facts


TWIN = {**RUNS, "metadata": {**RUNS["metadata"], "uid": "q"}}


@pytest.mark.parametrize(
    ("controlled", "taken"),
    [
        pytest.param(True, [JobTaken("u", 2)], id="a real Job controller has made it, so the attempt may start again"),
        pytest.param(False, [], id="nobody may make it"),
    ],
)
def test_a_second_pod_of_a_job(controlled: bool, taken: list[Fact]) -> None:
    notes = Notes(controlled=controlled)
    for when, (kind, raw) in enumerate((("Job", JOB), ("Pod", RUNS), ("Pod", TWIN), ("Pod", TWIN))):
        notes.note(kind, "MODIFIED", raw, when)

    assert notes.facts == [JobMade("u", 2, "default"), Started("u", 2, "p"), *taken, Started("u", 2, "q")]


@pytest.mark.parametrize(
    ("condition", "collected"),
    [
        pytest.param(("DisruptionTarget", "DeletionByPodGC"), {"job-j"}, id="collected as its node is not there"),
        pytest.param(("DisruptionTarget", "DeletionByTaintManager"), {"job-j"}, id="its node does not answer"),
        pytest.param(("DisruptionTarget", "EvictionByEvictionAPI"), set(), id="evicted"),
        pytest.param(("Ready", ""), set(), id="well"),
    ],
)
def test_pods_that_went_with_their_node(condition: tuple[str, str], collected: set[str]) -> None:
    notes = Notes(controlled=True)
    conditions = [dict(zip(("type", "reason"), condition, strict=True))]
    notes.note("Pod", "MODIFIED", {**RUNS, "status": {**RUNS["status"], "conditions": conditions}}, 1)

    assert notes.collected == collected


def test_a_process_whose_node_went_ended_as_its_pod_did() -> None:
    notes = Notes(controlled=True)
    failed = {**RUNS, "status": {**RUNS["status"], "phase": "Failed"}}
    told = [("MODIFIED", RUNS), ("MODIFIED", failed), ("MODIFIED", failed), ("DELETED", failed)]
    for when, (event, raw) in enumerate([("ADDED", JOB), *told]):
        notes.note("Job" if raw is JOB else "Pod", event, raw, when)

    assert notes.facts == [JobMade("u", 2, "default"), Started("u", 2, "p"), Ended("u", 2, "p", 137)]


@pytest.mark.parametrize(
    ("lines", "facts"),
    [
        pytest.param(
            "1.0 u 1 p start\n2.0 u 1 p 0\n", [Started("u", 1, "p"), Ended("u", 1, "p", 0)], id="a start and an end"
        ),
        pytest.param(
            "1.0 u 1 p start\n", [Started("u", 1, "p"), Ended("u", 1, "p", 137)], id="who was killed ended with its pod"
        ),
        pytest.param("1.0 u 1 q start\n", [Started("u", 1, "q")], id="who still runs has not ended"),
    ],
)
def test_what_processes_write(lines: str, facts: list[Fact], tmp_path: Path) -> None:
    book = tmp_path / "book"
    book.write_text(lines)
    notes = Notes(book)
    notes.note("Pod", "DELETED", pod("w", running={}), 5.0)

    assert notes.facts == facts


def test_a_process_in_a_pod_of_its_own_is_counted_once(tmp_path: Path) -> None:
    book = tmp_path / "book"
    book.write_text("1.5 u 2 p start\n1.6 u 2 p 3\n")
    notes = Notes(book)
    for when, (kind, raw) in enumerate((("Job", JOB), ("Pod", RUNS), ("Pod", ENDS))):
        notes.note(kind, "MODIFIED", raw, when)

    assert notes.facts == [JobMade("u", 2, "default"), Started("u", 2, "p"), Ended("u", 2, "p", 3)]
