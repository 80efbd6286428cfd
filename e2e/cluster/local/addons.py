"""What runs inside the cluster from the start: DNS, as a real pod behind the usual Service."""

import json
from pathlib import Path
from string import Template

from e2e.cluster import kubectl
from e2e.cluster.images.basic import COREDNS
from e2e.cluster.local import health
from e2e.cluster.settings import Settings

_MANIFEST = Path(__file__).parent.parent / "manifests" / "coredns.yaml"
_DEPLOYMENT = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"


def coredns_manifest(settings: Settings) -> str:
    return Template(_MANIFEST.read_text()).substitute(image=COREDNS, cluster_ip=settings.network.dns_service_ip)


def apply_coredns(settings: Settings) -> None:
    kubectl.run(settings, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=coredns_manifest(settings))


def dns_is_ready(settings: Settings) -> bool:
    try:
        status = json.loads(health.get(settings, _DEPLOYMENT))["status"]
    except OSError:
        return False
    return bool(status.get("readyReplicas"))
