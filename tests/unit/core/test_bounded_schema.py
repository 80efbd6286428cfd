"""Schemas that would keep the operator busy."""

from __future__ import annotations

from typing import Any

import pytest

from celeriac_operator.core.schema import broken_schema, schema_problem

EVIL = "^(a+)+$"
LONG = "a" * 20_000 + "!"

TABLE: dict[str, tuple[dict[str, Any], Any, str | None]] = {
    "a pattern that others need hours for is done at once": (
        {"properties": {"s": {"pattern": EVIL}}},
        {"s": LONG},
        "params.s: 'aaa",
    ),
    "so is one for names": ({"patternProperties": {EVIL: False}}, {LONG: 1}, None),
    "so is one for names that are not additional": (
        {"patternProperties": {EVIL: True}, "additionalProperties": False},
        {LONG: 1},
        "params: Additional properties are not allowed",
    ),
    "what a pattern takes is not additional": (
        {"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False},
        {"x-a": 1},
        None,
    ),
    "what a pattern takes has to fit its schema": (
        {"patternProperties": {"^x-": {"type": "integer"}}},
        {"x-a": "1"},
        "params.x-a: '1' is not of type 'integer'",
    ),
    "a pattern matches anywhere, as JSON Schema has it": ({"properties": {"s": {"pattern": "b"}}}, {"s": "abc"}, None),
}


@pytest.mark.parametrize(("schema", "params", "wanted"), TABLE.values(), ids=TABLE)
def test_pattern(schema: dict[str, Any], params: Any, wanted: str | None) -> None:
    found = schema_problem(schema, params, "params")

    assert (found or "").startswith(wanted or "")
    assert (found is None) == (wanted is None)


def test_references_that_double_each_other_end_soon() -> None:
    laughs = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
    schema = {"$defs": {**laughs, "a40": {}}, "$ref": "#/$defs/a0"}

    assert "references" in (schema_problem(schema, {"a": 1}, "params") or "")


@pytest.mark.parametrize(
    ("items", "fits"),
    [
        pytest.param([{"a": n} for n in range(5000)], True, id="thousands of objects are told apart at once"),
        pytest.param([{"a": 1}, {"a": 1.0}], False, id="1 and 1.0 are the same"),
        pytest.param([True, 1], True, id="true and 1 are not"),
    ],
)
def test_unique_items(items: list[Any], fits: bool) -> None:
    assert (schema_problem({"uniqueItems": True}, items, "params") is None) == fits


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"pattern": "(?=a)b"}, id="look-around is refused"),
        pytest.param({"patternProperties": {r"(a)\1": True}}, id="back-references are refused in names"),
        pytest.param({"patternProperties": {"a": True}, "unevaluatedProperties": False}, id="and what would need both"),
    ],
)
def test_what_is_not_supported_is_said_when_the_definition_is_written(schema: dict[str, Any]) -> None:
    assert broken_schema(schema)
