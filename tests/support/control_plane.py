"""A Kubernetes of a test's own that has no node: etcd and kube-apiserver, which can be put back to an earlier moment.

Made of the programs of the local cluster, and apart from it: what a restore does to a cluster is done to no other.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from e2e.cluster import binaries, pki
from e2e.cluster.settings import from_environ
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

IDENTITIES = (
    pki.Identity("server", "kube-apiserver", alt_names=("IP:127.0.0.1",)),
    pki.Identity("admin", "celeriac-admin", "system:masters"),
)


class ControlPlane:
    """The two processes, and their files in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._pki = directory / "pki"
        self._etcd_port, self._peer_port, self._port = _free_port(), _free_port(), _free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        pki.ensure(self._pki, IDENTITIES)
        self.kubeconfig = directory / "kubeconfig"
        self.kubeconfig.write_text(self._kubeconfig())

    def start(self) -> None:
        """Start both, and wait until the API server is ready."""
        self._run("etcd", *self._etcd_arguments())
        self._run("kube-apiserver", *self._api_server_arguments())
        trouble = retry_if_exception_type((OSError, urllib.error.URLError))
        for attempt in Retrying(stop=stop_after_delay(120), wait=wait_fixed(0.2), retry=trouble, reraise=True):
            with attempt:
                self._greet()

    def stop(self) -> None:
        """End both, the API server first."""
        for process in reversed(self._processes):
            process.terminate()
            process.wait(timeout=60)
        self._processes.clear()

    def save(self, copy: Path) -> None:
        """Copy what etcd has; neither may run."""
        shutil.copytree(self.directory / "etcd", copy)

    def restore(self, copy: Path) -> None:
        """Put a copy in the place of what etcd has; neither may run."""
        shutil.rmtree(self.directory / "etcd")
        shutil.copytree(copy, self.directory / "etcd")

    def _run(self, program: str, *arguments: str) -> None:
        path = binaries.path_of(from_environ().layout, program)
        if not path.exists():
            raise LookupError(f"{program} is not built: `make cluster-up` builds it")
        with (self.directory / f"{program}.log").open("ab") as log:
            self._processes.append(subprocess.Popen([str(path), *arguments], stdout=log, stderr=log))

    def _etcd_arguments(self) -> list[str]:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        return [
            f"--data-dir={self.directory / 'etcd'}", f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}", "--log-level=warn",
        ]  # fmt: skip

    def _api_server_arguments(self) -> list[str]:
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}", "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1", f"--secure-port={self._port}", "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount",
            f"--client-ca-file={self._pki}/ca.crt", f"--tls-cert-file={self._pki}/server.crt",
            f"--tls-private-key-file={self._pki}/server.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._pki}/sa.pub", f"--service-account-signing-key-file={self._pki}/sa.key",
        ]  # fmt: skip

    def _greet(self) -> None:
        if ended := [process.args for process in self._processes if process.poll() is not None]:
            raise RuntimeError(f"{ended} has ended: see {self.directory}")
        context = ssl.create_default_context(cafile=str(self._pki / "ca.crt"))
        context.load_cert_chain(self._pki / "admin.crt", self._pki / "admin.key")
        with urllib.request.urlopen(f"https://127.0.0.1:{self._port}/readyz", timeout=5, context=context):
            pass

    def _kubeconfig(self) -> str:
        def data(name: str) -> str:
            return b64encode((self._pki / name).read_bytes()).decode()

        server = f"https://127.0.0.1:{self._port}"
        cluster = {"server": server, "certificate-authority-data": data("ca.crt")}
        user = {"client-certificate-data": data("admin.crt"), "client-key-data": data("admin.key")}
        named = {"cluster": "own", "user": "admin"}
        return yaml.safe_dump(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "own",
                "clusters": [{"name": "own", "cluster": cluster}], "users": [{"name": "admin", "user": user}],
                "contexts": [{"name": "own", "context": named}],
            }
        )  # fmt: skip


@contextmanager
def control_plane(directory: Path) -> Iterator[ControlPlane]:
    """Running ones, ended at the end."""
    directory.mkdir(parents=True, exist_ok=True)
    plane = ControlPlane(directory)
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
