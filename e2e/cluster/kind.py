"""A cluster in Docker containers, for machines that have Docker and kind. Untested where the local one was made."""

import shutil
from pathlib import Path

from e2e.cluster import kubectl
from e2e.cluster.commands import need, run, succeeds
from e2e.cluster.errors import CommandError
from e2e.cluster.images.loading import Loader
from e2e.cluster.progress import step
from e2e.cluster.settings import Settings
from e2e.cluster.status import ClusterStatus, NodeStatus, parse_nodes


def is_installed() -> bool:
    return shutil.which("kind") is not None


class KindCluster:
    """One kind cluster, named like the local one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def up(self) -> None:
        if not self._exists():
            with step(f"kind cluster {self._settings.name}", 60):
                self._kind("create", "cluster", "--wait=120s", f"--kubeconfig={self.kubeconfig()}")
        else:
            self._kind("export", "kubeconfig", f"--kubeconfig={self.kubeconfig()}")

    def down(self) -> None:
        self._kind("delete", "cluster", f"--kubeconfig={self.kubeconfig()}")
        shutil.rmtree(self.kubeconfig().parent, ignore_errors=True)

    def status(self) -> ClusterStatus:
        nodes, trouble = self._nodes()
        return ClusterStatus(provider="kind", kubeconfig=self.kubeconfig(), nodes=nodes, trouble=trouble)

    def kubeconfig(self) -> Path:
        # Not the local cluster's directory: the two may exist side by side.
        return self._settings.layout.cache / f"kind-{self._settings.name}" / "kubeconfig"

    def loader(self) -> Loader:
        return Loader(
            note=self.kubeconfig().parent / "images.json",
            present=self._images,
            put=lambda _name, archive: self._load(archive),
        )

    def _nodes(self) -> tuple[list[NodeStatus], list[str]]:
        if not self._exists():
            return [], ["There is no such kind cluster: make it with `make cluster-up`."]
        words = (f"--kubeconfig={self.kubeconfig()}", "get", "nodes", "--output=json", "--request-timeout=10s")
        try:
            nodes = parse_nodes(run(kubectl.find(), *words))
        except CommandError as error:
            return [], [error.hint]
        return nodes, [f"{node.name} is not ready." for node in nodes if not node.ready]

    def _load(self, archive: Path) -> None:
        self._kind("load", "image-archive", str(archive))

    def _images(self) -> set[str]:
        listing = run(
            "docker", "exec", f"{self._settings.name}-control-plane", "ctr", "-n", "k8s.io", "images", "list", "-q"
        )
        return set(listing.split())

    def _exists(self) -> bool:
        return succeeds("docker", "inspect", f"{self._settings.name}-control-plane")

    def _kind(self, *words: str) -> None:
        need("kind", "Install kind, or use CELERIAC_CLUSTER=local.")
        self.kubeconfig().parent.mkdir(parents=True, exist_ok=True)
        run("kind", *words, f"--name={self._settings.name}")
