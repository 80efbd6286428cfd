"""What goes wrong with etcd, kube-apiserver and kube-controller-manager: real ones, of the row's own."""

import signal
import time

from e2e.chaos.faults import Fault
from e2e.chaos.laboratory import NAMESPACE
from e2e.support.kube import CONFIG_MAPS, Refused
from tests.support.control_plane import ControlPlane

_MOST = 200
"""ConfigMaps of 1 MB: three times what etcd takes."""


class ServerFault(Fault):
    """One that has a control plane to play with."""

    @property
    def plane(self) -> ControlPlane:
        assert self.lab.plane is not None, "this laboratory has no control plane"
        return self.lab.plane

    def restart(self, *names: str, after: float) -> None:
        """SIGKILL to all of them, and start them again after some seconds."""
        for name in names:
            self.plane.kill(name)
        time.sleep(after)
        for name in names:
            self.plane.start(name)
        self.plane.wait_ready()
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


class PowerCut(ServerFault):
    """Everything ends at once, the operator too: SIGKILL, and all start again on what is on the disk."""

    def meanwhile(self) -> None:
        for _ in range(2):
            time.sleep(self.dice.uniform(0.5, 2))  # the moment is the fault
            self.lab.operator.kill()
            self.restart("kube-controller-manager", "kube-apiserver", "etcd", after=1)
            self.lab.operator.start()


class EtcdFull(ServerFault):
    """etcd takes nothing more for fifteen seconds; then somebody deletes what has filled it, and makes room."""

    def meanwhile(self) -> None:
        time.sleep(self.dice.uniform(0.5, 2))  # the moment is the fault
        stuffing = self._fill()
        time.sleep(15)
        for name in stuffing:
            self.lab.kube.delete(CONFIG_MAPS, NAMESPACE, name)
        self.plane.make_room()

    def _fill(self) -> list[str]:
        for number in range(_MOST):
            stuffing = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"stuffing-{number}"}}
            try:
                self.lab.kube.create({**stuffing, "data": {"x": "x" * 1_000_000}}, NAMESPACE)
            except Refused as error:
                assert "database space exceeded" in error.message, error
                self.times += 1
                return [f"stuffing-{each}" for each in range(number)]
        raise AssertionError("etcd has room for everything")
