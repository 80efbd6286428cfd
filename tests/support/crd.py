"""What the API server would say to a status: the CRD's schema as a validator, and the size of what is stored."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from celeriac.api.crd import RESOURCES, custom_resource_definition

MAX_STATUS_BYTES = 48 * 1024


def problems(wire: dict[str, Any], kind: str = "Task", part: str = "status") -> list[str]:
    """Why the API server would refuse it (or prune something of it); empty where it would not."""
    found = [f"{error.json_path}: {error.message[:200]}" for error in _VALIDATORS[kind, part].iter_errors(wire)]
    try:
        size = len(json.dumps(wire, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode())
    except ValueError as error:
        return [*found, f"not JSON: {error}"]
    return [*found, *([f"{size} bytes"] if size > MAX_STATUS_BYTES else [])]


def _strict(schema: Any) -> Any:
    """Fields that would be pruned are a mistake of ours, so they are refused."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


def _validator(resource: Any, part: str) -> Draft202012Validator:
    crd = custom_resource_definition(resource)
    return Draft202012Validator(_strict(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part]))


_VALIDATORS = {(r.kind, part): _validator(r, part) for r in RESOURCES for part in ("spec", "status")}
