"""The patches of the API: JSON Patch (add, replace, remove, test) and merge patch. Pure."""

from __future__ import annotations

import copy
from typing import Any


class BadPatch(ValueError):  # noqa: N818 -- names what it is, as the other errors do
    """The patch does not fit the object; the text says where."""


def merged(target: Any, patch: Any) -> Any:
    """The target after a merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def patched(target: Any, operations: Any) -> Any:
    """The target after a JSON Patch (RFC 6902). Raises BadPatch."""
    found = copy.deepcopy(target)
    try:
        for operation in operations:
            _apply(found, operation)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BadPatch(f"the patch does not fit: {error}") from error
    return found


def _apply(target: Any, operation: dict[str, Any]) -> None:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    *way, last = parts
    for part in way:
        target = target[int(part)] if isinstance(target, list) else target.setdefault(part, {})
    key: Any = (len(target) if last == "-" else int(last)) if isinstance(target, list) else last
    match operation["op"]:
        case "remove":
            del target[key]
        case "test" if target[key] != operation["value"]:
            raise BadPatch(f"{operation['path']} is not what it was expected to be")
        case "test":
            return
        case "add" if isinstance(target, list):
            target.insert(key, operation["value"])
        case "add" | "replace":
            target[key] = operation["value"]
        case unknown:
            raise BadPatch(f"the operation {unknown} is not known here")
