"""What is wrong with a JSON Schema that is none."""

from __future__ import annotations

from typing import Any

import pytest

from celeriac_operator.core.schema import broken_schema, schema_problem

INTERNAL = ("under any of the given schemas", "Failed validating", "metaschema", "PointerToNowhere", "Unresolvable")
"""The validator's own words."""
TYPE = "is no type: it is one of array, boolean, integer, null, number, object, string, or a list of different ones"
PLACES: list[Any] = [
    pytest.param({"type": "strin"}, f"type: 'strin' {TYPE}", id="a type that there is not"),
    pytest.param({"type": ["string", "string"]}, f"type: ['string', 'string'] {TYPE}", id="a type twice"),
    pytest.param(
        {"properties": {"a": {"items": {"type": "int"}}}}, f"properties.a.items.type: 'int' {TYPE}", id="deep"
    ),
    pytest.param({"oneOf": [{}, {"type": 5}]}, f"oneOf.1.type: 5 {TYPE}", id="one of several"),
    pytest.param({"properties": {"a": 5}}, "properties.a: 5 is no schema: a schema is an object", id="no schema"),
    pytest.param({"items": [{}]}, "items: [{}] is no schema", id="a list of schemas, as of an older draft"),
    pytest.param({"pattern": "(?=a)"}, "pattern: '(?=a)' is no regular expression of RE2", id="a pattern"),
    pytest.param({"dependencies": {"a": 5}}, "dependencies.a: 5 is not what belongs there", id="whatever else"),
    pytest.param({"required": "a"}, "required: 'a' is not of type 'array'", id="what is said well already"),
]


@pytest.mark.parametrize(("schema", "said"), PLACES)
def test_the_place_and_what_is_wrong_there_are_said_of_the_schema_and_of_who_uses_it(
    schema: dict[str, Any], said: str
) -> None:
    of_definition, of_task = broken_schema(schema), schema_problem(schema, {}, "spec.params")

    assert of_definition is not None
    assert of_definition.startswith(said)
    assert f"spec.params: the schema of the TaskDefinition cannot be used: {of_definition}" == of_task
    assert not any(words in of_definition for words in INTERNAL)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        pytest.param({"$ref": "#/$defs/x"}, "$ref '/$defs/x' leads to nothing in the schema", id="to nowhere"),
        pytest.param({"$ref": "http://x/y"}, "other documents are not fetched", id="to another document"),
        pytest.param({"$ref": "#"}, "a $ref in it leads back to itself", id="to itself"),
    ],
)
def test_a_reference_that_cannot_be_followed_is_said(schema: dict[str, Any], said: str) -> None:
    problem = schema_problem(schema, {}, "spec.params") or ""

    assert said in problem
    assert not any(words in problem for words in INTERNAL)
