"""How deep a JSON value is nested: deep ones would make what walks through them overflow. Pure, iterative."""

from __future__ import annotations

from celeriac.api.v1alpha1 import Json


def depth(value: Json, deepest: int) -> int:
    """The depth of a JSON value; it is not looked at further below the deepest that is allowed."""
    found, open_values = 0, [(value, 1)]
    while open_values:
        item, level = open_values.pop()
        found = max(found, level)
        if level <= deepest and isinstance(item, dict | list):
            children = item.values() if isinstance(item, dict) else item
            open_values.extend((child, level + 1) for child in children)
    return found
