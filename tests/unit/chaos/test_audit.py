"""What processes on a node have written, as facts, and their Jobs."""

from __future__ import annotations

from typing import Any

import pytest
from e2e.support.audit import Line, _against_status, _jobs, _lost, processes
from tests.support.invariants import Ended, Fact, Started, violations

FIRST, SECOND = Line("t", "u", 1, "p1", "start"), Line("t", "u", 2, "p2", "start")
GOES_ON = Line("t", "u", 1, "p1", "goes-on")
OTHER = Line("o", "v", 1, "p1", "start")


@pytest.mark.parametrize(
    ("lines", "gone", "facts"),
    [
        pytest.param(
            [FIRST, Line("t", "u", 1, "p1", "end-1")],
            ("p1",),
            [Started("u", 1, "p1"), Ended("u", 1, "p1", 1)],
            id="an end",
        ),
        pytest.param([FIRST], (), [Started("u", 1, "p1")], id="who still runs"),
        pytest.param([FIRST], ("p1",), [Started("u", 1, "p1"), Ended("u", 1, "p1", 137)], id="who was killed"),
        pytest.param(
            [FIRST, GOES_ON, SECOND],
            ("p1",),
            [Started("u", 1, "p1"), Ended("u", 1, "p1", 137), Started("u", 2, "p2")],
            id="who was killed ended after its last line",
        ),
        pytest.param(
            [FIRST, OTHER, Line("t", "u", 1, "p1", "end-0")],
            ("p1",),
            [Started("u", 1, "p1"), Started("v", 1, "p1"), Ended("v", 1, "p1", 137), Ended("u", 1, "p1", 0)],
            id="two of one pod",
        ),
    ],
)
def test_processes(lines: list[Line], gone: tuple[str, ...], facts: list[Fact]) -> None:
    assert list(processes(lines, gone)) == facts


def test_one_that_was_killed_too_late_is_seen() -> None:
    facts = list(processes([FIRST, SECOND, GOES_ON], ("p1",)))

    assert violations(facts) == ["attempts_do_not_overlap: u: attempt 2 began while [1] ran"]


def task(*jobs: str) -> dict[str, Any]:
    meta = {"name": "t", "uid": "u"}
    return {"metadata": meta, "status": {"attempts": [{"number": 1, "jobName": job} for job in jobs]}}


def job(name: str, kind: str = "Task", uid: str = "u") -> dict[str, Any]:
    return {"metadata": {"name": name, "ownerReferences": [{"kind": kind, "uid": uid}]}}


@pytest.mark.parametrize(
    ("tasks", "jobs", "problems"),
    [
        pytest.param([task("t-a1")], [job("t-a1")], [], id="one for each attempt"),
        pytest.param([task("d-w-1")], [job("d-w-1", "TaskDefinition", "d")], [], id="a pod that had waited"),
        pytest.param([task("d-w-1")], [], [], id="a pod that had waited and is gone"),
        pytest.param([task("t-a1")], [], ["t: its Job t-a1 is owned by None"], id="none"),
        pytest.param([task()], [job("t-a1")], ["Job t-a1 is of no attempt"], id="one too many"),
        pytest.param([], [job("t-a1")], ["Job t-a1 is of no attempt"], id="its Task is gone"),
        pytest.param(
            [task("t-a1")], [job("t-a1", uid="x")], ["t: its Job t-a1 is owned by ('Task', 'x')"], id="another's"
        ),
    ],
)
def test_jobs(tasks: list[dict[str, Any]], jobs: list[dict[str, Any]], problems: list[str]) -> None:
    assert list(_jobs({each["metadata"]["name"]: each for each in tasks}, jobs)) == problems


def audited(phase: str, *ends: tuple[str | None, int | None]) -> dict[str, Any]:
    """A Task with so many attempts, each with its failure and exit code."""
    found = [
        {"number": number, "jobName": f"j{number}", "podName": f"p{number}", "failure": failure, "exitCode": code}
        for number, (failure, code) in enumerate(ends, 1)
    ]
    spec = {"definitionName": "audited"}
    return {"metadata": {"name": "t", "uid": "u"}, "spec": spec, "status": {"phase": phase, "attempts": found}}


def end(attempt: int, code: int) -> Line:
    return Line("t", "u", attempt, f"p{attempt}", f"end-{code}")


@pytest.mark.parametrize(
    ("told", "written", "problems"),
    [
        pytest.param(audited("Succeeded", ("AppError", 1), (None, 0)), [end(1, 1), end(2, 0)], 0, id="as it was"),
        pytest.param(audited("Succeeded", ("Evicted", 137), (None, 0)), [end(2, 0)], 0, id="one was killed"),
        pytest.param(
            audited("Succeeded", ("NodeLost", 255), (None, 0)), [end(1, 0), end(2, 0)], 0, id="an end was lost"
        ),
        pytest.param(audited("Failed", ("AppError", 1)), [end(1, 0)], 2, id="a success is told as a failure"),
        pytest.param(audited("Succeeded", ("Evicted", 137), (None, 0)), [end(1, 0), end(2, 0)], 2, id="twice"),
        pytest.param(audited("Succeeded", (None, 0)), [], 2, id="nothing ran"),
        pytest.param(audited("Failed"), [end(1, 1)], 1, id="what ran is not told"),
    ],
)
def test_against_status(told: dict[str, Any], written: list[Line], problems: int) -> None:
    assert len(list(_against_status({"t": told}, written, _lost({"t": told}, ())))) == problems


@pytest.mark.parametrize(
    ("first", "collected", "problems"),
    [
        pytest.param(("PodDeleted", None), "j1", 0, id="its pod was collected before anybody had looked"),
        pytest.param(
            ("PodDeleted", None), "j2", 2, id="somebody else deleted its pod, and its success was there to see"
        ),
        pytest.param(("AppError", 1), "j1", 2, id="its pod was collected, and it is told otherwise all the same"),
    ],
)
def test_a_success_of_the_first_of_two_attempts(
    first: tuple[str | None, int | None], collected: str, problems: int
) -> None:
    tasks = {"t": audited("Succeeded", first, (None, 0))}
    lost = _lost(tasks, {collected})

    assert len(list(_against_status(tasks, [end(1, 0), end(2, 0)], lost))) == problems
