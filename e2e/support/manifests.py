"""Builders of what tests apply; each says only what the test is about."""

from typing import Any

from e2e.cluster.images.basic import BUSYBOX

Obj = dict[str, Any]

API_VERSION = "celeriac.dev/v1alpha1"
QUICK: Obj = {"cpu": "10m", "memory": "32Mi"}
"""Requests so small that a whole batch fits on a node at once."""


def sh(script: str) -> list[str]:
    """A shell script as a command."""
    return ["sh", "-c", script]


def container(script: str = "true", **more: Any) -> Obj:
    """A container of the small image that every cluster of ours has."""
    plain: Obj = {"image": BUSYBOX, "command": sh(script), "resources": {"requests": QUICK}}
    return {**plain, **more}


def task(name: str, script: str = "true", *, container_fields: Obj | None = None, **spec: Any) -> Obj:
    """A Task with a container that runs a shell script; more of its spec as keywords."""
    return _task(name, {"container": container(script, **(container_fields or {})), **spec})


def task_of(definition_name: str, name: str, **spec: Any) -> Obj:
    """A Task that names a TaskDefinition."""
    return _task(name, {"definitionName": definition_name, **spec})


def definition(name: str, script: str = "true", *, container_fields: Obj | None = None, **spec: Any) -> Obj:
    """A TaskDefinition with a container that runs a shell script; more of its spec as keywords."""
    inner = container(script, **(container_fields or {}))
    return {
        "apiVersion": API_VERSION,
        "kind": "TaskDefinition",
        "metadata": {"name": name},
        "spec": {"container": inner, **spec},
    }


def queue(name: str, **spec: Any) -> Obj:
    """A TaskQueue; its spec as keywords."""
    return {"apiVersion": API_VERSION, "kind": "TaskQueue", "metadata": {"name": name}, "spec": spec}


def quota(name: str, **hard: str) -> Obj:
    """A ResourceQuota; `count/jobs.batch` is given as `jobs`."""
    named = {"count/jobs.batch" if key == "jobs" else key: value for key, value in hard.items()}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": {"hard": named}}


def secret(name: str, **values: str) -> Obj:
    """A Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def backoff(seconds: int = 0) -> Obj:
    """The same pause before each attempt, to the second."""
    return {"initialSeconds": seconds, "multiplierPercent": 100, "jitter": "None"}


def _task(name: str, spec: Obj) -> Obj:
    return {"apiVersion": API_VERSION, "kind": "Task", "metadata": {"name": name}, "spec": spec}
