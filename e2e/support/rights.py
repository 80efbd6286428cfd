"""The chart's rights and policies for one namespace, without a release: who may do what there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from e2e.support.kube import Kube, Obj, kind_of
from e2e.support.release import CHART, helm

OPERATOR = "celeriac"
"""The operator's ServiceAccount, in the namespace itself."""
_KINDS = {
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "NetworkPolicy",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


def rendered(kube: Kube, namespace: str, *values: str) -> list[Obj]:
    """What the chart makes of these kinds for an operator of that namespace only."""
    given = ("fullnameOverride=celeriac", f"watch.namespaces[0]={namespace}", *values)
    words = ("template", OPERATOR, str(CHART), f"--namespace={namespace}", "--kube-version=1.34.0", "--no-hooks")
    text = helm(*words, *(f"--set={each}" for each in given), kubeconfig=kube.kubeconfig)
    return [each for each in yaml.safe_load_all(text) if each and each["kind"] in _KINDS]


@contextmanager
def installed(kube: Kube, namespace: str, *values: str) -> Iterator[list[Obj]]:
    """They are there meanwhile; those in the namespace go with it."""
    manifests = rendered(kube, namespace, *values)
    try:
        for manifest in manifests:
            kube.apply(manifest, manifest["metadata"].get("namespace"))
        yield manifests
    finally:
        for manifest in manifests:
            if not kind_of(manifest).namespaced:
                kube.delete(kind_of(manifest), None, manifest["metadata"]["name"])


def kubeconfig_of(kube: Kube, namespace: str, account: str, folder: Path) -> Path:
    """A kubeconfig with which one is that ServiceAccount."""
    config = yaml.safe_load(kube.kubeconfig.read_text())
    token = kube.token(namespace, account)
    path = folder / f"{account}.kubeconfig"
    path.write_text(
        yaml.safe_dump({**config, "users": [{**each, "user": {"token": token}} for each in config["users"]]})
    )
    path.chmod(0o600)
    return path
