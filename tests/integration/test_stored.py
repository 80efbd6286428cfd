"""Objects that earlier releases stored, on a real API server with the CRDs of today."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from e2e.support.connection import apply_crds
from e2e.support.kube import KINDS, Kube
from e2e.support.namespaces import Namespace
from tests.support.control_plane import control_plane
from tests.support.stored import Obj, as_params, objects

FOUND = objects("tasks", "taskqueues", "crontasks", "taskdefinitions")
GIVEN_BY_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "ownerReferences")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """A namespace of an API server that nobody else writes to."""
    with control_plane(tmp_path_factory.mktemp("plane")) as plane, Kube(plane.kubeconfig) as kube:
        apply_crds(kube)
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "media"}})
        yield Namespace(kube, "media")


def title(raw: Obj) -> str:
    return f"{raw['kind']} {raw['metadata']['name']}"


def as_new(raw: Obj, namespace: str) -> Obj:
    meta = {key: value for key, value in raw["metadata"].items() if key not in GIVEN_BY_THE_SERVER}
    return {**raw, "metadata": {**meta, "namespace": namespace}}


def content(raw: Obj) -> tuple[Any, Any]:
    return raw["spec"], raw.get("status")


@pytest.mark.parametrize("raw", as_params(FOUND, title))
def test_it_is_taken_kept_and_written_again(place: Namespace, raw: Obj) -> None:
    kube, where = place.kube, place.name
    kind, name = KINDS[raw["apiVersion"], raw["kind"]], raw["metadata"]["name"]

    made = kube.create(as_new(raw, where), where)
    written = kube.replace_status(kind, where, {**made, "status": raw["status"]})
    assert content(written) == content(raw)

    # An update as the operator makes one, on top of what was stored.
    again = kube.replace_status(kind, where, {**written, "status": {**raw["status"], "observedGeneration": 1}})
    assert again["status"] == {**raw["status"], "observedGeneration": 1}
    labelled = kube.patch(kind, where, name, {"metadata": {"labels": {"looked-at": "true"}}})
    assert labelled["spec"] == raw["spec"]
