"""A Kubernetes of a test's own that has no node: etcd, kube-apiserver and, if asked for, kube-controller-manager.

On loopback, to be killed and stopped at will, and put back to an earlier moment. Made of the programs of the local
cluster, and apart from it.
"""

from __future__ import annotations

import json
import shutil
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster import binaries, pki
from e2e.cluster.settings import from_environ
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed
from tests.support.ports import free_port

IDENTITIES = (
    pki.Identity("kube-apiserver", "kube-apiserver", alt_names=("IP:127.0.0.1", "DNS:localhost")),
    pki.Identity("admin", "admin", "system:masters"),
)
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")
SERVERS = PROGRAMS[:2]


class ControlPlane:
    """The programs, each a process of this machine.

    Args:
        directory: where everything of it is.
    """

    def __init__(self, directory: Path) -> None:
        self._directory, self.pki = directory, directory / "pki"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._etcd, self._peer, self._api = (free_port() for _ in range(3))
        self.url = f"https://127.0.0.1:{self._api}"
        self.etcd_bytes = 0
        """How much etcd may hold; 0: as much as it does by itself."""
        self.etcd_url = f"http://127.0.0.1:{self._etcd}"
        pki.ensure(self.pki, IDENTITIES)
        self.kubeconfig = self._write_kubeconfig()

    def start(self, *names: str) -> None:
        """Start these, servers before clients."""
        for name in names:
            with (self._directory / f"{name}.log").open("ab") as log:
                argv = [_path(name), *self._arguments(name)]
                self._processes[name] = subprocess.Popen(argv, stdout=log, stderr=log)

    def bring_up(self, *names: str) -> None:
        """Start these, and wait until the API server answers: a controller ends where it does not in ten seconds."""
        self.start(*(name for name in SERVERS if name in names))
        self.wait_ready()
        self.start(*(name for name in names if name not in SERVERS))

    def ended(self) -> list[str]:
        """Programs that ended by themselves."""
        return [name for name, process in self._processes.items() if process.poll() is not None]

    def stop(self, *names: str) -> None:
        """SIGTERM, and wait for the end of each; clients before servers."""
        for name in names:
            process = self._processes.pop(name)
            process.terminate()
            process.wait(timeout=60)

    def kill(self, name: str) -> None:
        """SIGKILL, and wait for its end."""
        process = self._processes.pop(name, None)
        if process is not None:
            process.kill()
            process.wait(timeout=30)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Stop it, or let it go on."""
        self._processes[name].send_signal(number)

    @retry(
        retry=retry_if_exception_type((OSError, urllib.error.URLError)),
        stop=stop_after_delay(120),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    def wait_ready(self) -> None:
        """Wait until the API server is ready, and so etcd."""
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(self.pki / "admin.crt", self.pki / "admin.key")
        urllib.request.urlopen(f"{self.url}/readyz", timeout=5, context=context).close()

    def end(self) -> None:
        """Kill them all, clients before servers."""
        for name in reversed(PROGRAMS):
            self.kill(name)

    def save(self, copy: Path) -> None:
        """Copy what etcd has; it may not run."""
        shutil.copytree(self._directory / "etcd", copy)

    def restore(self, copy: Path) -> None:
        """Put a copy in the place of what etcd has; it may not run."""
        shutil.rmtree(self._directory / "etcd")
        shutil.copytree(copy, self._directory / "etcd")

    def _arguments(self, name: str) -> list[str]:
        client, peer = self.etcd_url, f"http://127.0.0.1:{self._peer}"
        match name:
            case "etcd":
                return [
                    "--name=own", f"--data-dir={self._directory / 'etcd'}", f"--listen-client-urls={client}",
                    f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}",
                    f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=own={peer}", "--log-level=warn",
                    f"--quota-backend-bytes={self.etcd_bytes}",
                ]  # fmt: skip
            case "kube-apiserver":
                return [
                    f"--etcd-servers={client}", "--bind-address=127.0.0.1", f"--secure-port={self._api}",
                    "--advertise-address=127.0.0.1", "--service-cluster-ip-range=10.0.0.0/24",
                    f"--client-ca-file={self.pki}/ca.crt", f"--tls-cert-file={self.pki}/kube-apiserver.crt",
                    f"--tls-private-key-file={self.pki}/kube-apiserver.key", "--authorization-mode=RBAC",
                    "--service-account-issuer=https://own", f"--service-account-key-file={self.pki}/sa.pub",
                    f"--service-account-signing-key-file={self.pki}/sa.key", "--endpoint-reconciler-type=none",
                    "--disable-admission-plugins=ServiceAccount", "--storage-media-type=application/json",
                    "--etcd-compaction-interval=0",
                ]  # fmt: skip
            case _:
                return [
                    f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0",
                    "--controllers=job-controller,garbage-collector-controller,pod-garbage-collector-controller",
                    "--kube-api-qps=200", "--kube-api-burst=400",
                ]  # fmt: skip

    def _write_kubeconfig(self) -> Path:
        user = {"client-certificate": str(self.pki / "admin.crt"), "client-key": str(self.pki / "admin.key")}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "own",
            "clusters": [
                {"name": "own", "cluster": {"server": self.url, "certificate-authority": str(self.pki / "ca.crt")}}
            ],
            "users": [{"name": "own", "user": user}],
            "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own"}}],
        }
        path = self._directory / "kubeconfig"
        path.write_text(json.dumps(content))  # JSON is YAML
        return path


@contextmanager
def control_plane(directory: Path, programs: tuple[str, ...] = SERVERS) -> Iterator[ControlPlane]:
    """A running one.

    Raises:
        LookupError: a program is not built.
    """
    if lacking := [name for name in programs if not Path(_path(name)).exists()]:
        raise LookupError(f"{', '.join(lacking)}: not built; `make cluster-up` builds them")
    directory.mkdir(parents=True, exist_ok=True)
    plane = ControlPlane(directory)
    try:
        plane.bring_up(*programs)
        yield plane
    finally:
        plane.end()


def _path(name: str) -> str:
    return str(binaries.path_of(from_environ().layout, name))
