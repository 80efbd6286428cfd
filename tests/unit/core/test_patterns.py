"""Patterns of a schema: RE2's, in linear time."""

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
