"""A task as a message: what a client publishes and intake makes a Task of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celeriac.wire.canonical import canonical_json, digest

MAX_MESSAGE_BYTES = 256 * 1024
"""A larger message is refused by the client, and buried by intake."""
MSG_ID = "Nats-Msg-Id"
DEFINITION_DIGEST = "definitionDigest"
"""Field of a message's spec that no Task has: the digest of the TaskDefinition that the client validated against."""

_FIELDS = frozenset({"name", "labels", "annotations", "spec"})


class MalformedMessage(ValueError):  # noqa: N818 -- names what it is, as the other errors do
    """The bytes are no task. The text names the field, and never a value, which may be secret."""


@dataclass(frozen=True, slots=True)
class TaskMessage:
    """A message as it was read; the API server judges the spec."""

    name: str | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]
    """The Task's spec, without the definition's digest."""
    definition_digest: str | None
    digest: str
    """``sha256:<hex>`` of the message's canonical JSON."""


def message_of(manifest: Mapping[str, Any], definition_digest: str | None = None) -> dict[str, Any]:
    """The message that stands for a Task manifest; the namespace is the subject's to say."""
    meta = manifest["metadata"]
    spec = dict(manifest["spec"])
    if definition_digest is not None:
        spec[DEFINITION_DIGEST] = definition_digest
    extra = {field: dict(meta[field]) for field in ("labels", "annotations") if meta.get(field)}
    return {"name": meta["name"], **extra, "spec": spec}


def encode(message: Mapping[str, Any]) -> bytes:
    """The message's bytes, which are canonical JSON."""
    return canonical_json(message)


def digest_of(data: bytes) -> str:
    """The digest of a message that was encoded; ``decode`` finds the same."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def message_id(message: Mapping[str, Any]) -> str:
    """Its Nats-Msg-Id: a repeated publish is known by it while the server remembers."""
    return id_of(message["name"], digest(message))


def id_of(name: str, message_digest: str) -> str:
    """The Nats-Msg-Id of a message with this name and digest."""
    return f"{name}.{message_digest.removeprefix('sha256:')[:16]}"


def decode(data: bytes) -> TaskMessage:
    """The message in the bytes. Raises MalformedMessage, and nothing else, whatever the bytes are."""
    raw = _object(data)
    unknown = sorted(set(raw) - _FIELDS)
    if unknown:
        raise MalformedMessage(f"unknown field {unknown[0][:64]!r}: a message has name, labels, annotations and spec")
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        raise MalformedMessage("spec is missing or no object: it is the spec of a Task")
    spec = dict(spec)
    definition_digest = spec.pop(DEFINITION_DIGEST, None)
    return TaskMessage(
        name=_text(raw.get("name"), "name"),
        labels=_texts(raw.get("labels"), "labels"),
        annotations=_texts(raw.get("annotations"), "annotations"),
        spec=spec,
        definition_digest=_text(definition_digest, f"spec.{DEFINITION_DIGEST}"),
        digest=_digest(raw),
    )


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_MESSAGE_BYTES:
        raise MalformedMessage(f"the message is {len(data):,} bytes; at most {MAX_MESSAGE_BYTES:,} are allowed")
    try:
        raw = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"the message is no JSON: {type(error).__name__}") from None
    if not isinstance(raw, dict):
        raise MalformedMessage("the message is no JSON object")
    return raw


def _no_constant(name: str) -> float:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _text(value: object, field: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise MalformedMessage(f"{field} is no string")
    return value


def _texts(value: object, field: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise MalformedMessage(f"{field} is no object of strings")
    return dict(value)


def _digest(raw: Mapping[str, Any]) -> str:
    try:
        return digest(raw)
    except (ValueError, RecursionError):
        raise MalformedMessage("the message has text that is no Unicode, or is nested too deeply") from None
