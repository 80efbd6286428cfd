"""The local cluster as the command line sees it."""

from pathlib import Path

from e2e.cluster import processes
from e2e.cluster.images import containerd
from e2e.cluster.images.loading import Loader
from e2e.cluster.local import addons, cluster, components, health, lifecycle
from e2e.cluster.locking import exclusive
from e2e.cluster.settings import Settings
from e2e.cluster.status import ClusterStatus, ComponentStatus, NodeStatus, parse_nodes


class LocalCluster:
    """Plain processes on this machine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def up(self) -> None:
        with exclusive(self._lock()):
            cluster.up(self._settings)

    def down(self) -> None:
        with exclusive(self._lock()):
            cluster.down(self._settings)

    def kubeconfig(self) -> Path:
        return self._settings.layout.kubeconfig

    def loader(self) -> Loader:
        return containerd.loader(self._settings)

    def status(self) -> ClusterStatus:
        found = [self._component(component) for component in components.all_of(self._settings).values()]
        alive = {each.name for each in found if each.healthy}
        return ClusterStatus(
            provider="local",
            kubeconfig=self.kubeconfig(),
            components=found,
            nodes=self._nodes() if "kube-apiserver" in alive else [],
            images=sorted(containerd.images(self._settings)) if "containerd" in alive else [],
            trouble=self._trouble(found),
        )

    def _lock(self) -> Path:
        # Beside the cluster's directory, because that goes with the cluster.
        return self._settings.layout.cluster.with_suffix(".lock")

    def _component(self, component: components.Component) -> ComponentStatus:
        pid = processes.running_pid(lifecycle.pidfile(self._settings, component.name))
        return ComponentStatus(
            name=component.name,
            pid=pid,
            healthy=pid is not None and health.is_healthy(self._settings, component),
            age_seconds=processes.age_seconds(pid) if pid is not None else 0,
            log=lifecycle.log_file(self._settings, component.name),
        )

    def _nodes(self) -> list[NodeStatus]:
        try:
            return parse_nodes(health.get(self._settings, "/api/v1/nodes"))
        except OSError:
            return []

    def _trouble(self, found: list[ComponentStatus]) -> list[str]:
        if all(each.pid is None for each in found):
            return ["There is no cluster running: start it with `make cluster-up`."]
        ailing = [each.name for each in found if not each.healthy]
        if ailing:
            return [f"Not well: {', '.join(ailing)}. `make cluster-up` starts what is dead; the logs say why."]
        reasons = []
        if not cluster.node_is_ready(self._settings):
            reasons.append("The node is not ready: see `kubectl describe node`.")
        if not addons.dns_is_ready(self._settings):
            reasons.append("DNS does not answer: see `kubectl -n kube-system describe pods`.")
        return reasons
