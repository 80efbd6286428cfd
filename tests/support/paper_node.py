"""Plays the Job controller and a kubelet where there is no node: each Job has a pod, which ends as it is told."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Literal

from e2e.support.kube import JOBS, PODS, Kube, Refused

from celeriac_operator.core import names

Obj = dict[str, Any]

Play = Literal["waits", "runs", "succeeds", "fails"]


class PaperNode:
    """It notes what it starts, as a node would by running it. Its pods end well, but where a test says otherwise."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube, self._namespace = kube, namespace
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.starts: Counter[str] = Counter()
        """How many pods each Task's processes have had."""
        self.plays: dict[str, Play] = {}
        """What becomes of a Task's pods."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._over.wait(0.1):
            with suppress(Exception):  # the API server is away: tests do that to it
                for job in self._kube.list(JOBS, self._namespace):
                    self._work_on(job)

    def _work_on(self, job: Obj) -> None:
        name = job["metadata"]["name"]
        pod = self._kube.get(PODS, self._namespace, f"{name}-0")
        task = job["spec"]["template"]["metadata"]["labels"][names.TASK_LABEL]
        if pod is None:
            self._kube.create(_pod_of(job), self._namespace)
            self.starts[task] += 1
        else:
            self._play(pod, self.plays.get(task, "succeeds"))

    def _play(self, pod: Obj, play: Play) -> None:
        phase = pod["status"].get("phase")
        if phase == "Pending" and play != "waits":
            self._tell(pod, "Running", {"running": {"startedAt": _now()}})
        elif phase == "Running" and play in ("succeeds", "fails"):
            well = play == "succeeds"
            ended = {"exitCode": 0 if well else 1, "reason": "Completed" if well else "Error", "message": '{"size": 3}'}
            ended |= {"startedAt": _now(), "finishedAt": _now()}
            self._tell(pod, "Succeeded" if well else "Failed", {"terminated": ended})

    def _tell(self, pod: Obj, phase: str, state: Obj) -> None:
        container = {"name": "task", "image": "none", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        status = {"phase": phase, "startTime": _now(), "containerStatuses": [container]}
        with suppress(Refused):  # it has gone meanwhile
            self._kube.patch(PODS, self._namespace, pod["metadata"]["name"], {"status": status}, subresource="status")


def _pod_of(job: Obj) -> Obj:
    meta, template = job["metadata"], job["spec"]["template"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
    labels = {**template["metadata"]["labels"], "batch.kubernetes.io/job-name": meta["name"]}
    made = {"name": f"{meta['name']}-0", "labels": labels, "ownerReferences": [owner]}
    spec = {**template["spec"], "nodeName": "paper"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": spec}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def paper_node(kube: Kube, namespace: str) -> Iterator[PaperNode]:
    """One that works."""
    node = PaperNode(kube, namespace)
    node.start()
    try:
        yield node
    finally:
        node.stop()
