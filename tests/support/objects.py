"""The API server's own JSON, as it really looks, for tests of what reads it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from tests.support.builders import EFFECTIVE, TASK_UID, name_of
from tests.support.clock import T0, at, wire

from celeriac_operator.core import names

Raw = dict[str, Any]


def raw_task(name: str = "resize-42", *, spec: Raw | None = None, status: Raw | None = None, **meta: Any) -> Raw:
    """A Task."""
    found = {
        "apiVersion": "celeriac.dev/v1alpha1",
        "kind": "Task",
        "metadata": _meta(name, TASK_UID, **meta),
        "spec": spec if spec is not None else {"container": {"image": "busybox:1.36"}},
    }
    return found if status is None else {**found, "status": status}


def raw_job(attempt: int = 1, *, conditions: list[Raw] | None = None, **meta: Any) -> Raw:
    """The Job of an attempt."""
    accepted = json.dumps({"effective": EFFECTIVE.to_wire()})
    labels = {names.MANAGED_BY_LABEL: "celeriac", names.TASK_LABEL: "resize-42", names.ATTEMPT_LABEL: str(attempt)}
    defaults: Raw = {
        "labels": labels,
        "annotations": {names.ACCEPTED_ANNOTATION: accepted},
        "ownerReferences": [owner("Task", "resize-42", TASK_UID)],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _meta(name_of(attempt), f"job-{attempt}", **{**defaults, **meta}),
        "spec": {"backoffLimit": 0, "completions": 1, "parallelism": 1},
        "status": {"conditions": conditions} if conditions else {},
    }


def raw_pod(
    state: Raw | None = None, *, attempt: int = 1, phase: str = "Pending", status: Raw | None = None, **meta: Any
) -> Raw:
    """The pod of an attempt, its container in that state."""
    statuses = [{"name": "task", "image": "busybox:1.36", "ready": False, "restartCount": 0, "state": state}]
    labels = {names.MANAGED_BY_LABEL: "celeriac", names.TASK_LABEL: "resize-42"}
    defaults: Raw = {"labels": labels, "ownerReferences": [owner("Job", name_of(attempt), f"job-{attempt}")]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _meta(f"{name_of(attempt)}-x7k2p", "pod-1", **{**defaults, **meta}),
        "spec": {"nodeName": "node-a", "containers": [{"name": "task", "image": "busybox:1.36"}]},
        "status": {"phase": phase, **({"containerStatuses": statuses} if state is not None else {}), **(status or {})},
    }


def owner(kind: str, name: str, uid: str, *, controller: bool = True) -> Raw:
    """An owner reference."""
    return {"apiVersion": "v1", "kind": kind, "name": name, "uid": uid, "controller": controller}


def terminated(code: int, reason: str, message: str = "", start: float | None = 2, finish: float | None = 9) -> Raw:
    """The state of a container that has ended."""
    times = {
        "startedAt": wire(at(start)) if start is not None else None,
        "finishedAt": wire(at(finish)) if finish is not None else None,
    }
    return {"terminated": {"exitCode": code, "reason": reason, **({"message": message} if message else {}), **times}}


def _meta(name: str, uid: str, *, created: datetime = T0, version: str = "100", **more: Any) -> Raw:
    base = {"name": name, "namespace": "media", "uid": uid, "resourceVersion": version, "generation": 1}
    return {**base, "creationTimestamp": wire(created), **more}
