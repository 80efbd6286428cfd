"""What goes wrong with etcd, kube-apiserver and kube-controller-manager: real ones, of the row's own."""

import base64
import json
import signal
import threading
import time
from typing import Any

import urllib3
from e2e.chaos.faults import COUNT, Fault
from e2e.chaos.laboratory import NAMESPACE
from e2e.support.kube import PODS, TASKS, Obj
from e2e.support.witness import Witness
from tests.support.control_plane import ControlPlane


class ServerFault(Fault):
    """One that has a control plane to play with."""

    @property
    def plane(self) -> ControlPlane:
        assert self.lab.plane is not None, "this laboratory has no control plane"
        return self.lab.plane

    def runs(self) -> bool:
        """Whether a process of a task does."""
        return any((pod.get("status") or {}).get("phase") == "Running" for pod in self.lab.kube.list(PODS, NAMESPACE))

    def disrupted(self, failure: str) -> int:
        """How many attempts have ended like that."""
        tasks = self.lab.kube.list(TASKS, NAMESPACE)
        attempts = [each for task in tasks for each in (task.get("status") or {}).get("attempts", ())]
        return sum(each.get("failure") == failure for each in attempts)

    def restart(self, *names: str, after: float) -> None:
        """SIGKILL to all of them, and start them again after some seconds. A disk of etcd's own loses its power."""
        if self.lab.disk is not None:
            self.lab.disk.cut()
        for name in names:
            self.plane.kill(name)
        if self.lab.disk is not None:
            self.lab.disk.come_back()
        time.sleep(after)
        self.plane.bring_up(*names)
        self.times += 1


class EtcdKilled(ServerFault):
    """SIGKILL at any moment, and again on what is on the disk."""

    def meanwhile(self) -> None:
        for _ in range(5):
            time.sleep(self.dice.uniform(0.3, 2))  # the moment is the fault
            self.restart("etcd", after=0.2)


class DiskSlow(ServerFault):
    """etcd stands still for one to four seconds again and again, as it does on a disk that does not keep up."""

    def meanwhile(self) -> None:
        for _ in range(6):
            time.sleep(self.dice.uniform(0.2, 1.5))  # the moment is the fault
            self.plane.signal("etcd", signal.SIGSTOP)
            time.sleep(self.dice.uniform(1, 4))
            self.plane.signal("etcd", signal.SIGCONT)
            self.times += 1


class ApiServerKilled(ServerFault):
    """SIGKILL at any moment, and a new one three seconds later."""

    def meanwhile(self) -> None:
        for _ in range(3):
            time.sleep(self.dice.uniform(0.5, 2))  # the moment is the fault
            self.restart("kube-apiserver", after=3)


class KilledAtPods(ServerFault):
    """SIGKILL once a pod is stored, before the Job controller has its answer: it makes a second one.

    So an attempt starts twice, which nobody but Kubernetes could prevent; its Task has one end all the same.
    """

    def meanwhile(self) -> None:
        witness = Witness(self.plane.etcd_url, NAMESPACE, self._hear)
        self._known, self._armed, self._struck = set[str](), threading.Event(), threading.Event()
        witness.start()
        for number in range(4):
            self._struck.clear()
            self._armed.set()
            submitter = threading.Thread(target=self.lab.submit, args=(f"pods{number}", 4))
            submitter.start()
            assert self.lab.wait(self._struck.is_set), "no pod was made"
            self.restart("kube-apiserver", after=0.5)
            submitter.join()
            self.lab.wait_finished()
        witness.stop()

    def _hear(self, kind: str, _event: str, obj: Obj, _revision: int) -> None:
        new = kind == "Pod" and obj["metadata"]["uid"] not in self._known
        if new:
            self._known.add(obj["metadata"]["uid"])
        if new and self._armed.is_set():
            self._armed.clear()
            self.plane.kill("kube-apiserver")
            self._struck.set()


class PowerCut(ServerFault):
    """Everything ends at once, the operator too: SIGKILL, and all start again on what is on the disk."""

    def meanwhile(self) -> None:
        for _ in range(2):
            time.sleep(self.dice.uniform(0.5, 2))  # the moment is the fault
            self.lab.operator.kill()
            self.restart("kube-controller-manager", "kube-apiserver", "etcd", after=1)
            self.lab.operator.start()


class NodeGone(ServerFault):
    """A node loses its power, and never comes back: Kubernetes takes its pods away. Then there is another node."""

    def meanwhile(self) -> None:
        assert self.lab.kubelet is not None
        assert self.lab.new_kubelet is not None
        assert self.lab.wait(self.runs), "nothing runs"
        self.lab.kubelet.lose_power()
        assert self.lab.wait(lambda: not self._left()), "Kubernetes leaves the pods there"
        self.lab.new_kubelet("another")

    def _left(self) -> int:
        assert self.lab.kubelet is not None
        return self.lab.kubelet.left()

    def end(self) -> None:
        super().end()
        self.times = self.disrupted("NodeLost")


class NodeDiskFull(ServerFault):
    """The disk of a node is full: its kubelet evicts what runs, refuses who is on the way, and is sent nobody then."""

    def meanwhile(self) -> None:
        assert self.lab.kubelet is not None
        for _ in range(2):
            assert self.lab.wait(self.runs), "nothing runs"
            self.lab.kubelet.fill()
            time.sleep(self.dice.uniform(2, 4))  # the moment is the fault
            self.lab.kubelet.make_room()

    def end(self) -> None:
        super().end()
        self.times = self.disrupted("Evicted")


class EtcdFull(ServerFault):
    """etcd has no room and refuses every write, for fifteen seconds; then it gets some, as people give it."""

    def begin(self) -> None:
        self.plane.etcd_bytes = 16 * 2**20
        self.restart("etcd", after=0)

    def meanwhile(self) -> None:
        junk = base64.b64encode(bytes(2**20)).decode()
        assert any(self._refuses(number, junk) for number in range(64)), "it takes whatever comes"
        submitter = threading.Thread(target=self.lab.submit, args=("full", COUNT // 2))
        submitter.start()
        time.sleep(15)
        self.plane.etcd_bytes = 0
        self.restart("etcd", after=0)
        for alarm in self._ask("maintenance/alarm", action="GET").json()["alarms"]:
            self._ask("maintenance/alarm", action="DEACTIVATE", **alarm)
        submitter.join()

    def _refuses(self, number: int, value: str) -> bool:
        key = base64.b64encode(b"junk%d" % number).decode()
        return self._ask("kv/put", key=key, value=value).status >= 400

    def _ask(self, what: str, **asked: Any) -> urllib3.BaseHTTPResponse:
        return urllib3.request("POST", f"{self.plane.etcd_url}/v3/{what}", body=json.dumps(asked), retries=False)
