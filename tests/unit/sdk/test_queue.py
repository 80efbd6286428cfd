"""A TaskQueue as the SDK shows it."""

from __future__ import annotations

from typing import Any

import pytest

from celeriac._queue import parse_queue


def manifest(spec: dict[str, Any], status: dict[str, Any] | None = None, generation: int = 2) -> dict[str, Any]:
    meta = {
        "name": "media",
        "namespace": "team",
        "uid": "u",
        "generation": generation,
        "creationTimestamp": "2026-11-23T09:00:00Z",
    }
    return {"metadata": meta, "spec": spec, **({"status": status} if status else {})}


def active(reason: str, generation: int) -> dict[str, Any]:
    truth = "True" if reason == "Active" else "False"
    time = "2026-11-23T10:00:00Z"
    return {
        "conditions": [
            {
                "type": "Active",
                "status": truth,
                "reason": reason,
                "lastTransitionTime": time,
                "observedGeneration": generation,
            }
        ]
    }


STATES: dict[str, tuple[dict[str, Any], dict[str, Any] | None, str]] = {
    "a queue that goes on is active": ({}, None, "Active"),
    "stopPolicy None is active, too": ({"stopPolicy": "None"}, None, "Active"),
    "a held queue is held at once": ({"stopPolicy": "Hold"}, active("Active", 1), "Held"),
    "a drain that the operator has not seen is under way": (
        {"stopPolicy": "HoldAndDrain"},
        active("Active", 1),
        "Draining",
    ),
    "an earlier drain says nothing of this one": ({"stopPolicy": "HoldAndDrain"}, active("Drained", 1), "Draining"),
    "a drain that goes on": ({"stopPolicy": "HoldAndDrain"}, active("Draining", 2), "Draining"),
    "a drain that is done": ({"stopPolicy": "HoldAndDrain"}, active("Drained", 2), "Drained"),
}


@pytest.mark.parametrize(("spec", "status", "expected"), STATES.values(), ids=list(STATES))
def test_the_state_of_a_queue(spec: dict[str, Any], status: dict[str, Any] | None, expected: str) -> None:
    queue = parse_queue(manifest(spec, status))

    assert expected == queue.state
    assert (expected != "Active") == queue.paused


def test_a_queue_whose_status_nobody_wrote_is_empty() -> None:
    queue = parse_queue(manifest({}))

    assert (0, 0, False) == (queue.running, queue.queued, queue.drained)


def test_what_the_operator_counted() -> None:
    queue = parse_queue(manifest({}, {"running": 3, "queued": 7}))

    assert (3, 7) == (queue.running, queue.queued)
