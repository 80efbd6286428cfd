"""Every example does what it says: the annotation `celeriac.dev/expect` of its Tasks against what comes of them."""

from pathlib import Path

import pytest
from e2e.cluster.images.basic import BUSYBOX
from e2e.support.connection import REPOSITORY, load_yaml
from e2e.support.kube import Obj
from e2e.support.namespaces import Namespace
from e2e.support.predicates import Predicate, status

EXPECT = "celeriac.dev/expect"
FILES = sorted((REPOSITORY / "examples").glob("*.yaml"))
PUBLIC_IMAGE = "busybox:1.36"
"""What the examples use; the cluster under test may have no registry, but it has the same image under our name."""


def documents(path: Path) -> list[Obj]:
    """The manifests of a file, with images that the cluster has."""
    found = load_yaml([path])
    for each in found:
        container = each.get("spec", {}).get("container", {})
        if container.get("image") == PUBLIC_IMAGE:
            container["image"] = BUSYBOX
    return found


EXAMPLES = [
    pytest.param(
        each["metadata"]["name"], each["metadata"].get("annotations", {}).get(EXPECT), id=f"{path.name} {name}"
    )
    for path in FILES
    for each in documents(path)
    if each["kind"] == "Task"
    for name in [each["metadata"]["name"]]
]


@pytest.fixture(scope="module")
def applied(shared_namespace: Namespace) -> Namespace:
    """The namespace in which all examples were applied, as `kubectl apply -f examples/` does."""
    shared_namespace.apply(*(each for path in FILES for each in documents(path)))
    return shared_namespace


@pytest.mark.parametrize(("name", "expected"), EXAMPLES)
def test_example(applied: Namespace, name: str, expected: str | None) -> None:
    assert expected is not None, f"Task {name} has no annotation {EXPECT}"
    phase, _, reason = expected.partition("/")

    found = applied.wait(name, ends_as(phase, reason))

    assert status(found)["phase"] == phase, status(found)["message"]
    assert status(found)["reason"] == (reason or phase), status(found)["message"]


def ends_as(phase: str, reason: str) -> Predicate:
    """Finished; or, where the example stays as it is until somebody does something, so far."""
    terminal = {"Succeeded", "Failed", "Cancelled", "Expired"}
    if phase in terminal:
        return Predicate("finished", lambda obj: status(obj).get("phase") in terminal)
    wanted = (phase, reason or phase)
    return Predicate(
        f"{phase} {reason}",
        lambda obj: (
            (status(obj).get("phase"), status(obj).get("reason")) == wanted or status(obj).get("phase") in terminal
        ),
    )
