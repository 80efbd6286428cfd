"""Who is who in the local cluster: one certificate each, good for speaking and for serving."""

from base64 import b64encode
from pathlib import Path

import yaml
from e2e.cluster.pki import Identity
from e2e.cluster.settings import Settings


def node_name(settings: Settings) -> str:
    return f"{settings.name}-node"


def all_of(settings: Settings) -> tuple[Identity, ...]:
    """Every certificate of the cluster; names are also the file names."""
    net = settings.network
    node = (f"IP:{net.node_ip}",)
    service = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    api = (*node, f"IP:{net.api_service_ip}", *(f"DNS:{name}" for name in service))
    return (
        Identity("kube-apiserver", "kube-apiserver", alt_names=api),
        Identity("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
        Identity("admin", "celeriac-admin", "system:masters"),
        Identity("kube-controller-manager", "system:kube-controller-manager", alt_names=node),
        Identity("kube-scheduler", "system:kube-scheduler", alt_names=node),
        Identity("kube-proxy", "system:kube-proxy"),
        Identity(
            "kubelet", f"system:node:{node_name(settings)}", "system:nodes", (*node, f"DNS:{node_name(settings)}")
        ),
    )


def kubeconfig(settings: Settings, identity: str) -> str:
    """A kubeconfig with everything inside, so that it may be copied elsewhere."""

    def data(name: str) -> str:
        return b64encode(Path(settings.layout.pki, name).read_bytes()).decode()

    name = settings.name
    user = {"client-certificate-data": data(f"{identity}.crt"), "client-key-data": data(f"{identity}.key")}
    cluster = {"server": settings.network.api_url, "certificate-authority-data": data("ca.crt")}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": f"{name}-{identity}", "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": f"{name}-{identity}"}}],
        }
    )
