"""Label and field selectors. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Raw = dict[str, Any]

_SET = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<how>in|notin)\s+\((?P<values>[^)]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[^\s!=,()]+)\s*(?P<how>==?|!=)\s*(?P<value>[^\s!=,()]*)$")
_SPLIT = re.compile(r",(?![^(]*\))")


def selected(raw: Raw, labels: str, fields: str) -> bool:
    """Whether an object has the labels and the fields. Raises ValueError for a selector that cannot be read."""
    own: Mapping[str, str] = raw["metadata"].get("labels") or {}
    return all(_holds(part, own.get) for part in _parts(labels)) and all(
        _holds(part, lambda path: _field(raw, path)) for part in _parts(fields)
    )


def _parts(selector: str) -> list[str]:
    return [part.strip() for part in _SPLIT.split(selector) if part.strip()]


def _holds(part: str, value: Callable[[str], str | None]) -> bool:
    if (found := _SET.match(part)) is not None:
        inside = value(found["key"]) in {each.strip() for each in found["values"].split(",")}
        return inside is (found["how"] == "in")
    if (found := _EQUAL.match(part)) is not None:
        return ((value(found["key"]) or "") == found["value"]) is (found["how"] != "!=")
    if re.fullmatch(r"!?[^\s!=,()]+", part):
        return (value(part.removeprefix("!")) is None) is part.startswith("!")
    raise ValueError(f"unable to parse requirement: {part!r}")


def _field(raw: Raw, path: str) -> str | None:
    found: Any = raw
    for name in path.removeprefix(".").split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return None if found is None else str(found)
