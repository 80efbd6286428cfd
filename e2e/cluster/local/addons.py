"""What runs inside the cluster from the start: DNS, as a real pod behind the usual Service."""

from pathlib import Path
from string import Template

from e2e.cluster import kubectl
from e2e.cluster.images.basic import COREDNS
from e2e.cluster.local import dns
from e2e.cluster.settings import Settings

_MANIFEST = Path(__file__).parent.parent / "manifests" / "coredns.yaml"


def coredns_manifest(settings: Settings) -> str:
    return Template(_MANIFEST.read_text()).substitute(image=COREDNS, cluster_ip=settings.network.dns_service_ip)


def apply_coredns(settings: Settings) -> None:
    kubectl.run(settings, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=coredns_manifest(settings))


def dns_is_ready(settings: Settings) -> bool:
    """Tell whether the cluster's DNS answers on its Service address."""
    return dns.answers(str(settings.network.dns_service_ip), "kubernetes.default.svc.cluster.local")
