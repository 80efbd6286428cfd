"""JSON Schemas of a function's params and result, as the operator can use them. Pure."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonRef, JsonSchemaValue
from pydantic_core import PydanticSerializationError, core_schema, to_jsonable_python

from celeriac.app.signature import Signature

Schema = dict[str, Any]

_NOT_RE2 = re.compile(r"\(\?(=|!|<=|<!)|\\[1-9]|\(\?P=")
"""Look-around and back-references: the operator's patterns are RE2's, which has none. The runner still checks them."""


class _Schema(GenerateJsonSchema):
    """Without titles that only repeat a field's name, and with what a mapping's keys are."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """With a format for keys that are no text for the function, which JSON Schema itself has no word for.

        No validator checks it; without it nobody could see that ``dict[str, int]`` has become ``dict[int, int]``.
        """
        written = super().dict_schema(schema)
        kinds = self._kinds(self.generate_inner(schema["keys_schema"])) if "keys_schema" in schema else {"string"}
        if kinds and "string" not in kinds:
            written["propertyNames"] = {"format": "-or-".join(sorted(kinds))}
        return written

    def _kinds(self, schema: JsonSchemaValue) -> set[str]:
        """The types that values of it have; none where it does not say."""
        if "$ref" in schema:
            schema = self.get_schema_from_definitions(JsonRef(schema["$ref"])) or {}
        if "anyOf" in schema:
            parts = [self._kinds(each) for each in schema["anyOf"]]
            return set().union(*parts) if all(parts) else set()
        return {schema["type"]} if isinstance(schema.get("type"), str) else set()


def params_schema(signature: Signature) -> Schema:
    """The schema of the params: what clients may send."""
    schema = _schema_of(signature.params_adapter)
    properties = schema.setdefault("properties", {})
    schema["additionalProperties"] = signature.takes_anything
    for name, parameter in signature.signature.parameters.items():
        if name in properties and parameter.default is not inspect.Parameter.empty:
            properties[name] |= _default(parameter.default)
    return schema


def result_schema(signature: Signature) -> Schema | None:
    """The schema of what the function returns; None where it may be anything."""
    if signature.returns_anything:
        return None
    schema = _schema_of(signature.result_adapter)
    definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    value: Schema = schema["properties"]["value"]
    return {**value, **definitions}


def _schema_of(adapter: TypeAdapter[dict[str, Any]]) -> Schema:
    schema = adapter.json_schema(by_alias=True, mode="validation", schema_generator=_Schema)
    schema.pop("title", None)
    usable: Schema = _usable(schema)
    return usable


def _usable(value: Any) -> Any:
    """Without the patterns that the operator does not know."""
    if isinstance(value, list):
        return [_usable(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: _usable(each) for key, each in value.items() if not (key == "pattern" and _unknown(each))}


def _unknown(pattern: Any) -> bool:
    return isinstance(pattern, str) and _NOT_RE2.search(pattern) is not None


def _default(value: Any) -> Schema:
    """The default for people; the runner uses the function's own. Left out where it is no JSON."""
    try:
        return {"default": to_jsonable_python(value)}
    except (PydanticSerializationError, ValueError):
        return {}
