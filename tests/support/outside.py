"""Data as strangers write it: JSON of any shape and depth, texts and numbers at the limits of what there is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

from celeriac_operator.__main__ import DEEPEST_JSON

INT64 = st.sampled_from([-(2**63), -(2**31), -1, 0, 1, 2**31 - 1, 2**31, 10**11, 2**63 - 1]) | st.integers()
TIMES = st.sampled_from(
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "1970-01-01T00:00:00Z",
        "2026-03-01T12:00:00",
        "2026-03-01T12:00:07.123456789Z",
        "9999-12-31T23:59:59-23:59",
        "tomorrow",
        "",
    ]
)
TEXTS = (
    st.sampled_from(["", "\x00", "\x1b[2J" * 9, "\ud800", "a" * 5000, "$(params.a)", "a.b", "*", ">", "é" * 300])
    | st.text()
)
LEAVES = st.none() | st.booleans() | INT64 | st.floats() | TEXTS | TIMES
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def nested(depth: int, opening: str, closing: str) -> bytes:
    """JSON of that depth, perhaps without its end."""
    return (opening * depth + "1" + closing * depth).encode()


DEEP = st.builds(
    nested,
    st.sampled_from([50, 65, 900, 1100, DEEPEST_JSON - 10, DEEPEST_JSON + 2000, 60_000]),
    st.sampled_from(["[", '{"a":', '{"spec":', '{"result":{"value":']),
    st.sampled_from(["", "]", "}", "}}"]),
)
BYTES = st.binary() | DEEP | JSON.map(lambda value: json.dumps(value).encode())


@contextmanager
def as_in_the_operator() -> Iterator[None]:
    """The operator reads deeper JSON than Python does by itself."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(DEEPEST_JSON + 1000)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@contextmanager
def counting_calls() -> Iterator[list[int]]:
    """How many calls of functions something takes: a measure of work that no other load changes."""
    calls = [0]

    def count(_frame: Any, event: str, _arg: Any) -> None:
        calls[0] += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(None)


@st.composite
def damaged(draw: st.DrawFn, original: dict[str, Any]) -> dict[str, Any]:
    """The object with a few of its values replaced by any other, or removed."""
    raw: dict[str, Any] = json.loads(json.dumps(original))
    for _ in range(draw(st.integers(1, 4))):
        _damage(draw, raw)
    return raw


def _damage(draw: st.DrawFn, where: Any) -> None:
    while keys := list(where) if isinstance(where, dict) else list(range(len(where))):
        key = draw(st.sampled_from(keys))
        inner = where[key]
        if isinstance(inner, dict | list) and inner and draw(st.integers(0, 3)):
            where = inner
        elif draw(st.booleans()):
            where[key] = draw(JSON)
            return
        else:
            del where[key]
            return
