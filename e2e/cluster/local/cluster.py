"""Bringing the whole local cluster up and down."""

from pathlib import Path

from e2e.cluster import binaries, packages, pki, preflight, processes
from e2e.cluster.errors import ClusterError
from e2e.cluster.images import basic, containerd
from e2e.cluster.local import addons, components, configuration, health, identities, leftovers, lifecycle, network
from e2e.cluster.progress import step
from e2e.cluster.settings import Settings
from e2e.cluster.status import parse_nodes

_CONTROL_PLANE = ("etcd", "kube-apiserver")
_NODE_TIMEOUT_SECONDS = 90
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def up(settings: Settings) -> None:
    """Start whatever is not running, from nothing to a single dead daemon."""
    preflight.check(settings)
    install(settings)
    _prepare(settings)
    if is_up(settings):
        _load_basic_images(settings)
    else:
        _start(settings)
    _finish(settings)


def down(settings: Settings) -> None:
    """Remove the cluster with all that it left on the machine; programs and images stay in the cache."""
    with step("Killing pods and daemons"):
        # No goodbyes: etcd and the API server would take seconds over state that goes with the directory anyway.
        leftovers.kill_all(settings)
    with step("Removing mounts, network, cgroups and files"):
        leftovers.unmount(settings.layout.cluster)
        network.down(settings)
        leftovers.remove_cgroups(settings)
        leftovers.remove_files(settings)


def is_up(settings: Settings) -> bool:
    """Tell whether every daemon runs and says that it is well."""
    return all(
        lifecycle.is_running(name, settings) and health.is_healthy(settings, component)
        for name, component in components.all_of(settings).items()
    )


def install(settings: Settings) -> None:
    """Install Debian packages and build programs, where they are missing."""
    lacking = packages.missing(packages.NODE)
    if lacking:
        with step(f"Installing {', '.join(lacking)}", 40):
            packages.install(lacking)
    for tool in binaries.missing(settings.layout):
        with step(f"Building {tool.module} {binaries.version_of(tool)}", tool.usual_seconds):
            binaries.build(settings.layout, tool)


def _prepare(settings: Settings) -> None:
    with step("Certificates, configuration and network"):
        settings.layout.cluster.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_earlier_boot(settings)
        _check_same_subnet(settings)
        network.up(settings)
        pki.ensure(settings.layout.pki, identities.all_of(settings))
        configuration.write(settings)
        leftovers.make_cgroups(settings)
    _kill_strays(settings)
    _stop_outdated(settings)


def _start(settings: Settings) -> None:
    with step("Control plane and containerd", 5):
        for name in (*_CONTROL_PLANE, "containerd"):
            lifecycle.start(name, settings)
        lifecycle.wait_healthy("containerd", settings)
        _load_basic_images(settings)
        for name in _CONTROL_PLANE:
            lifecycle.wait_healthy(name, settings)
    with step("Controllers and node", 3):
        for name in lifecycle.names(settings):
            lifecycle.start(name, settings)
        addons.apply_coredns(settings)
        for name in lifecycle.names(settings):
            lifecycle.wait_healthy(name, settings)


def _finish(settings: Settings) -> None:
    with step("Node ready, DNS answers", 3):
        lifecycle.wait_until(
            lambda: node_is_ready(settings),
            "The node is not ready",
            lambda: _kubelet_log(settings),
            _NODE_TIMEOUT_SECONDS,
        )
        lifecycle.wait_until(
            lambda: addons.dns_is_ready(settings),
            "DNS does not answer",
            lambda: "See `kubectl -n kube-system describe pods`.",
            _NODE_TIMEOUT_SECONDS,
        )


def node_is_ready(settings: Settings) -> bool:
    """Tell whether the kubelet reported the node as ready to this API server."""
    try:
        nodes = parse_nodes(health.get(settings, "/api/v1/nodes"))
    except OSError:
        return False
    return any(node.ready for node in nodes)


def _load_basic_images(settings: Settings) -> None:
    loader = containerd.loader(settings)
    for name, archive in basic.ensure(settings.layout).items():
        if not loader.has(name, archive.stem):
            loader.load(name, archive, archive.stem)


def _kill_strays(settings: Settings) -> None:
    tracked = {processes.running_pid(lifecycle.pidfile(settings, name)) for name in lifecycle.names(settings)}
    leftovers.kill(leftovers.strays(settings, {pid for pid in tracked if pid is not None}))


def _stop_outdated(settings: Settings) -> None:
    # Clients before servers: the API server, for one, takes long to stop once etcd is gone.
    for name in reversed(lifecycle.names(settings)):
        if lifecycle.is_outdated(name, settings):
            with step(f"Stopping {name}, which runs with other settings or another version"):
                lifecycle.stop(name, settings=settings)


def _check_same_subnet(settings: Settings) -> None:
    """Certificates and Services hold addresses, so a cluster keeps the subnet that it was made with."""
    mark = settings.layout.cluster / "subnet"
    if mark.exists() and mark.read_text() != str(settings.subnet):
        raise ClusterError(
            f"The cluster was made with the subnet {mark.read_text()}, not {settings.subnet}.",
            "Unset CELERIAC_CLUSTER_SUBNET, or make the cluster anew: `make cluster-down cluster-up`.",
        )
    network.check_subnet_is_free(settings)
    mark.write_text(str(settings.subnet))


def _forget_earlier_boot(settings: Settings) -> None:
    """After a reboot containerd's notes about running containers are wrong; elsewhere a tmpfs loses them."""
    mark, boot = settings.layout.cluster / "boot-id", _BOOT_ID.read_text()
    if mark.exists() and mark.read_text() != boot:
        leftovers.remove_runtime_state(settings)
    mark.write_text(boot)


def _kubelet_log(settings: Settings) -> str:
    return f"See {lifecycle.log_file(settings, 'kubelet')} and {lifecycle.log_file(settings, 'containerd')}."
