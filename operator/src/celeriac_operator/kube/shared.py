"""Equal values as one object in memory: thousands of Tasks run under few policies, and reach their states together."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeVar

V = TypeVar("V", bound=Hashable)

MOST = 20_000
"""So many values are known; then it begins anew, which costs memory and is never wrong."""

_known: dict[Any, Any] = {}


def shared(value: V) -> V:
    """The object that stands for all that are equal to this one, which must never change."""
    if len(_known) >= MOST:
        _known.clear()
    known: V = _known.setdefault(value, value)
    return known
