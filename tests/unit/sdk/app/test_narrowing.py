"""What one JSON Schema took and another does not."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter

from celeriac.app.leaves import Base64
from celeriac.app.narrowing import narrowings
from celeriac_operator.core.schema import schema_problem


class Node(BaseModel):
    name: str
    children: list[Node] = []


class Stricter(BaseModel):
    name: str = Field(max_length=5)
    children: list[Stricter] = []


def schema(annotation: Any) -> Any:
    return TypeAdapter(annotation).json_schema()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(int, int, id="the same"),
        pytest.param(int, float, id="an integer is a number"),
        pytest.param(int, int | None, id="None is taken too"),
        pytest.param(int | str, str | int | bytes, id="more alternatives, in another order"),
        pytest.param(Literal["a"], Literal["a", "b"], id="more values"),
        pytest.param(Literal["a"], str, id="any text instead of some"),
        pytest.param(list[int], list[float], id="inside of a list"),
        pytest.param(dict[str, int], dict[str, int | None], id="inside of a mapping"),
        pytest.param(tuple[int, int], list[int], id="a list instead of a tuple"),
        pytest.param(Node, Node, id="a recursive type"),
        pytest.param(Stricter, Node, id="a recursive type with less constraints"),
        pytest.param(int, Any, id="anything"),
    ],
)
def test_nothing_is_narrower(old: Any, new: Any) -> None:
    assert () == narrowings(schema(old), schema(new))


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        pytest.param(int, str, "", "it was integer, and is string now", id="another type"),
        pytest.param(float, int, "", "it was number, and is integer now", id="whole numbers only"),
        pytest.param(int | None, int, "", "it was null, and is integer now", id="None is not taken any more"),
        pytest.param(int | str, int | bool, "", "string is not taken any more", id="an alternative less"),
        pytest.param(Literal["a", "b"], Literal["a"], "", "'b' is not taken any more", id="a value less"),
        pytest.param(str, Literal["a"], "", "only 'a' are taken now", id="some values only"),
        pytest.param(Literal["a", "b"], int, "", "'a', 'b' are not taken any more", id="values of another type"),
        pytest.param(list[int], list[str], "[]", "it was integer, and is string now", id="inside of a list"),
        pytest.param(
            dict[str, int], dict[str, str], "*", "it was integer, and is string now", id="inside of a mapping"
        ),
        pytest.param(list[int], tuple[int, int], "", "minItems is 2 now", id="a tuple instead of a list"),
        pytest.param(
            tuple[int, int], tuple[int, str], "[1]", "it was integer, and is string now", id="inside of a tuple"
        ),
        pytest.param(list[int], set[int], "", "its items must be unique now", id="a set instead of a list"),
        pytest.param(Node, Stricter, "name", "maxLength is 5 now", id="a constraint, inside of a recursive type"),
        pytest.param(Any, int, "", "it was anything, and is integer now", id="not anything any more"),
        pytest.param(
            Base64, str, "", "its contentEncoding is gone, so it would be read as base64 text", id="bytes as text"
        ),
    ],
)
def test_narrower(old: Any, new: Any, path: str, says: str) -> None:
    found = narrowings(schema(old), schema(new))
    assert (path, says) in [(each.path, each.what) for each in found]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"minimum": 1}, {"minimum": 2}, [("", "minimum is 2 now, and was 1")], id="a higher minimum"),
        pytest.param({"minimum": 2}, {"minimum": 1}, [], id="a lower minimum"),
        pytest.param({"maxLength": 5}, {}, [], id="a bound that went"),
        pytest.param(
            {"type": "integer", "minimum": 5},
            {"type": "integer", "exclusiveMinimum": 4},
            [],
            id="of whole numbers, at least 5 are more than 4",
        ),
        pytest.param(
            {"type": "integer", "exclusiveMaximum": 5},
            {"type": "number", "maximum": 4},
            [],
            id="of whole numbers, less than 5 are at most 4",
        ),
        pytest.param(
            {"type": "number", "exclusiveMaximum": 5},
            {"type": "number", "maximum": 4},
            [("", "maximum is 4 now, and exclusiveMaximum was 5")],
            id="of other numbers they are not",
        ),
        pytest.param(
            {"minimum": 5},
            {"exclusiveMinimum": 5},
            [("", "exclusiveMinimum is 5 now, and minimum was 5")],
            id="the bound itself is out",
        ),
        pytest.param({"multipleOf": 4}, {"multipleOf": 2}, [], id="multiples of 4 are even"),
        pytest.param({"multipleOf": 2}, {"multipleOf": 4}, [("", "its multipleOf is another")], id="fewer multiples"),
        pytest.param({}, {"multipleOf": 4}, [("", "its multipleOf is new")], id="multiples only"),
        pytest.param({"const": "abc"}, {"type": "string", "minLength": 3}, [], id="a constant within the bounds"),
        pytest.param({"const": 4}, {"type": "integer", "multipleOf": 2, "maximum": 4}, [], id="an even constant"),
        pytest.param(
            {"enum": ["a", "abc"]},
            {"type": "string", "minLength": 3},
            [("", "'a' is not taken any more")],
            id="a constant beyond the bounds",
        ),
        pytest.param(
            {"const": "a"},
            {"type": "string", "format": "uuid"},
            [("", "'a' is not taken any more")],
            id="a constant that must have a format",
        ),
        pytest.param({"const": 1}, {"const": True}, [("", "1 is not taken any more")], id="1 is not true"),
        pytest.param({}, {"pattern": "a"}, [("", "its pattern is new")], id="a new pattern"),
        pytest.param({"pattern": "a"}, {"pattern": "b"}, [("", "its pattern is another")], id="another pattern"),
        pytest.param(
            {}, {"x-odd": 1}, [("", "its x-odd has changed, which cannot be judged")], id="an unknown keyword"
        ),
        pytest.param({"title": "a"}, {"title": "b", "default": 1}, [], id="notes for people"),
        pytest.param(True, {"type": "object"}, [("", "it was anything, and is object now")], id="no schema before"),
        pytest.param({"type": "object"}, True, [], id="no schema after"),
        pytest.param(
            {"type": ["string", "null"]},
            {"type": "string"},
            [("", "it was null, and is string now")],
            id="a list of types",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
            {"type": "object", "properties": {}, "additionalProperties": False},
            [("a", "it is removed")],
            id="a property that is removed",
        ),
        pytest.param(
            {"type": "object", "properties": {"a": {}}},
            {"type": "object", "properties": {"a": {}}, "required": ["a"]},
            [("a", "it is required now")],
            id="a property that is required",
        ),
        pytest.param(
            {"type": "object"},
            {"type": "object", "additionalProperties": False},
            [("*", "nothing is taken any more")],
            id="further properties",
        ),
    ],
)
def test_keywords(old: Any, new: Any, expected: list[tuple[str, str]]) -> None:
    assert expected == [(each.path, each.what) for each in narrowings(old, new)]


ANNOTATIONS = st.recursive(
    st.sampled_from([int, float, str, bool, None, Literal["a"], Literal["a", 1], Node]),
    lambda inner: st.one_of(
        inner.map(lambda each: list[each]),  # type: ignore[valid-type]
        inner.map(lambda each: dict[str, each]),  # type: ignore[valid-type]
        st.tuples(inner, inner).map(lambda each: tuple[each]),  # type: ignore[valid-type]
        st.tuples(inner, inner).map(lambda each: each[0] | each[1] if each[0] or each[1] else each[0]),
    ),
    max_leaves=4,
)
VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, 1.5, "a", "b", {"name": "a"}]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "name"]), inner, max_size=2),
    max_leaves=4,
)


@given(ANNOTATIONS, ANNOTATIONS, st.lists(VALUES, min_size=1, max_size=20))
def test_if_nothing_is_found_every_value_of_the_old_is_one_of_the_new(old: Any, new: Any, values: list[Any]) -> None:
    before, now = schema(old), schema(new)
    if narrowings(before, now):
        return
    for value in values:
        if schema_problem(before, value, "value") is None:
            assert schema_problem(now, value, "value") is None


@given(ANNOTATIONS)
def test_nothing_is_narrower_than_itself(annotation: Any) -> None:
    assert () == narrowings(schema(annotation), schema(annotation))
