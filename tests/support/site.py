"""A whole installation of a test: etcd, API server, NATS, operator, a node of paper. Both stores can be put back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.support.connection import apply_crds
from e2e.support.kube import QUEUES, TASKS, Kind, Kube, Refused
from e2e.support.manifests import queue
from e2e.support.messages import Mailbox
from e2e.support.namespaces import Namespace
from e2e.support.operator import local_operator
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed
from tests.support.control_plane import SERVERS, ControlPlane, control_plane
from tests.support.nats_server import NatsServer, nats_server
from tests.support.paper_node import PaperNode, paper_node

NAMESPACE = "media"


@dataclass
class Site:
    """All of an installation, and copies of what it had at a moment."""

    directory: Path
    plane: ControlPlane
    server: NatsServer
    kube: Kube
    node: PaperNode
    mailbox: Mailbox
    namespace: Namespace
    running: ExitStack = field(default_factory=ExitStack)
    """The operator, where one runs."""

    def start_operator(self) -> None:
        operator = local_operator(self.plane.kubeconfig, NAMESPACE, CELERIAC_NATS_URL=self.server.url)
        self.running.enter_context(operator)

    def stop_operator(self) -> None:
        self.running.close()

    def save(self) -> None:
        """Copy both, of one moment: nothing writes meanwhile."""
        self.stop_operator()
        self._stop_servers()
        self.plane.save(self.directory / "saved-etcd")
        shutil.copytree(self.server.directory / "store", self.directory / "saved-store")
        self._start_servers()
        self.start_operator()

    def restore(self, *, etcd: bool = False, streams: bool = False) -> None:
        """Put back what is said, and leave the operator stopped."""
        self.stop_operator()
        self._stop_servers()
        if etcd:
            self.plane.restore(self.directory / "saved-etcd")
        if streams:
            shutil.rmtree(self.server.directory / "store")
            shutil.copytree(self.directory / "saved-store", self.server.directory / "store")
        self._start_servers()

    def hold(self, policy: str) -> None:
        """Have the queue take messages in (None), or not (Hold)."""
        self.kube.patch(QUEUES, NAMESPACE, "default", {"spec": {"stopPolicy": policy}})

    def audit(self) -> tuple[int, dict[str, str]]:
        """Exit code of the command, and what it found: the weight of each name."""
        command = [str(Path(sys.executable).with_name("celeriac")), "doctor", "--audit", "-n", NAMESPACE, "-o", "json"]
        env = {**os.environ, "KUBECONFIG": str(self.plane.kubeconfig), "CELERIAC_NATS_URL": self.server.url}
        env.pop("CELERIAC_KUBECONFIG", None)
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        findings: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
        return done.returncode, {each["name"]: each["weight"] for each in findings}

    def _stop_servers(self) -> None:
        self.plane.stop(*reversed(SERVERS))
        self.server.stop()

    def _start_servers(self) -> None:
        self.plane.start(*SERVERS)
        self.plane.wait_ready()
        self.server.start()
        for kind in (TASKS, QUEUES):
            self._served(kind)

    @retry(retry=retry_if_exception_type(Refused), stop=stop_after_delay(120), wait=wait_fixed(0.2), reraise=True)
    def _served(self, kind: Kind) -> None:
        """The API server is ready before it has found its CRDs again."""
        self.kube.list(kind, NAMESPACE)


@contextmanager
def installed(directory: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        plane = stack.enter_context(control_plane(directory / "plane"))
        (directory / "nats").mkdir()
        server = stack.enter_context(nats_server(directory / "nats"))
        kube = stack.enter_context(Kube(plane.kubeconfig))
        apply_crds(kube)
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        namespace = Namespace(kube, NAMESPACE)
        namespace.apply(queue("default", inlineContainers="Allow"))
        node = stack.enter_context(paper_node(kube, NAMESPACE))
        site = Site(directory, plane, server, kube, node, Mailbox(server.url, namespace), namespace)
        stack.callback(site.stop_operator)
        site.start_operator()
        yield site
