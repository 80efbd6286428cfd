"""Whose a message is: the name and the digest under which its Task, its record or its dead letter is known."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from celeriac.api.v1alpha1.model import DNS_LABEL
from celeriac.wire.message import MalformedMessage, TaskMessage, decode
from celeriac.wire.names import REQUEST_DIGEST, name_of_unnamed

LONGEST_NAME = 63


def read(data: bytes) -> TaskMessage | MalformedMessage:
    """What the bytes say, or why they say nothing."""
    try:
        return decode(data)
    except MalformedMessage as problem:
        return problem


def name_of(message: TaskMessage | MalformedMessage, origin: str, message_id: str) -> str | None:
    """The name that its Task has, or would have; None where it has no valid one.

    message_id: the client's Nats-Msg-Id, ``<name>.<digest>``; of a malformed message it may be all that says its name.
    """
    if isinstance(message, MalformedMessage):
        name = message_id.rpartition(".")[0]
    else:
        name = message.name if message.name is not None else name_of_unnamed(origin)
    return name if valid_name(name) else None


def digest_of(message: TaskMessage | MalformedMessage, data: bytes) -> str:
    """The digest of the message; of a malformed one that of its bytes, as the client may have sent it."""
    if isinstance(message, MalformedMessage):
        return f"sha256:{hashlib.sha256(data).hexdigest()}"
    return message.digest


def request_of(annotations: Mapping[str, str]) -> str | None:
    """The digest of what the client was asked for, as a Task's annotations say it; what is no digest is none."""
    found = annotations.get(REQUEST_DIGEST)
    return found if found is not None and re.fullmatch("sha256:[0-9a-f]{64}", found) else None


def valid_name(name: str) -> bool:
    """Whether a Task can have the name: a DNS label."""
    return len(name) <= LONGEST_NAME and re.fullmatch(DNS_LABEL, name) is not None
