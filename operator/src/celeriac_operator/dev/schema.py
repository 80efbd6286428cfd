"""What the API server would refuse of a spec: the CRDs' schemas. Their CEL rules are for a real one. Pure."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from celeriac.api.crd import RESOURCES, custom_resource_definition


def problems(kind: str, spec: object) -> list[str]:
    """Why the spec would be refused, each with its field; empty where it would not."""
    errors = sorted(_validator(kind).iter_errors(spec), key=lambda error: error.json_path)
    return [f"spec{error.json_path.removeprefix('$')}: {error.message[:200]}" for error in errors]


@cache
def _validator(kind: str) -> Draft202012Validator:
    resource = next(each for each in RESOURCES if each.kind == kind)
    schema = custom_resource_definition(resource)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return Draft202012Validator(_closed(schema["properties"]["spec"]))


def _closed(schema: Any) -> Any:
    """A field that is not there would be dropped without a word, or refused: here it is refused."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _closed(value) for key, value in schema.items()}
    free = schema.get("x-kubernetes-preserve-unknown-fields", False)
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not free:
        found.setdefault("additionalProperties", False)
    return found
