"""JSON Schemas of a function's params and result, as the operator can use them. Pure."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonRef, JsonSchemaValue
from pydantic_core import PydanticSerializationError, to_jsonable_python

from celeriac.app.signature import Signature
from celeriac.app.unsaid import KEYS, facts, with_facts

Schema = dict[str, Any]

_NOT_RE2 = re.compile(r"\(\?(=|!|<=|<!)|\\[1-9]|\(\?P=")
"""Look-around and back-references: the operator's patterns are RE2's, which has none. The runner still checks them."""


class _Schema(GenerateJsonSchema):
    """Without titles that only repeat a field's name, and with what JSON Schema has no word for (unsaid.py)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._written: set[int] = set()
        self._seen: set[int | str] = set()
        super().__init__(*args, **kwargs)

    def build_schema_type_to_method(self) -> dict[Any, Callable[[Any], JsonSchemaValue]]:
        """pydantic's, each with a note of what it was called for: where it was not, something replaced its schema."""

        def noted(method: Callable[[Any], JsonSchemaValue]) -> Callable[[Any], JsonSchemaValue]:
            def write(schema: Any) -> JsonSchemaValue:
                self._written.add(id(schema))
                return self._with_keys(schema, method(schema))

            return write

        return {kind: noted(method) for kind, method in super().build_schema_type_to_method().items()}

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        """pydantic's, with the facts: in the definition, where the schema is one."""
        known = schema.get("ref", "") in self._seen
        self._seen |= {id(schema)} | ({schema["ref"]} if "ref" in schema else set())
        written = super().generate_inner(schema)
        if known:
            return written
        found = facts(schema, said=id(schema) in self._written, seen=self._has_its_own)
        if "ref" not in schema or "$ref" not in written:
            return with_facts(written, found)
        name = self.json_to_defs_refs[JsonRef(written["$ref"])]
        self.definitions[name] = with_facts(self.definitions[name], found)
        return written

    def _has_its_own(self, schema: Mapping[str, Any]) -> bool:
        return id(schema) in self._seen or schema.get("ref", "") in self._seen

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def _with_keys(self, schema: Mapping[str, Any], written: JsonSchemaValue) -> JsonSchemaValue:
        """With the schema of a mapping's keys where they are no text for the function: in JSON all are.

        No validator looks at it; without it nobody could see that ``dict[str, int]`` has become ``dict[int, int]``.
        """
        keys = self.generate_inner(schema["keys_schema"]) if "keys_schema" in schema else {}
        takes_any_text = any(
            not each.keys() - {"type"} for each in self._alternatives(keys) if each.get("type") in (None, "string")
        )
        if takes_any_text or "propertyNames" in written:
            return written
        return {**written, "propertyNames": {KEYS: keys}}

    def _alternatives(self, schema: JsonSchemaValue) -> list[JsonSchemaValue]:
        if "$ref" in schema:
            schema = self.get_schema_from_definitions(JsonRef(schema["$ref"])) or {}
        parts = [self._alternatives(each) for each in schema.get("anyOf", ())]
        return [each for part in parts for each in part] or [schema]


def params_schema(signature: Signature) -> Schema:
    """The schema of the params: what clients may send."""
    schema = _schema_of(signature.described)
    properties = schema.setdefault("properties", {})
    schema["additionalProperties"] = _rest(signature.rest_name, schema)
    for name, parameter in signature.signature.parameters.items():
        if name in properties and parameter.default is not inspect.Parameter.empty:
            properties[name] |= _default(parameter.default)
    return schema


def _rest(name: str | None, schema: Schema) -> Schema | bool:
    """What ``**kwargs`` takes, taken out of the properties: true where that is anything."""
    if name is None:
        return False
    of_each: Schema | bool = schema["properties"].pop(name).get("additionalProperties", True)
    required = [each for each in schema.pop("required", []) if each != name]
    schema.update({"required": required} if required else {})
    return of_each or True


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
    """With the patterns that the operator does not know as facts instead."""
    if isinstance(value, list):
        return [_usable(each) for each in value]
    if not isinstance(value, dict):
        return value
    usable = {key: _usable(each) for key, each in value.items()}
    return with_facts(usable, [f"pattern={usable.pop('pattern')}"]) if _unknown(value.get("pattern")) else usable


def _unknown(pattern: Any) -> bool:
    return isinstance(pattern, str) and _NOT_RE2.search(pattern) is not None


def _default(value: Any) -> Schema:
    """The default for people; the runner uses the function's own. Left out where it is no JSON."""
    try:
        return {"default": to_jsonable_python(value)}
    except (PydanticSerializationError, ValueError):
        return {}
