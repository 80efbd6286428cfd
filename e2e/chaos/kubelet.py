"""A node without containers: each pod of a namespace is a process of this machine, and its status says what it does."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from e2e.support.kube import PODS, Kind, Kube, Obj, Refused
from e2e.support.witness import TROUBLE, Follower

from celeriac_operator.dev.container import process_of


class Kubelet:
    """Runs what pods say.

    Args:
        directory: where what they leave is.
    """

    def __init__(self, kube: Kube, namespace: str, directory: Path) -> None:
        self._kube, self._namespace, self._directory = kube, namespace, directory
        self._known: set[str] = set()
        self._pool = ThreadPoolExecutor(32)
        self._over = threading.Event()
        self._follower = Follower(kube, PODS, namespace, self._hear)

    def start(self) -> None:
        """Begin."""
        self._directory.mkdir()
        self._follower.start()

    def stop(self) -> None:
        """End; processes end by themselves."""
        self._over.set()
        self._follower.stop()
        self._pool.shutdown()

    def _hear(self, _kind: Kind, event: str, pod: Obj) -> None:
        uid = pod["metadata"]["uid"]
        if event != "DELETED" and uid not in self._known:
            self._known.add(uid)
            self._pool.submit(self._run, pod)

    def _run(self, pod: Obj) -> None:
        result = self._directory / pod["metadata"]["uid"]
        process = process_of(pod, lambda _kind, _name: None, sys.executable, result)
        started = _now()
        self._tell(pod, "Running", {"running": {"startedAt": started}})
        code = subprocess.run(process.argv, env=dict(process.env), check=False).returncode
        message = result.read_text() if result.exists() else ""
        reason = "Completed" if code == 0 else "Error"
        state = {"exitCode": code, "reason": reason, "message": message, "startedAt": started, "finishedAt": _now()}
        self._tell(pod, "Failed" if code else "Succeeded", {"terminated": state})

    def _tell(self, pod: Obj, phase: str, state: Obj) -> None:
        """Until the API server has it; for nothing, where the pod is gone."""
        name = pod["spec"]["containers"][0]["name"]
        container = {"name": name, "image": "", "imageID": "", "ready": phase == "Running", "restartCount": 0}
        status = {
            "phase": phase,
            "startTime": _now(),
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{**container, "state": state}],
        }
        while not self._over.is_set():
            try:
                self._kube.patch(
                    PODS, self._namespace, pod["metadata"]["name"], {"status": status}, subresource="status"
                )
            except TROUBLE as error:
                if isinstance(error, Refused) and error.status == 404:
                    return
                time.sleep(0.2)
            else:
                return


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
