"""pydantic's JSON Schema as a Kubernetes structural schema. Pure.

A structural schema is a stricter dialect: no references, no unions, no ``default: null``. Whatever cannot be said in it
raises here, at generation, and not when a cluster refuses the CRD.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_DROPPED = {"title", "default", "$defs", "additionalProperties", "propertyNames"}


def structural_schema(model: type[BaseModel]) -> Schema:
    """The structural schema of a model.

    Raises:
        ValueError: the model says something that Kubernetes cannot, such as a union of two models.
    """
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _convert(schema, schema.get("$defs", {}))


def _convert(schema: Schema, definitions: Schema) -> Schema:
    schema = _without_null(_inlined(schema, definitions), definitions)
    if "allOf" in schema or ("anyOf" in schema and "x-kubernetes-int-or-string" not in schema):
        raise ValueError(f"A structural schema has no unions: {schema}")
    result = {key: value for key, value in schema.items() if key not in _DROPPED}
    if "description" in result:  # kubectl explain breaks lines itself
        result["description"] = " ".join(result["description"].split())
    if "const" in result:
        result["enum"] = [result.pop("const")]
    if "properties" in schema:
        result["properties"] = {name: _convert(value, definitions) for name, value in schema["properties"].items()}
    if "items" in schema:
        result["items"] = _convert(schema["items"], definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = _convert(schema["additionalProperties"], definitions)
    return result


def _inlined(schema: Schema, definitions: Schema) -> Schema:
    """The schema with its ``$ref`` replaced; what stands beside the reference (its description) wins."""
    if "$ref" not in schema:
        return schema
    target = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def _without_null(schema: Schema, definitions: Schema) -> Schema:
    """``T | None`` as T: in Kubernetes an optional field is left out, not null."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if "anyOf" not in schema or len(options) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**_without_null(_inlined(options[0], definitions), definitions), **rest}
