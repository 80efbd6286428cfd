"""Who the operator is: a service account, as in its pod. The API server verifies a client certificate at every request,
which would cost a Task some milliseconds that it costs nobody in production; what it knows of a token it remembers."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from e2e.support.kube import Kube, Obj

NAME = "operator"


@contextmanager
def kubeconfig_of_operator(kube: Kube, namespace: str) -> Iterator[Path]:
    """A kubeconfig with a token of a service account that may do everything in that namespace."""
    for manifest in account(namespace):
        kube.create(manifest, namespace)
    given = with_token(yaml.safe_load(kube.kubeconfig.read_text()), kube.token(namespace, NAME))
    with tempfile.TemporaryDirectory(prefix="celeriac-bench-") as directory:
        path = Path(directory, "kubeconfig")
        path.write_text(json.dumps(given))  # JSON is YAML
        yield path


def account(namespace: str) -> list[Obj]:
    """The service account and its right."""
    group = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": NAME},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
        },
    ]


def with_token(kubeconfig: Obj, token: str) -> Obj:
    """The same cluster, reached with a token by whatever user the kubeconfig has."""
    users = [{"name": each["name"], "user": {"token": token}} for each in kubeconfig["users"]]
    return {**kubeconfig, "users": users}
