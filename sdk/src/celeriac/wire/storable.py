"""Which JSON Kubernetes keeps as it is. Pure."""

from __future__ import annotations

import math
from typing import Any

DEEPEST = 64
"""As deep as the operator takes it."""


def unstorable(value: Any) -> str | None:
    """Why params or a result would be stored as something else; None where not. The text has no part of the value."""
    level = [value]
    for _ in range(DEEPEST):
        problem = next(filter(None, map(_problem, level)), None)
        if problem is not None:
            return problem
        level = [part for each in level for part in _parts(each)]
        if not level:
            return None
    return f"it is nested more than {DEEPEST} levels deep: use text, or a reference"


def _problem(value: Any) -> str | None:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "an integer is over 64 bits, and Kubernetes would round it: use a string"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number is not finite, which JSON has not"
    if isinstance(value, str) and not is_unicode(value):
        return "a text is no Unicode: use bytes"
    return None


def is_unicode(text: str) -> bool:
    """Whether it can be written at all: half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []
