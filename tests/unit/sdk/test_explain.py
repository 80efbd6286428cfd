"""Why a task is where it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.sdk.fake_api import finished

from celeriac._explain import Answer, Evidence, count_ahead, explain, local, span
from celeriac._task import Task, parse_task

NOW = datetime(2026, 11, 23, 10, 10, tzinfo=UTC)
AT = "2026-11-23T10:{}:00Z"


def task(status: dict[str, Any] | None = None, name: str = "n", minute: str = "00", **spec: Any) -> Task:
    meta = {"name": name, "namespace": "team", "uid": name, "creationTimestamp": AT.format(minute)}
    return parse_task({"metadata": meta, "spec": spec, "status": status or {}})


def attempt(**more: Any) -> dict[str, Any]:
    return {"number": 1, "jobName": "j", "createTime": AT.format("05")} | more


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "task"}]}, "status": status}


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
PULL = [{"name": "task", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}}}]
OOM = [{"name": "task", "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]
RUNNING = attempt(startTime=AT.format("06"), nodeName="node-1")


@pytest.mark.parametrize(
    ("evidence", "line"),
    [
        pytest.param(Evidence(task()), "the operator has not seen it yet", id="no operator"),
        pytest.param(Evidence(task({"message": "Waiting: full"})), "Waiting: full", id="the status's own sentence"),
        pytest.param(Evidence(task()), "Waiting for 10m, in queue default", id="how long it waits"),
        pytest.param(
            Evidence(task(startTime=AT.format("30"))),
            "Starts not before 2026-11-23 10:30:00 UTC, in 20m",
            id="a later start",
        ),
        pytest.param(
            Evidence(task({"startTime": AT.format("02")})), "Waited 2m in queue default", id="how long it waited"
        ),
        pytest.param(
            Evidence(task({"nextAttemptTime": AT.format("11")})),
            "Next attempt in 1m, 2026-11-23 10:11:00",
            id="the next attempt",
        ),
        pytest.param(
            Evidence(task({"nextAttemptTime": AT.format("09")})), "Next attempt due since", id="an attempt that is due"
        ),
        pytest.param(
            Evidence(task(finished("AppError", finishTime=AT.format("09")))), "Finished 1m ago", id="when it finished"
        ),
        pytest.param(Evidence(task(priority=5), ahead=3), "Position 4 in queue default, at priority 5", id="its place"),
        pytest.param(
            Evidence(task(deadlines={"queueSeconds": 900})),
            "Deadline queueSeconds 900: 5m left",
            id="time left to start",
        ),
        pytest.param(
            Evidence(task(deadlines={"queueSeconds": 540})),
            "queueSeconds 540: over since 1m",
            id="a deadline that is over",
        ),
        pytest.param(
            Evidence(task({"effective": {"deadlines": {"startSeconds": 600}}, "attempts": [attempt()]})),
            "startSeconds 600: 5m left",
            id="time left for the attempt to start",
        ),
        pytest.param(
            Evidence(task({"startTime": AT.format("06"), "attempts": [RUNNING]}, deadlines={"runSeconds": 300})),
            "runSeconds 300: 1m left",
            id="time left to run",
        ),
        pytest.param(Evidence(task({"attempts": [RUNNING]})), "Attempt 1 running, on node-1", id="a running attempt"),
        pytest.param(
            Evidence(
                task(
                    {"attempts": [attempt(failure="AppError", exitCode=1, finishTime=AT.format("06"), message="no\n")]}
                )
            ),
            "Attempt 1 AppError, exit code 1, 1m: no",
            id="a failed attempt",
        ),
        pytest.param(
            Evidence(task(), pod(conditions=[UNSCHEDULABLE])),
            "Pod PodScheduled is False: Unschedulable: 0/1 nodes",
            id="a pod that fits nowhere",
        ),
        pytest.param(
            Evidence(task(), pod(containerStatuses=PULL)),
            "Container waiting: ImagePullBackOff: Back-off",
            id="an image that is not there",
        ),
        pytest.param(
            Evidence(task(), pod(containerStatuses=OOM)),
            "terminated, exit code 137: OOMKilled",
            id="a killed container",
        ),
    ],
)
def test_explain(evidence: Evidence, line: str) -> None:
    text = " ".join(str(explain(evidence, NOW)).split())

    assert line in text


def test_a_finished_task_has_no_deadlines_left() -> None:
    text = str(explain(Evidence(task(finished("Succeeded"), deadlines={"totalSeconds": 5})), NOW))

    assert "Deadline" not in text


def test_events_come_last_and_in_order_of_time() -> None:
    def event(reason: str, minute: str, **more: Any) -> dict[str, Any]:
        about = {"kind": "Pod", "name": "p"}
        return {
            "metadata": {},
            "involvedObject": about,
            "reason": reason,
            "message": "m",
            "lastTimestamp": AT.format(minute),
        } | more

    given = [
        event("Late", "09", count=3),
        event("Early", "01"),
        event("New", "08", lastTimestamp=None, eventTime=AT.format("05")),
    ]
    facts = [text for label, text in explain(Evidence(task(), events=given), NOW).facts if label == "Event"]

    assert facts == ["Pod Early, 9m ago: m", "Pod New, 5m ago: m", "Pod Late ×3, 1m ago: m"]


def test_who_comes_before() -> None:
    mine = task(name="mine", minute="05", priority=1)
    others = [
        mine,
        task(name="higher", minute="09", priority=2),
        task(name="lower", minute="01", priority=0),
        task(name="older", minute="04", priority=1),
        task(name="newer", minute="06", priority=1),
        task(finished("Succeeded"), name="done", minute="01", priority=9),
        task(name="later", minute="01", priority=1, startTime=AT.format("07")),
    ]

    assert count_ahead(mine, others) == 2


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0s"),
        (0.34, "0.3s"),
        (59, "59s"),
        (60, "1m"),
        (61, "1m1s"),
        (3_600, "1h"),
        (5_400, "1h30m"),
        (86_400, "1d"),
        (100_000, "1d3h"),
        (-5, "0s"),
    ],
)
def test_span(seconds: float, expected: str) -> None:
    assert span(NOW + timedelta(seconds=seconds), NOW) == expected


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_last_moment_of_all_is_told_in_every_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert local(datetime.max.replace(tzinfo=UTC)) == datetime.max.replace(tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param(None, True, id="counted here where nobody could be asked"),
        pytest.param({"position": 3}, True, id="the operator's"),
        pytest.param({"position": None}, False, id="none where the operator knows of none: it can never fit"),
    ],
)
def test_a_position_is_not_invented(said: dict[str, Any] | None, shown: bool) -> None:
    found = explain(Evidence(task(), ahead=0, operator=Answer(said)), NOW)

    assert shown == ("Position" in dict(found.facts))
