"""The user's own cluster: looked at, never changed. Whatever is installed into it, the user installs with helm."""

import os
from pathlib import Path

from e2e.cluster import commands, kubectl
from e2e.cluster.errors import ClusterError, CommandError
from e2e.cluster.images.loading import Loader
from e2e.cluster.settings import Settings
from e2e.cluster.status import ClusterStatus, parse_nodes


class CurrentCluster:
    """The current context of the user's kubeconfig."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def up(self) -> None:
        status = self.status()
        if not status.healthy:
            raise ClusterError("The current context cannot be used.", " ".join(status.trouble))

    def down(self) -> None:
        raise ClusterError(
            "This is your own cluster, so it is not taken down.", "Use `helm uninstall` for what is in it."
        )

    def status(self) -> ClusterStatus:
        try:
            listing = commands.run(kubectl.find(), "get", "nodes", "--output=json", "--request-timeout=10s")
        except CommandError as error:
            return ClusterStatus(provider="current", kubeconfig=self.kubeconfig(), trouble=[error.hint])
        nodes = parse_nodes(listing)
        trouble = [] if any(node.ready for node in nodes) else ["No node is ready."]
        return ClusterStatus(provider="current", kubeconfig=self.kubeconfig(), nodes=nodes, trouble=trouble)

    def kubeconfig(self) -> Path:
        # kubectl merges a list of files; the first is the one that it writes to.
        return Path(os.environ.get("KUBECONFIG", "").split(os.pathsep)[0] or Path("~/.kube/config").expanduser())

    def loader(self) -> Loader:
        raise ClusterError(
            "Images are not loaded into a cluster of your own.",
            "Push them to a registry that it can pull from, and set image.repository in the chart's values.",
        )
