"""The three sources of a cluster behind one interface, and the choice among them."""

from pathlib import Path
from typing import Protocol

from e2e.cluster import kind
from e2e.cluster.current import CurrentCluster
from e2e.cluster.images.engine import docker_works
from e2e.cluster.images.loading import Loader
from e2e.cluster.kind import KindCluster
from e2e.cluster.local.provider import LocalCluster
from e2e.cluster.settings import Provider, Settings
from e2e.cluster.status import ClusterStatus


class Cluster(Protocol):
    """What the command line needs of a cluster."""

    def up(self) -> None:
        """Bring it up; does nothing where it is up already."""

    def down(self) -> None:
        """Remove it."""

    def status(self) -> ClusterStatus:
        """Look at it without changing anything."""

    def kubeconfig(self) -> Path:
        """The admin's kubeconfig."""

    def loader(self) -> Loader:
        """The way to bring images into it."""


def choose(settings: Settings) -> Cluster:
    """The cluster that the settings ask for; `auto` never takes the current context, which may be production."""
    match settings.provider:
        case Provider.CURRENT:
            return CurrentCluster(settings)
        case Provider.KIND:
            return KindCluster(settings)
        case Provider.LOCAL:
            return LocalCluster(settings)
        case Provider.AUTO:
            return KindCluster(settings) if kind.is_installed() and docker_works() else LocalCluster(settings)
