"""The configuration files of the local cluster's daemons, as plain functions of the settings."""

import json
from pathlib import Path

import yaml
from e2e.cluster.local.identities import kubeconfig
from e2e.cluster.settings import Settings

CNI_BINARIES = Path("/usr/lib/cni")
PAUSE_IMAGE = "localhost/pause:celeriac"
_KUBECONFIG_USERS = ("kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet")


def write(settings: Settings) -> None:
    """Write all files; those that others read while we run are replaced at once, never half written."""
    layout = settings.layout
    for directory in (layout.config / "cni", layout.logs, layout.processes, settings.kubelet):
        directory.mkdir(parents=True, exist_ok=True)
    files = {
        layout.config / "containerd.toml": containerd(settings),
        layout.config / "kubelet.yaml": yaml.safe_dump(kubelet(settings)),
        layout.config / "kube-proxy.yaml": yaml.safe_dump(kube_proxy(settings)),
        layout.config / "cni" / "10-celeriac.conflist": json.dumps(cni(settings), indent=2),
        layout.config / "resolv.conf": upstream_resolvers(),
        layout.kubeconfig: kubeconfig(settings, "admin"),
        **{layout.config / f"{user}.kubeconfig": kubeconfig(settings, user) for user in _KUBECONFIG_USERS},
    }
    for path, text in files.items():
        _replace(path, text)


def containerd(settings: Settings) -> str:
    """A containerd of our own: every path that it would share with another one is moved under the cluster's."""
    home = settings.layout.cluster / "containerd"
    return f"""\
version = 2
root = "{home}/root"
state = "{home}/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper",
]

[grpc]
address = "{settings.layout.containerd_socket}"

[plugins."io.containerd.internal.v1.opt"]
path = "{home}/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
# Without CAP_SYS_RESOURCE (machines that are containers themselves) every sandbox fails unless this is set.
restrict_oom_score_adj = true
# Keeps the pods' network namespaces where only we look for leftovers.
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
Root = "{home}/runc"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{CNI_BINARIES}"
conf_dir = "{settings.layout.config}/cni"
"""


def kubelet(settings: Settings) -> dict[str, object]:
    """KubeletConfiguration: secured as on a real node, but at ease with a full disk, swap and cgroup v1."""
    net, layout = settings.network, settings.layout
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": str(net.node_ip),
        "healthzBindAddress": str(net.node_ip),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet.key"),
        "clusterDNS": [str(net.dns_service_ip)],
        "clusterDomain": "cluster.local",
        "resolvConf": str(layout.config / "resolv.conf"),
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "podLogsDir": str(layout.cluster / "pod-logs"),
        "volumePluginDir": str(settings.kubelet / "volume-plugins"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{settings.name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "maxPods": 110,
        "serializeImagePulls": False,
        # The developer's disk is not ours to judge: neither evict pods nor remove images because it is full.
        "evictionHard": {
            "memory.available": "50Mi",
            **{f"{fs}.{what}": "0%" for fs in ("nodefs", "imagefs") for what in ("available", "inodesFree")},
            **({"nodefs.available": "10%"} if settings.kubelet_disk is not None else {}),
        },
        "evictionPressureTransitionPeriod": "10s",
        "imageGCHighThresholdPercent": 100,
    }


def kube_proxy(settings: Settings) -> dict[str, object]:
    """KubeProxyConfiguration; limits of conntrack belong to the machine and cannot be set from a network namespace."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(settings.layout.config / "kube-proxy.kubeconfig")},
        "clusterCIDR": str(settings.network.pods),
        "healthzBindAddress": f"{settings.network.node_ip}:10256",
        "nodePortAddresses": ["primary"],
        "oomScoreAdj": 0,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def cni(settings: Settings) -> dict[str, object]:
    """Pod network: routed links (as kind has them) rather than a bridge, so that br_netfilter is not needed."""
    ipam = {
        "type": "host-local",
        "dataDir": str(settings.layout.cluster / "cni"),
        "ranges": [[{"subnet": str(settings.network.pods)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "0.4.0",
        "name": settings.name,
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": ipam},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def upstream_resolvers() -> str:
    """The machine's resolvers as pods can reach them: systemd's stub on a loopback address they cannot."""
    behind_stub = Path("/run/systemd/resolve/resolv.conf")
    source = behind_stub if behind_stub.exists() else Path("/etc/resolv.conf")
    return source.read_text()


def _replace(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)
