"""Which cluster the tests run against."""

import os
from pathlib import Path

import yaml
from e2e.cluster import providers
from e2e.cluster.local import lifecycle
from e2e.cluster.settings import from_environ
from e2e.support.kube import CRDS, Kube, Obj
from e2e.support.predicates import Predicate, condition

REPOSITORY = Path(__file__).parents[2]


def kubeconfig_path() -> Path:
    """The kubeconfig: CELERIAC_KUBECONFIG, else that of the cluster that `make cluster-up` gives.

    Raises:
        LookupError: there is no cluster.
    """
    given = os.environ.get("CELERIAC_KUBECONFIG")
    path = Path(given) if given else Path(providers.choose(from_environ()).kubeconfig())
    if not path.exists():
        raise LookupError(f"There is no kubeconfig {path}: `make cluster-up` makes a cluster")
    return path


def connect(path: Path, *, connections: int = 4) -> Kube:
    """Connect, and make sure that somebody answers.

    Args:
        connections: kept open; a thread more than that pays a TLS handshake for each call.

    Raises:
        LookupError: nobody does.
    """
    kube = Kube(path, connections=connections)
    try:
        kube.text("/readyz")
    except Exception as error:  # whatever it is, the sentence is the same
        kube.close()
        raise LookupError(f"The cluster of {path} does not answer: `make cluster-up` ({error})") from error
    return kube


def is_local(path: Path) -> bool:
    """Whether it is the embedded cluster, whose daemons tests may kill."""
    return path.resolve() == lifecycle.kubeconfig().resolve()


def apply_crds(kube: Kube) -> None:
    """Apply the CRDs as an admin does, and wait until they are served."""
    established = Predicate("established", lambda obj: condition(obj, "Established") == "True")
    for manifest in load_yaml(sorted((REPOSITORY / "crds").glob("*.yaml"))):
        kube.apply(manifest)
        kube.wait(CRDS, None, manifest["metadata"]["name"], established)


def load_yaml(paths: list[Path]) -> list[Obj]:
    """The documents of YAML files."""
    return [each for path in paths for each in yaml.safe_load_all(path.read_text()) if each]
