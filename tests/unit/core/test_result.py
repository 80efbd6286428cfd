"""What the process left in its result file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import profiles  # noqa: F401
from tests.support.crd import problems

from celeriac.api.v1alpha1 import Result, TaskStatus
from celeriac_operator.core.result import InvalidResult, read_result

VALUES: dict[str, tuple[str, Any]] = {
    "JSON as it is": ('{"a": [1, null]}', {"a": [1, None]}),
    "JSON null": ("null", None),
    "other text as a string": ("42 apples\n", "42 apples"),
    "JSON that is cut off is text": ('{"a": 1', '{"a": 1'),
    "NaN is not JSON": ("NaN", "NaN"),
    "minus infinity in a list is not JSON": ("[-Infinity]", "[-Infinity]"),
    "nested deeper than a parser goes is text": ("[" * 3000, "[" * 3000),
    "half a character is no text, so it stays as it was written": ('"\\ud800"', '"\\ud800"'),
    "a whole one in two halves is": ('"\\ud83d\\ude00"', "😀"),
    "the largest integer": (str(2**63 - 1), 2**63 - 1),
    "4,095 bytes": ("x" * 4095, "x" * 4095),
}


@pytest.mark.parametrize(("output", "value"), VALUES.values(), ids=VALUES)
def test_value(output: str, value: Any) -> None:
    assert read_result(output, None) == Result(value=value)


REFUSED = {
    "what the kubelet cut at 4,096 bytes": ("x" * 4096, "longer than 4095 bytes"),
    "bytes are counted, not characters": ("é" * 2048, "longer than 4095 bytes"),
    "a number that would become infinity": ("[1e999]", "number that is too large"),
    "an integer that Kubernetes would round": (str(2**63), "over 64 bits"),
    "nested too deep to be stored": ("[" * 300 + "]" * 300, "nested more than 64"),
}


@pytest.mark.parametrize(("output", "why"), REFUSED.values(), ids=REFUSED)
def test_never_something_else_than_was_returned(output: str, why: str) -> None:
    found = read_result(output, None)

    assert isinstance(found, InvalidResult)
    assert why in found.message


def test_nothing_is_no_result() -> None:
    assert read_result("", None) is None
    assert read_result(None, None) is None


def test_a_schema_is_checked() -> None:
    found = read_result('{"size": "big"}', {"properties": {"size": {"type": "integer"}}})

    assert found == InvalidResult("result.size: 'big' is not of type 'integer'")


def test_a_schema_wants_a_value_where_the_file_could_be_read() -> None:
    assert isinstance(read_result("", {"type": "integer"}), InvalidResult)
    assert read_result(None, {"type": "integer"}) is None


@given(
    st.text(max_size=300) | st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists).map(json.dumps)
)
def test_whatever_is_taken_can_be_stored(output: str) -> None:
    found = read_result(output, None)
    if isinstance(found, Result):
        assert problems(TaskStatus(result=found).to_wire()) == []
