"""The CustomResourceDefinitions: rules of structural schemas, bounds, and that the committed files are these."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from scripts.generate import generated_files

from celeriac.api.crd import RESOURCES, custom_resource_definition
from celeriac.api.rules import MUTABLE_TASK_FIELDS, OUR_VOLUMES
from celeriac.api.v1alpha1 import TaskSpec
from celeriac_operator.manifests.runner import CREDS_VOLUME
from celeriac_operator.manifests.security import TMP_VOLUME

ROOT = Path(__file__).parents[3]
FREE_FORM = "x-kubernetes-preserve-unknown-fields"
CRDS = {resource.kind: custom_resource_definition(resource) for resource in RESOURCES}


def schema_of(kind: str) -> dict[str, Any]:
    return CRDS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]  # type: ignore[no-any-return]


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of a schema with its path."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for step in ("items", "additionalProperties"):
        if isinstance(schema.get(step), dict):
            yield from nodes(schema[step], f"{path}.*")


ALL = [(kind, path, node) for kind in CRDS for path, node in nodes(schema_of(kind), kind)]
IDS = [path for _, path, _ in ALL]
FORBIDDEN = {
    "$ref",
    "$defs",
    "definitions",
    "deprecated",
    "discriminator",
    "readOnly",
    "writeOnly",
    "xml",
    "const",
    "title",
}


@pytest.mark.parametrize(("kind", "path", "node"), ALL, ids=IDS)
def test_every_part_is_structural(kind: str, path: str, node: dict[str, Any]) -> None:
    """https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/ ."""
    typed = "type" in node or node.get("x-kubernetes-int-or-string") or node.get(FREE_FORM)

    assert typed, "a type, unless anything goes"
    assert not FORBIDDEN & set(node)
    assert not ("properties" in node and "additionalProperties" in node)
    assert not ({"anyOf", "allOf", "oneOf", "not"} & set(node)) or node.get("x-kubernetes-int-or-string")
    assert node.get("uniqueItems") is not True
    assert "default" not in node, "a default would hide what a TaskDefinition or queue gives"


@pytest.mark.parametrize(("kind", "path", "node"), [row for row in ALL if ".spec" in row[1]], ids=lambda v: str(v)[:60])
def test_every_list_string_and_map_of_a_spec_is_bounded(kind: str, path: str, node: dict[str, Any]) -> None:
    """CEL's cost is estimated from the bounds, and an unbounded status could never be kept small."""
    match node.get("type"):
        case "array":
            assert "maxItems" in node
        case "string":
            assert {"maxLength", "enum", "format"} & set(node)
        case "object" if isinstance(node.get("additionalProperties"), dict):
            assert "maxProperties" in node


@pytest.mark.parametrize(("kind", "path", "node"), ALL, ids=IDS)
def test_every_field_is_described(kind: str, path: str, node: dict[str, Any]) -> None:
    top = path.count(".") < 2
    assert top or path.endswith("*") or node.get("description"), "kubectl explain would be silent"


def test_exactly_the_mutable_fields_of_a_task_can_be_changed() -> None:
    rules = schema_of("Task")["properties"]["spec"]["x-kubernetes-validations"]
    fixed = {rule["fieldPath"].removeprefix(".") for rule in rules if "fieldPath" in rule}
    fields = {field.alias or name for name, field in TaskSpec.model_fields.items()}

    assert fields - fixed == {*MUTABLE_TASK_FIELDS, "params"}


@pytest.mark.parametrize(("part", "keys"), [("conditions", ["type"]), ("attempts", ["number"])])
def test_lists_of_the_status_merge_by_key(part: str, keys: list[str]) -> None:
    node = schema_of("Task")["properties"]["status"]["properties"][part]

    assert (node["x-kubernetes-list-type"], node["x-kubernetes-list-map-keys"]) == ("map", keys)
    assert set(keys) <= set(node["items"]["required"])


@pytest.mark.parametrize("kind", CRDS)
def test_a_status_has_one_owner_as_a_whole(kind: str) -> None:
    assert schema_of(kind)["properties"]["status"]["x-kubernetes-map-type"] == "atomic"


@pytest.mark.parametrize(
    ("path", "text"), generated_files().items(), ids=lambda v: str(v) if isinstance(v, Path) else ""
)
def test_committed_files_are_what_the_models_say(path: Path, text: str) -> None:
    assert (ROOT / path).read_text() == text, f"{path} has drifted: run make generate"


@pytest.mark.parametrize("kind", CRDS)
def test_a_crd_is_small_enough_for_kubectl_apply(kind: str) -> None:
    assert len(yaml.safe_dump(CRDS[kind])) < 262_144


def test_the_volumes_that_are_reserved_are_those_that_the_operator_adds() -> None:
    assert {TMP_VOLUME, CREDS_VOLUME} == set(OUR_VOLUMES)
