"""The Helm release under test: installed as a user installs it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster import binaries, commands, providers
from e2e.cluster.settings import from_environ
from e2e.support.connection import REPOSITORY
from e2e.support.kube import DEPLOYMENTS, NAMESPACES, PODS, Kube, Refused
from e2e.support.metrics import Samples, parse
from e2e.support.predicates import available

CHART = REPOSITORY / "charts" / "celeriac"
IMAGE = "localhost/celeriac-operator:dev"


class Release:
    """A release of the chart, whose full name is `celeriac`."""

    def __init__(self, kube: Kube, name: str, namespace: str) -> None:
        self.kube, self.name, self.namespace = kube, name, namespace

    def install(self, *values: str) -> None:
        """Install or upgrade, and wait until the operator that runs is that of the image as it is now.

        The tag does not change when the image does, so the image's key goes into the pod's annotations.
        """
        settings = ["image.tag=dev", f"podAnnotations.celeriac\\.dev/image={_image_key()}", *values]
        words = [f"--set-string={each}" for each in settings]
        where = (str(CHART), f"--namespace={self.namespace}", "--create-namespace", "--wait", "--timeout=3m")
        self._helm("upgrade", "--install", self.name, *where, *words)

    def uninstall(self) -> None:
        """Uninstall it, and delete its namespace."""
        self._helm("uninstall", self.name, f"--namespace={self.namespace}", "--wait")
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
        """No operator of this release runs meanwhile."""
        self.scale(0)
        try:
            yield
        finally:
            self.scale(1)

    def pod(self) -> dict:  # type: ignore[type-arg]
        """The operator's pod."""
        labels = "app.kubernetes.io/component=operator,app.kubernetes.io/instance=" + self.name
        running = [
            pod
            for pod in self.kube.list(PODS, self.namespace, labels=labels)
            if "deletionTimestamp" not in pod["metadata"]
        ]
        assert len(running) == 1, f"one operator pod was expected: {[pod['metadata']['name'] for pod in running]}"
        return running[0]

    def http(self, path: str) -> str:
        """What the operator answers, asked through the chart's Service."""
        return self.kube.text(f"/api/v1/namespaces/{self.namespace}/services/celeriac-metrics:http/proxy{path}")

    def metrics(self) -> Samples:
        """The operator's metrics as they are now."""
        return parse(self.http("/metrics"))

    def log(self, tail_lines: int = 200) -> str:
        """The end of the operator's log, and of that before its last restart."""
        pod = self.pod()
        name, restarts = pod["metadata"]["name"], _restarts(pod)
        found = []
        for previous in (True, False)[0 if restarts else 1 :]:
            try:
                found.append(self.kube.log(self.namespace, name, tail_lines=tail_lines, previous=previous))
            except Refused as error:
                found.append(str(error))
        return "\n--- restarted ---\n".join(found)

    def kill_process(self) -> int:
        """SIGKILL the operator's process from outside its pod; only where its node is this machine.

        Returns:
            how often its container had been restarted before.
        """
        pod = self.pod()
        for pid in _processes_of_pod(pod["metadata"]["uid"]):
            os.kill(pid, signal.SIGKILL)
        return _restarts(pod)

    def restarted_since(self, restarts: int) -> bool:
        """Whether the container has come back since."""
        pod = self.pod()
        return _restarts(pod) > restarts and all(each["ready"] for each in pod["status"]["containerStatuses"])

    def _helm(self, *words: str) -> str:
        helm = binaries.path_of(from_environ().layout, "helm")
        program = str(helm) if helm.exists() else "helm"
        return commands.run(program, *words, env={"KUBECONFIG": str(self.kube.kubeconfig)})


def _restarts(pod: dict) -> int:  # type: ignore[type-arg]
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ()))


def _image_key() -> str:
    """Which build of the image the cluster has."""
    note = Path(providers.choose(from_environ()).loader().note)
    return str(json.loads(note.read_text()).get(IMAGE, "unknown")) if note.exists() else "unknown"


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
