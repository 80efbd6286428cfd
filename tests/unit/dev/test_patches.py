"""Patches, as the API has them."""

from __future__ import annotations

from typing import Any

import pytest

from celeriac_operator.dev.patches import BadPatch, merged, patched


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        pytest.param({"a": 1}, {"b": 2}, {"a": 1, "b": 2}, id="adds"),
        pytest.param({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}, id="goes into objects"),
        pytest.param({"a": 1}, {"a": None}, {}, id="null takes away"),
        pytest.param({"a": [1, 2]}, {"a": [3]}, {"a": [3]}, id="replaces lists as a whole"),
        pytest.param({"a": 1}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}, id="an object in place of a value"),
    ],
)
def test_merge(target: Any, patch: Any, expected: Any) -> None:
    assert expected == merged(target, patch)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        pytest.param(
            {"op": "add", "path": "/status", "value": {"x": None}}, {"l": [1], "status": {"x": None}}, id="add"
        ),
        pytest.param({"op": "replace", "path": "/l/0", "value": 2}, {"l": [2]}, id="replace in a list"),
        pytest.param({"op": "add", "path": "/l/-", "value": 2}, {"l": [1, 2]}, id="add to a list"),
        pytest.param({"op": "remove", "path": "/l"}, {}, id="remove"),
        pytest.param({"op": "add", "path": "/m/a~1b", "value": 1}, {"l": [1], "m": {"a/b": 1}}, id="a slash in a name"),
        pytest.param({"op": "test", "path": "/l/0", "value": 1}, {"l": [1]}, id="a test that holds"),
    ],
)
def test_json_patch(operation: Any, expected: Any) -> None:
    before = {"l": [1]}

    assert expected == patched(before, [operation])
    assert {"l": [1]} == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/none"},
        {"op": "test", "path": "/l/0", "value": 2},
        {"op": "move", "path": "/l"},
        {"path": "/l"},
        {"op": "replace", "path": "/l/x", "value": 1},
    ],
    ids=["removes nothing", "a test that fails", "an operation that is not known", "no operation", "no index"],
)
def test_a_patch_that_does_not_fit_is_refused(operation: Any) -> None:
    with pytest.raises(BadPatch):
        patched({"l": [1]}, [operation])
