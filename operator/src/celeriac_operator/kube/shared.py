"""Equal values as one object in memory: thousands of Tasks run under few policies, and reach their states together."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, ref

V = TypeVar("V", bound=Hashable)

_known: WeakKeyDictionary[Any, ref[Any]] = WeakKeyDictionary()
"""Known for as long as anybody has it: nearly all conditions are of one moment, and go with their Tasks."""


def shared(value: V) -> V:
    """The object that stands for all that are equal to this one, which must never change."""
    found = _known.get(value)
    known: V | None = found() if found is not None else None
    if known is None:
        _known[value] = ref(value)
        return value
    return known
