"""The daemons of the local cluster: what each is started with and where it tells its health."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import binaries
from e2e.cluster.local.identities import node_name
from e2e.cluster.settings import Settings


@dataclass(frozen=True)
class Component:
    """A daemon; `health` is a URL, or a socket that must take connections."""

    name: str
    argv: tuple[str, ...]
    health: str | Path
    configuration: Path | None = None

    def recipe(self) -> str:
        """Changes with whatever the daemon is started with: its version, arguments and configuration."""
        content = self.configuration.read_bytes() if self.configuration is not None else b""
        return hashlib.sha256(repr(self.argv).encode() + content).hexdigest()[:12]


def all_of(settings: Settings) -> dict[str, Component]:
    """Every component, in the order in which they are started."""
    made = (build(settings) for build in _BUILDERS)
    return {component.name: component for component in made}


def _etcd(settings: Settings) -> Component:
    client, node_ip = "http://127.0.0.1:2379", settings.network.node_ip
    argv = [
        binary(settings, "etcd"), "--name=celeriac", f"--data-dir={settings.layout.cluster / 'etcd'}",
        f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
        "--listen-peer-urls=http://127.0.0.1:2380", f"--listen-metrics-urls=http://{node_ip}:2381",
        "--auto-compaction-retention=5m", "--quota-backend-bytes=4294967296", "--log-level=warn",
    ]  # fmt: skip
    if settings.unsafe_etcd:
        argv.append("--unsafe-no-fsync")
    return Component("etcd", tuple(argv), f"http://{node_ip}:2381/health")


def _containerd(settings: Settings) -> Component:
    configuration = settings.layout.config / "containerd.toml"
    argv = ("containerd", f"--config={configuration}", "--log-level=warn")
    return Component("containerd", argv, settings.layout.containerd_socket, configuration)


def _api_server(settings: Settings) -> Component:
    net, pki = settings.network, settings.layout.pki
    argv = (
        binary(settings, "kube-apiserver"), f"--advertise-address={net.node_ip}", "--secure-port=6443",
        "--etcd-servers=http://127.0.0.1:2379", f"--service-cluster-ip-range={net.services}",
        "--allow-privileged=true", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
        f"--client-ca-file={pki}/ca.crt",
        # No aggregated API here, but controllers complain for ever without an authority for its front proxy.
        f"--requestheader-client-ca-file={pki}/ca.crt", "--requestheader-allowed-names=front-proxy-client",
        f"--tls-cert-file={pki}/kube-apiserver.crt", f"--tls-private-key-file={pki}/kube-apiserver.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet-client.key", "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/sa.pub", f"--service-account-signing-key-file={pki}/sa.key",
    )  # fmt: skip
    return Component("kube-apiserver", argv, f"{net.api_url}/readyz")


def _controller_manager(settings: Settings) -> Component:
    pki = settings.layout.pki
    argv = (
        *_client(settings, "kube-controller-manager"), f"--root-ca-file={pki}/ca.crt",
        f"--service-account-private-key-file={pki}/sa.key", "--use-service-account-credentials=true",
        f"--flex-volume-plugin-dir={settings.layout.cluster}/kubelet/volume-plugins",
        f"--cluster-signing-cert-file={pki}/ca.crt", f"--cluster-signing-key-file={pki}/ca.key",
    )  # fmt: skip
    return Component("kube-controller-manager", argv, f"https://{settings.network.node_ip}:10257/healthz")


def _scheduler(settings: Settings) -> Component:
    argv = _client(settings, "kube-scheduler")
    return Component("kube-scheduler", argv, f"https://{settings.network.node_ip}:10259/healthz")


def _kubelet(settings: Settings) -> Component:
    config, net = settings.layout.config, settings.network
    argv = (
        binary(settings, "kubelet"), f"--config={config}/kubelet.yaml", f"--kubeconfig={config}/kubelet.kubeconfig",
        f"--root-dir={settings.kubelet}", f"--cert-dir={settings.kubelet}/pki",
        f"--hostname-override={node_name(settings)}", f"--node-ip={net.node_ip}",
    )  # fmt: skip
    return Component("kubelet", argv, f"http://{net.node_ip}:10248/healthz", config / "kubelet.yaml")


def _kube_proxy(settings: Settings) -> Component:
    configuration = settings.layout.config / "kube-proxy.yaml"
    argv = (
        binary(settings, "kube-proxy"), f"--config={configuration}",
        f"--hostname-override={node_name(settings)}",
    )  # fmt: skip
    return Component("kube-proxy", argv, f"http://{settings.network.node_ip}:10256/healthz", configuration)


def _client(settings: Settings, name: str) -> tuple[str, ...]:
    """What kube-controller-manager and kube-scheduler have in common."""
    kubeconfig, pki = settings.layout.config / f"{name}.kubeconfig", settings.layout.pki
    return (
        binary(settings, name), f"--kubeconfig={kubeconfig}", f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}", f"--bind-address={settings.network.node_ip}",
        f"--tls-cert-file={pki}/{name}.crt", f"--tls-private-key-file={pki}/{name}.key",
        # One replica: an election would only delay the start. The defaults for qps (20 and 50) would be what a
        # benchmark of ours measures; the API server is local and stands more.
        "--leader-elect=false", "--kube-api-qps=200", "--kube-api-burst=400",
    )  # fmt: skip


def binary(settings: Settings, name: str) -> str:
    return str(binaries.path_of(settings.layout, name))


_BUILDERS: tuple[Callable[[Settings], Component], ...] = (
    _etcd,
    _containerd,
    _api_server,
    _controller_manager,
    _scheduler,
    _kubelet,
    _kube_proxy,
)
