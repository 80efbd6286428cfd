"""What the log of an attempt needs to know of its pod: which one it is, which container, and whether it has begun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celeriac.wire.names import WORKER_LABEL

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
TASK_CONTAINER = "task"
JOB_NAME = "batch.kubernetes.io/job-name"
"""Label of a pod: the Job that it is of."""


def container_of(pod: Mapping[str, Any]) -> str:
    """The container that runs the task, among sidecars that others may have put into the pod."""
    names: list[str] = [container["name"] for container in pod["spec"]["containers"]]
    marked = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    return next((name for name in names if name in (TASK_CONTAINER, marked)), names[0])


def takes_many(pod: Mapping[str, Any]) -> bool:
    """It is a worker's: its log goes on after the end of a task."""
    return WORKER_LABEL in (pod["metadata"].get("labels") or {})


def container_state(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """The state of the task's container: ``running``, ``waiting`` or ``terminated`` with details, or nothing yet."""
    name = container_of(pod)
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    state = next((status.get("state") for status in statuses if status["name"] == name), None)
    return state or {}


def has_log(pod: Mapping[str, Any]) -> bool:
    """True once the task's process has begun."""
    return bool({"running", "terminated"} & set(container_state(pod))) or over(pod)


def over(pod: Mapping[str, Any]) -> bool:
    """True once no more can come: the task's process, or the pod, has ended."""
    phase = (pod.get("status") or {}).get("phase")
    return "terminated" in container_state(pod) or phase in {"Succeeded", "Failed"}
