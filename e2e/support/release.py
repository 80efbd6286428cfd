"""The Helm release under test: installed as a user installs it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster import binaries, commands, providers
from e2e.cluster.images.catalogue import NATS_IMAGE, OPERATOR_IMAGE
from e2e.cluster.locking import together
from e2e.cluster.settings import from_environ
from e2e.support.connection import REPOSITORY
from e2e.support.kube import DEPLOYMENTS, LEASES, NAMESPACES, PODS, SECRETS, Kube, Obj, Refused
from e2e.support.metrics import Samples, parse
from e2e.support.predicates import Predicate, available
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

CHART = REPOSITORY / "charts" / "celeriac"
_TRYING_OUT = ("image.tag=dev", "nats.image.tag=dev", "nats.persistence.enabled=false")
"""A cluster for tests has no StorageClass: what NATS keeps goes with its pod, unless a test says otherwise."""
_REPLICAS = "celeriac.dev/e2e-replicas"
"""How many operators ran before they were paused."""


class Release:
    """A release of the chart, whose full name is `celeriac`."""

    def __init__(self, kube: Kube, name: str, namespace: str) -> None:
        self.kube, self.name, self.namespace = kube, name, namespace

    def install(self, *values: str, chart: Path = CHART) -> None:
        """Install or upgrade, and wait until what runs is of the images as they are now.

        The tags do not change when the images do, so the images' keys go into the pods' annotations.
        """
        keys = {"podAnnotations": OPERATOR_IMAGE, "nats.podAnnotations": NATS_IMAGE}
        words = [f"--set-string={where}.celeriac\\.dev/image={_image_key(image)}" for where, image in keys.items()]
        words += [f"--set={each}" for each in (*_TRYING_OUT, *values)]
        where = (str(chart), f"--namespace={self.namespace}", "--create-namespace", "--wait", "--timeout=3m")
        self._forget_interrupted()
        self._helm("upgrade", "--install", self.name, *where, *words)

    def _forget_interrupted(self) -> None:
        """Helm works on no release whose last command was killed; without what that one left, it goes on."""
        labels = f"owner=helm,name={self.name},status in (pending-install,pending-upgrade,pending-rollback)"
        for left in self.kube.list(SECRETS, self.namespace, labels=labels):
            self.kube.delete(SECRETS, self.namespace, left["metadata"]["name"])

    def rollback(self) -> None:
        """Go back to the revision before, and wait until its pods run."""
        self._helm("rollback", self.name, f"--namespace={self.namespace}", "--wait", "--timeout=3m")

    def remove(self) -> None:
        """Uninstall it, if it is there, and wait until its pods have gone; what it keeps stays."""
        words = (f"--namespace={self.namespace}", "--wait", "--cascade=foreground", "--ignore-not-found")
        self._helm("uninstall", self.name, *words)

    def uninstall(self) -> None:
        """Uninstall it, and delete its namespace."""
        self.remove()
        self.kube.delete(NAMESPACES, None, self.namespace)

    def test(self) -> str:
        """Run `helm test`."""
        return self._helm("test", self.name, f"--namespace={self.namespace}", "--timeout=4m")

    def scale(self, replicas: int) -> None:
        """Set the number of operators, and wait until so many run."""
        self.kube.patch(DEPLOYMENTS, self.namespace, "celeriac", {"spec": {"replicas": replicas}})
        self.kube.wait(DEPLOYMENTS, self.namespace, "celeriac", available())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No operator of this release runs until the last of the processes that want it so goes on."""
        with together(self._lock("paused"), self._pause, self._resume):
            yield

    @contextmanager
    def installed(self, *, keep: bool = True) -> Iterator[None]:
        """It is installed as it is now, by the first of the processes that test it: the others may have paused it.

        Args:
            keep: do not uninstall it at the end.
        """
        with together(self._lock("installed"), self.install, lambda: None if keep else self.uninstall()):
            yield

    def _lock(self, what: str) -> Path:
        return from_environ().layout.cluster / "locks" / f"{self.namespace}-{what}"

    def _pause(self) -> None:
        """What goes on last, perhaps another process, finds in the Deployment how many there were."""
        if replicas := self._deployment()["spec"]["replicas"]:
            note = {"metadata": {"annotations": {_REPLICAS: str(replicas)}}}
            self.kube.patch(DEPLOYMENTS, self.namespace, "celeriac", note)
        self.scale(0)

    def _resume(self) -> None:
        self.scale(int(self._deployment()["metadata"]["annotations"][_REPLICAS]))

    def _deployment(self) -> Obj:
        found = self.kube.get(DEPLOYMENTS, self.namespace, "celeriac")
        assert found is not None, f"nothing is installed in {self.namespace}"
        return found

    def pods(self) -> list[Obj]:
        """The operators' pods."""
        labels = "app.kubernetes.io/component=operator,app.kubernetes.io/instance=" + self.name
        found = self.kube.list(PODS, self.namespace, labels=labels)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def lease(self) -> Obj:
        """The Lease, as soon as somebody holds it."""
        held = Predicate("held by somebody", lambda lease: bool((lease or {}).get("spec", {}).get("holderIdentity")))
        return self.kube.wait(LEASES, self.namespace, "celeriac-0", held)

    @retry(retry=retry_if_exception_type(LookupError), stop=stop_after_delay(60), wait=wait_fixed(0.2), reraise=True)
    def leader(self) -> Obj:
        """The pod that leads.

        Raises:
            LookupError: none did for a minute.
        """
        holder = self.lease()["spec"]["holderIdentity"]
        for pod in self.pods():
            if holder == identity(pod):
                return pod
        raise LookupError(f"the lease's holder {holder} is none of {[identity(pod) for pod in self.pods()]}")

    def http(self, path: str) -> str:
        """What an operator answers, asked through the chart's Service."""
        return self.kube.text(f"/api/v1/namespaces/{self.namespace}/services/celeriac-metrics:http/proxy{path}")

    def http_of_leader(self, path: str) -> str:
        """What the operator that leads answers: only that one knows its queues."""
        name = self.leader()["metadata"]["name"]
        return self.kube.text(f"/api/v1/namespaces/{self.namespace}/pods/{name}:8080/proxy{path}")

    def metrics(self) -> Samples:
        """The leader's metrics as they are now."""
        return parse(self.http_of_leader("/metrics"))

    def log(self, tail_lines: int = 200) -> str:
        """The end of each operator's log, and of that before its last restart."""
        return "\n".join(self._log(pod, tail_lines) for pod in self.pods())

    def _log(self, pod: Obj, tail_lines: int) -> str:
        name, restarts = pod["metadata"]["name"], _restarts(pod)
        found = [f"--- {name}"]
        for previous in (True, False)[0 if restarts else 1 :]:
            try:
                found.append(self.kube.log(self.namespace, name, tail_lines=tail_lines, previous=previous))
            except Refused as error:
                found.append(str(error))
        return "\n--- restarted ---\n".join(found)

    def restarted_since(self, pod: Obj) -> bool:
        """Whether the container of that pod has come back since."""
        now = self.kube.get(PODS, self.namespace, pod["metadata"]["name"])
        assert now is not None
        return _restarts(now) > _restarts(pod) and all(each["ready"] for each in now["status"]["containerStatuses"])

    def _helm(self, *words: str) -> str:
        return helm(*words, kubeconfig=self.kube.kubeconfig)


def helm(*words: str, kubeconfig: Path) -> str:
    """Run Helm: the cluster's own, or that of PATH."""
    built = binaries.path_of(from_environ().layout, "helm")
    return commands.run(str(built) if built.exists() else "helm", *words, env={"KUBECONFIG": str(kubeconfig)})


def identity(pod: Obj) -> str:
    """Who a pod's operator is, in Leases."""
    return f"{pod['metadata']['name']}_{pod['metadata']['uid']}"


def signal_process(pod: Obj, sig: signal.Signals) -> None:
    """Send a signal to the operator's process from outside of its pod; only where its node is this machine."""
    pids = _processes_of_pod(pod["metadata"]["uid"])
    assert pids, f"no process of pod {pod['metadata']['name']} was found"
    for pid in pids:
        os.kill(pid, sig)


def _restarts(pod: Obj) -> int:
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ()))


def _image_key(image: str) -> str:
    """Which build of an image the cluster has."""
    note = Path(providers.choose(from_environ()).loader().note)
    return str(json.loads(note.read_text()).get(image, "unknown")) if note.exists() else "unknown"


def _processes_of_pod(uid: str) -> list[int]:
    """The operator's processes of a pod, found by their cgroup."""
    found = subprocess.run(["pgrep", "-f", "celeriac_operator"], capture_output=True, text=True, check=False)
    pids = [int(word) for word in found.stdout.split()]
    return [pid for pid in pids if _in_pod(pid, uid)]


def _in_pod(pid: int, uid: str) -> bool:
    try:
        return uid in Path(f"/proc/{pid}/cgroup").read_text().replace("_", "-")
    except OSError:
        return False
