"""Which container, and whether it has begun and ended."""

from __future__ import annotations

from typing import Any

import pytest

from celeriac._pods import container_of, has_log, over


def pod(*names: str, default: str | None = None) -> dict[str, Any]:
    notes = {"kubectl.kubernetes.io/default-container": default} if default else {}
    return {"metadata": {"annotations": notes}, "spec": {"containers": [{"name": name} for name in names]}}


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param(pod("task"), "task", id="the only one"),
        pytest.param(pod("sidecar", "task"), "task", id="the task's, wherever it stands"),
        pytest.param(pod("a", "b", default="b"), "b", id="the one that is marked"),
        pytest.param(pod("a", "b", default="gone"), "a", id="the first where the mark is wrong"),
    ],
)
def test_container_of(pod: dict[str, Any], expected: str) -> None:
    assert container_of(pod) == expected


@pytest.mark.parametrize(
    ("status", "log", "ended"),
    [
        pytest.param({}, False, False, id="a new pod"),
        pytest.param({"containerStatuses": [{"name": "task", "state": {"waiting": {}}}]}, False, False, id="waiting"),
        pytest.param({"containerStatuses": [{"name": "task", "state": {"running": {}}}]}, True, False, id="running"),
        pytest.param(
            {"containerStatuses": [{"name": "task", "state": {"terminated": {}}}]}, True, True, id="terminated"
        ),
        pytest.param({"phase": "Failed"}, True, True, id="a pod that failed as a whole"),
        pytest.param(
            {"containerStatuses": [{"name": "other", "state": {"running": {}}}]}, False, False, id="a sidecar"
        ),
    ],
)
def test_states(status: dict[str, Any], log: bool, ended: bool) -> None:
    one = pod("task") | {"status": status}

    assert (has_log(one), over(one)) == (log, ended)
