"""A volume on the node, for a cluster that has no StorageClass."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e.cluster.images.basic import BUSYBOX
from e2e.support.kube import PODS, VOLUMES, Kube
from e2e.support.namespaces import fresh_namespace
from e2e.support.predicates import Predicate, status

Obj = dict[str, Any]


NATS_CLAIM = "data-celeriac-nats-0"
"""Of the volume of NATS, in a release whose full name is `celeriac`."""
NATS_ON_A_VOLUME = (
    "nats.persistence.enabled=true",
    "nats.persistence.size=1Gi",
    "nats.persistence.storageClassName=-",
)


@contextmanager
def volume_for(kube: Kube, namespace: str, claim: str, size: str) -> Iterator[None]:
    """A PersistentVolume that this claim, and no other, is bound to; anybody may write to it.

    What is on it goes at the end, by a pod of the admin's: only that may write to the node.
    """
    path = f"/var/tmp/celeriac-volume-{secrets.token_hex(4)}"
    with fresh_namespace(kube, prefix="e2e-volume") as keeper:
        keeper.apply(_pod("maker", f"mkdir -m 777 {path}"))
        node = kube.wait(PODS, keeper.name, "maker", _DONE)["spec"]["nodeName"]
        volume = _volume(namespace, claim, size, path, node)
        kube.apply(volume)
        try:
            yield
        finally:
            kube.delete(VOLUMES, None, volume["metadata"]["name"])
            keeper.apply(_pod("remover", f"rm -rf {path}", node))
            kube.wait(PODS, keeper.name, "remover", _DONE)


_DONE = Predicate("through", lambda pod: status(pod).get("phase") == "Succeeded")


def _pod(name: str, script: str, node: str | None = None) -> Obj:
    container = {
        "name": "main",
        "image": BUSYBOX,
        "command": ["sh", "-c", script],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "host", "mountPath": "/var/tmp"}],
    }
    spec = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "host", "hostPath": {"path": "/var/tmp"}}],
        **({"nodeName": node} if node else {}),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def _volume(namespace: str, claim: str, size: str, path: str, node: str) -> Obj:
    there = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{namespace}-{claim}"},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "hostPath": {"path": path},
            "claimRef": {"namespace": namespace, "name": claim},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [there]}]}},
        },
    }
