"""A node without containers: each pod of a namespace is a process of this machine, and its status says what it does."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from e2e.support.kube import NODES, PODS, Kind, Kube, Obj, Refused
from e2e.support.witness import TROUBLE, Follower

from celeriac_operator.dev.container import process_of

REFUSED = 2
"""So many pods were on the way to a node when its disk was full."""
_EVICTED = {
    "reason": "Evicted",
    "message": "The node was low on resource: ephemeral-storage. ",
    "conditions": [
        {"type": "PodScheduled", "status": "True"},
        {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"},
    ],
}


class Kubelet:
    """Runs what pods say, and ends what is deleted: a pod is there until its process has ended.

    Args:
        directory: where what they leave is.
        node: its name.
    """

    def __init__(self, kube: Kube, namespace: str, directory: Path, node: str) -> None:
        self._kube, self._namespace, self._directory, self._node = kube, namespace, directory, node
        self._known: set[str] = set()
        self._leaving: set[str] = set()
        self._told: set[str] = set()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._evicted: set[str] = set()
        self._refuses = 0
        self._room = threading.Event()
        self._room.set()
        self._pool = ThreadPoolExecutor(32)
        self._over = threading.Event()
        self._follower = Follower(kube, PODS, namespace, self._hear)

    def start(self) -> None:
        """Begin, as a node of the cluster."""
        self._directory.mkdir(exist_ok=True)
        self._insist(lambda: self._kube.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": self._node}}))
        self._follower.start()

    def stop(self) -> None:
        """End; processes end by themselves."""
        self._over.set()
        self._room.set()
        self._follower.stop()
        self._pool.shutdown()

    def lose_power(self) -> None:
        """What runs ends, and nobody tells. The node is not there any more."""
        self._over.set()
        for process in self._processes.values():
            process.kill()
        self.stop()
        self._kube.delete(NODES, None, self._node)

    def fill(self) -> None:
        """Its disk has no room: it evicts what runs, and refuses who is on the way. Then nobody sends it any pod."""
        self._refuses = REFUSED
        self._room.clear()
        for uid, process in list(self._processes.items()):
            if process.poll() is None:
                self._evicted.add(uid)
                process.kill()

    def make_room(self) -> None:
        """Again."""
        self._room.set()

    def left(self) -> int:
        """How many pods are there that were given to it."""
        return len(self._kube.list(PODS, self._namespace, fields=f"spec.nodeName={self._node}"))

    def _hear(self, _kind: Kind, event: str, pod: Obj) -> None:
        uid = pod["metadata"]["uid"]
        if pod["spec"].get("nodeName", self._node) != self._node:
            return
        if event != "DELETED" and uid not in self._known:
            self._known.add(uid)
            self._pool.submit(self._run, pod)
        if pod["metadata"].get("deletionTimestamp") and event != "DELETED":
            self._leaving.add(uid)
            self._pool.submit(self._end, pod)

    def _end(self, pod: Obj) -> None:
        """End the process of a pod that is deleted, and let go of the pod once its end is told."""
        uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
        if uid in self._leaving and uid in self._told:
            self._insist(lambda: self._kube.delete(PODS, self._namespace, name, grace_seconds=0))
        elif uid in self._leaving and uid in self._processes:
            self._processes[uid].terminate()

    def _run(self, pod: Obj) -> None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        if not self._has_room():
            self._refuse(pod)
            return
        # A pod without a node would be gone the moment that it is deleted, whatever its process does.
        if not self._insist(lambda: self._kube.bind(self._namespace, name, self._node)):
            return
        started = _now()
        self._tell(pod, "Running", {"running": {"startedAt": started}})
        code, message = self._result(pod, self._directory / uid)
        reason = "Completed" if code == 0 else "Error"
        state = {"exitCode": code, "reason": reason, "message": message, "startedAt": started, "finishedAt": _now()}
        why = _EVICTED if uid in self._evicted else {}
        self._tell(pod, "Failed" if code else "Succeeded", {"terminated": state}, **why)
        self._told.add(uid)
        self._end(pod)

    def _has_room(self) -> bool:
        """As the scheduler sees it, but for the first moment; it waits until there is some."""
        if not self._room.is_set() and self._refuses:
            self._refuses -= 1
            return False
        self._room.wait()
        return True

    def _refuse(self, pod: Obj) -> None:
        name = pod["metadata"]["name"]
        self._insist(lambda: self._kube.bind(self._namespace, name, self._node))
        status = {
            "phase": "Failed",
            "reason": "Evicted",
            "message": "Pod was rejected: The node had condition: [DiskPressure]. ",
        }
        self._patch(pod, status)
        self._told.add(pod["metadata"]["uid"])
        self._end(pod)

    def _result(self, pod: Obj, left: Path) -> tuple[int, str]:
        """Of its process: exit code, and what it left."""
        process = process_of(pod, lambda _kind, _name: None, sys.executable, left)
        running = self._processes[pod["metadata"]["uid"]] = subprocess.Popen(process.argv, env=dict(process.env))
        self._end(pod)
        if self._over.is_set():
            running.kill()
        code = running.wait()
        return code if code >= 0 else 128 - code, left.read_text() if left.exists() else ""

    def _tell(self, pod: Obj, phase: str, state: Obj, **more: object) -> None:
        name = pod["spec"]["containers"][0]["name"]
        container = {"name": name, "image": "", "imageID": "", "ready": phase == "Running", "restartCount": 0}
        status = {
            "phase": phase,
            "startTime": _now(),
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{**container, "state": state}],
            **more,
        }
        self._patch(pod, status)

    def _patch(self, pod: Obj, status: Obj) -> None:
        name, told = pod["metadata"]["name"], {"status": status}
        self._insist(lambda: self._kube.patch(PODS, self._namespace, name, told, subresource="status"))

    def _insist(self, call: Callable[[], object]) -> bool:
        """Until the API server has it; False: the pod is gone."""
        while not self._over.is_set():
            try:
                call()
            except TROUBLE as error:
                if isinstance(error, Refused) and error.status in (404, 409):
                    return error.status == 409
                time.sleep(0.2)
            else:
                return True
        return False


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
