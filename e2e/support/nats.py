"""The NATS of a release, from outside of the cluster: as a user, and as somebody who makes it fail."""

import base64
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from e2e.cluster import kubectl
from e2e.support.connection import is_local
from e2e.support.kube import PODS, SECRETS, SERVICES, Kube, Obj
from e2e.support.predicates import Predicate, status
from nats.aio.client import Client

_POD = "celeriac-nats-0"
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


class ReleasedNats:
    """The NATS of a release whose full name is `celeriac`.

    Args:
        namespace: the release's.
    """

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.kube, self.namespace = kube, namespace

    def password(self, user: str) -> str:
        """What the chart has drawn for a user."""
        secret = self.kube.get(SECRETS, self.namespace, "celeriac-nats-auth")
        assert secret is not None, "the chart has made no Secret"
        return base64.b64decode(secret["data"][user]).decode()

    @asynccontextmanager
    async def connected(self, user: str) -> AsyncIterator[tuple[Client, list[str]]]:
        """A connection of that user, and what the server has refused it."""
        refused: list[str] = []

        async def note(error: Exception) -> None:
            refused.append(str(error))

        client = Client()
        with self.reached() as url:
            await client.connect(
                url,
                user=user,
                password=self.password(user),
                inbox_prefix=f"_INBOX_{user}".encode(),
                error_cb=note,
                allow_reconnect=False,
            )
            try:
                yield client, refused
            finally:
                await client.close()

    @contextmanager
    def reached(self, port: int = 4222) -> Iterator[str]:
        """A URL that leads there: the Service itself where this machine is the node, else forwarded by kubectl."""
        if is_local(self.kube.kubeconfig):
            service = self.kube.get(SERVICES, self.namespace, "celeriac-nats")
            assert service is not None
            yield f"nats://{service['spec']['clusterIP']}:{port}"
            return
        words = ("port-forward", f"--namespace={self.namespace}", "service/celeriac-nats", f":{port}")
        argv = [str(kubectl.find()), f"--kubeconfig={self.kube.kubeconfig}", *words]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            found = _FORWARDING.search(process.stdout.readline())
            assert found is not None, "kubectl forwards nothing"
            try:
                yield f"nats://127.0.0.1:{found[1]}"
            finally:
                process.terminate()

    def pod(self) -> Obj:
        """Its pod, once it is ready."""
        return self.kube.wait(PODS, self.namespace, _POD, Predicate("ready", _ready))

    def delete_pod(self) -> Obj:
        """Delete its pod without grace, and wait for the next one."""
        before = self.pod()["metadata"]["uid"]
        self.kube.delete(PODS, self.namespace, _POD, grace_seconds=0)
        another = Predicate("another that is ready", lambda pod: _ready(pod) and _uid(pod) != before)
        return self.kube.wait(PODS, self.namespace, _POD, another)

    def kill(self) -> Obj:
        """SIGKILL to the server, where this machine is its node; wait until the kubelet has started it again."""
        pod = self.pod()
        restarts = _restarts(pod)
        for pid in _processes(pod["metadata"]["uid"]):
            os.kill(pid, signal.SIGKILL)
        again = Predicate("restarted", lambda obj: _ready(obj) and _restarts(obj) > restarts)
        return self.kube.wait(PODS, self.namespace, _POD, again)


def _ready(pod: Obj | None) -> bool:
    conditions = status(pod).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _uid(pod: Obj | None) -> str:
    return str((pod or {"metadata": {"uid": ""}})["metadata"]["uid"])


def _restarts(pod: Obj | None) -> int:
    return sum(each["restartCount"] for each in status(pod).get("containerStatuses", ()))


def _processes(uid: str) -> list[int]:
    """Pids of the server in a pod, found by its cgroup."""
    found = subprocess.run(["pgrep", "nats-server"], capture_output=True, text=True, check=False)
    pids = [int(word) for word in found.stdout.split()]
    return [pid for pid in pids if uid in Path(f"/proc/{pid}/cgroup").read_text().replace("_", "-")]
