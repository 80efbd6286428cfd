"""Objects that earlier releases stored, on a real API server with the CRDs of today."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from e2e.support.connection import REPOSITORY, apply_crds
from e2e.support.kube import KINDS, Kube, Refused
from e2e.support.manifests import definition, queue, task
from e2e.support.namespaces import Namespace
from tenacity import retry, retry_if_exception_type, retry_if_not_exception_type, stop_after_delay, wait_fixed
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


FORBIDDEN: tuple[tuple[str, Obj], ...] = (
    ("an image with a space", task("image", container_fields={"image": "busybox 1.36"})),
    ("a relative working directory", task("folder", container_fields={"workingDir": "work"})),
    ("a variable twice", task("twice", container_fields={"env": [{"name": "A"}, {"name": "A"}]})),
    ("a variable of ours", task("ours", container_fields={"env": [{"name": "CELERIAC_TASK"}]})),
    ("a pause above the longest", task("pause", retry={"backoff": {"initialSeconds": 2, "maxSeconds": 1}})),
    ("a mount of no volume", definition("mount", pod={"volumeMounts": [{"name": "v", "mountPath": "/v"}]})),
    ("a node that no label has", definition("node", pod={"nodeSelector": {"a b": "c d"}})),
    ("a class that no object has", definition("class", pod={"priorityClassName": "High_Priority"})),
    ("a resource that nobody has", task("resource", container_fields={"resources": {"limits": {"memroy": "1Gi"}}})),
    ("a LocalQueue that no label can name", queue("local", kueueQueueName="q" * 64)),
)


@pytest.fixture(scope="module")
def stored_before(place: Namespace) -> Namespace:
    """The namespace with objects that were stored before there were rules for them."""
    crds = [yaml.safe_load(path.read_text()) for path in sorted((REPOSITORY / "crds").glob("*.yaml"))]
    for crd in crds:
        place.kube.apply(_without_rules(crd))
    for _, raw in FORBIDDEN:
        _once_there_are_no_rules(place, raw)
    for crd in crds:
        place.kube.apply(crd)
    return place


def _without_rules(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_rules(part) for key, part in value.items() if key != "x-kubernetes-validations"}
    return [_without_rules(part) for part in value] if isinstance(value, list) else value


@retry(retry=retry_if_exception_type(Refused), stop=stop_after_delay(60), wait=wait_fixed(0.1), reraise=True)
def _once_there_are_no_rules(place: Namespace, raw: Obj) -> None:
    """A CRD that was changed is served a moment later."""
    place.kube.create(raw, place.name)


@retry(retry=retry_if_not_exception_type(Refused), stop=stop_after_delay(60), wait=wait_fixed(0.1), reraise=True)
def _refused(place: Namespace, raw: Obj) -> None:
    place.kube.create({**raw, "metadata": {"name": "new"}}, place.name, dry_run=True)
    raise AssertionError("the rules of today are not served")


@pytest.mark.parametrize(("sentence", "raw"), FORBIDDEN, ids=[sentence for sentence, _ in FORBIDDEN])
def test_what_todays_rules_refuse_goes_on_where_it_is_stored(stored_before: Namespace, sentence: str, raw: Obj) -> None:
    """Or the operator could write no status of it, and nobody could cancel it: the API server checks what changes."""
    kube, where, name = stored_before.kube, stored_before.name, raw["metadata"]["name"]
    kind = KINDS[raw["apiVersion"], raw["kind"]]
    with pytest.raises(Refused):
        _refused(stored_before, raw)

    stored = kube.get(kind, where, name)
    written = kube.replace_status(kind, where, {**stored, "status": {"observedGeneration": 1}})
    changed = {"Task": {"cancel": {}}, "TaskDefinition": {"version": "2"}, "TaskQueue": {"maxConcurrency": 3}}
    patched = kube.patch(kind, where, name, {"spec": changed[raw["kind"]]})

    assert written["status"] == {"observedGeneration": 1}
    assert patched["spec"] == {**raw["spec"], **changed[raw["kind"]]}
