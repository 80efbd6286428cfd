"""What is measured: a Task that does nothing, and a raw Job of the very pod that the operator makes of it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from e2e.cluster.images.basic import BUSYBOX
from e2e.support.kube import JOBS, TASKS, Kind
from e2e.support.predicates import condition

Obj = dict[str, Any]

RESOURCES = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
"""Small, so that a whole burst fits on one node and nothing waits for room."""


@dataclass(frozen=True)
class Subject:
    """One of the two ways to run the pod."""

    name: str
    kind: Kind
    manifest: Callable[[str], Obj]
    ended: Callable[[Obj], bool | None]
    """Whether it has succeeded; None while it has not ended."""


def tasks() -> Subject:
    """Celeriac's way."""
    return Subject("Task", TASKS, task, lambda obj: _outcome(obj, "Finished", "Succeeded"))


def jobs(made_by_operator: Obj) -> Subject:
    """Kubernetes' own way, with the pod of a Job that the operator made."""
    pod = made_by_operator["spec"]["template"]["spec"]
    return Subject("Job", JOBS, lambda name: job(name, pod), job_ended)


def task(name: str) -> Obj:
    """A Task that does nothing."""
    container = {"image": BUSYBOX, "imagePullPolicy": "IfNotPresent", "command": ["true"], "resources": RESOURCES}
    return {
        "apiVersion": "celeriac.dev/v1alpha1",
        "kind": "Task",
        "metadata": {"name": name},
        "spec": {"container": container},
    }


def job(name: str, pod: Obj) -> Obj:
    """A Job of that pod, without the labels by which the operator would take it for its own."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }


def job_ended(obj: Obj) -> bool | None:
    """Whether a Job has succeeded; None while it has not ended."""
    if condition(obj, "Failed") == "True":
        return False
    return True if condition(obj, "Complete") == "True" else None


def _outcome(obj: Obj, end: str, good: str) -> bool | None:
    return condition(obj, good) == "True" if condition(obj, end) == "True" else None
