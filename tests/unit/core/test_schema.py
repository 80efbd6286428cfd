"""JSON Schema for params and results."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import profiles  # noqa: F401

from celeriac_operator.core.schema import broken_schema, schema_problem


def test_a_value_that_fits() -> None:
    assert schema_problem({"type": "object"}, {}, "spec.params") is None


def test_the_path_of_what_does_not_fit() -> None:
    schema = {"properties": {"sizes": {"items": {"minimum": 1}}}}

    assert schema_problem(schema, {"sizes": [3, 0]}, "spec.params") == (
        "spec.params.sizes[1]: 0 is less than the minimum of 1"
    )


def test_formats_are_checked() -> None:
    assert schema_problem({"format": "ipv4"}, "999.1.1.1", "result") is not None


def test_the_network_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("it was fetched")

    monkeypatch.setattr(urllib.request, "urlopen", never)
    found = schema_problem({"$ref": "http://169.254.169.254/latest"}, {}, "spec.params")

    assert found is not None
    assert "cannot be used" in found


def test_messages_are_bounded_whatever_the_keys_and_values_are() -> None:
    schema = {"additionalProperties": {"type": "integer"}}
    found = schema_problem(schema, {"\x1b" + "k" * 30_000: "v" * 30_000}, "spec.params")

    assert found is not None
    assert len(found.encode()) < 1000
    assert "\x1b" not in found


BROKEN: dict[str, Any] = {
    "a type that there is not": {"type": "strnig"},
    "a pattern that is none": {"pattern": "("},
    "a pattern of properties that is none": {"patternProperties": {"(": {}}},
    "a schema that is no object": {"properties": {"a": 7}},
}


@pytest.mark.parametrize("schema", BROKEN.values(), ids=BROKEN)
def test_a_broken_schema_is_said(schema: dict[str, Any]) -> None:
    assert broken_schema(schema)


UNUSABLE: dict[str, dict[str, Any]] = {
    "a reference to nowhere": {"$ref": "#/$defs/none"},
    "a reference to itself": {"$ref": "#"},
    "an id that is no address": {"$id": "http://[", "$ref": "x"},
    "a division that overflows": {"multipleOf": 1e-320},
}


@pytest.mark.parametrize("schema", UNUSABLE.values(), ids=UNUSABLE)
def test_a_schema_that_cannot_be_used_refuses_with_a_reason(schema: dict[str, Any]) -> None:
    assert schema_problem(schema, 10**300, "spec.params")


keywords = st.sampled_from(
    ["type", "properties", "items", "$ref", "$id", "$defs", "allOf", "not", "enum", "pattern", "multipleOf", "format",
     "$anchor", "$dynamicRef", "$schema", "contains", "minContains", "dependentSchemas", "unevaluatedProperties"]
)  # fmt: skip
leaves = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["#", "object", "(", "http://[", "a", "", "#/x"])
)
values = st.recursive(
    leaves, lambda c: st.lists(c, max_size=3) | st.dictionaries(keywords, c, max_size=3), max_leaves=12
)


@given(st.dictionaries(keywords, values, max_size=4), values)
def test_no_schema_and_no_value_makes_it_raise(schema: dict[str, Any], value: Any) -> None:
    for text in (broken_schema(schema), schema_problem(schema, value, "spec.params")):
        assert text is None or len(text) < 1200
