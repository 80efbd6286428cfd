"""Snapshots of Tasks."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from celeriac._task import parse_task, parse_time

META = {"name": "n", "namespace": "team", "uid": "u", "creationTimestamp": "2026-11-23T10:00:00Z"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-11-23T10:00:00Z", datetime(2026, 11, 23, 10, tzinfo=UTC), id="seconds"),
        pytest.param("2026-11-23T10:00:00.123456Z", datetime(2026, 11, 23, 10, 0, 0, 123456, UTC), id="microseconds"),
        pytest.param("2026-11-23T10:00:00.123456789Z", datetime(2026, 11, 23, 10, 0, 0, 123456, UTC), id="nanoseconds"),
        pytest.param(
            "2026-11-23T10:00:00+02:00",
            datetime(2026, 11, 23, 10, tzinfo=timezone(timedelta(hours=2))),
            id="another zone",
        ),
    ],
)
def test_parse_time(text: str, expected: datetime) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    ("manifest", "queue"),
    [
        pytest.param({}, "default", id="nothing is said"),
        pytest.param({"spec": {"queueName": "q"}}, "q", id="what was asked for"),
        pytest.param({"spec": {}, "status": {"effective": {"queueName": "p"}}}, "p", id="what it was accepted into"),
    ],
)
def test_queue(manifest: dict[str, Any], queue: str) -> None:
    assert parse_task({"metadata": META} | manifest).queue == queue


def test_a_task_of_a_later_version_can_be_read() -> None:
    status = {"newField": 1, "conditions": []}

    task = parse_task({"metadata": META, "spec": {"unknown": {}}, "status": status})

    assert task.manifest["spec"] == {"unknown": {}}


def test_a_snapshot_does_not_change() -> None:
    task = parse_task({"metadata": META})

    with pytest.raises(dataclasses.FrozenInstanceError):
        task.name = "other"  # type: ignore[misc]
