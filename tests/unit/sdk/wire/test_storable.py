"""Which JSON Kubernetes keeps as it is."""

from __future__ import annotations

from typing import Any

import pytest

from celeriac.wire.storable import DEEPEST, unstorable
from celeriac_operator.core.nesting import depth


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "says"),
    [
        pytest.param({"a": [1, None, "x", 1.5]}, None, id="plain JSON"),
        pytest.param(2**63 - 1, None, id="the largest integer"),
        pytest.param({"a": [2**63]}, "over 64 bits", id="a larger one"),
        pytest.param(float("inf"), "not finite", id="infinity"),
        pytest.param({"\ud800": 1}, "no Unicode", id="half a character"),
        pytest.param(nested(63), None, id="64 levels, with what is in the last"),
        pytest.param(nested(64), "nested more than 64 levels", id="65 levels"),
    ],
)
def test_unstorable(value: Any, says: str | None) -> None:
    found = unstorable(value)
    assert (found is None) is (says is None)
    assert says is None or says in (found or "")


@pytest.mark.parametrize("lists", [62, 63, 64, 65])
def test_client_and_operator_agree_on_what_is_too_deep(lists: int) -> None:
    value = nested(lists)
    assert (unstorable(value) is None) is (depth(value, DEEPEST) <= DEEPEST)
