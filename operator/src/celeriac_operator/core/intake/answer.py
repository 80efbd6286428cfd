"""What the API server's answer to a Task's create means for its message. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from celeriac.wire.dead import NAME_REUSED
from celeriac.wire.names import REQUEST_DIGEST, SUBMISSION
from celeriac_operator.core.intake.verdict import Bury
from celeriac_operator.core.names import INVALID_TASK, REFUSED
from celeriac_operator.core.text import cut

QUOTA_SECONDS = 10.0
"""A full quota is looked at again after so long."""
GONE_SECONDS = 1.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
_WRONG = frozenset({400, 413, 422})
"""Codes that say the Task itself is wrong."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Its Task is there already."""


@dataclass(frozen=True, slots=True)
class Again:
    """It is tried again; nothing is wrong with the message."""

    seconds: float
    why: str


def refused(status: int, message: str, tries: int) -> Bury | Again:
    """What a refusal means that is no 409.

    Args:
        tries: how often something of the queue was refused in a row, this time included.
    """
    if status in _WRONG:
        return Bury(INVALID_TASK, cut(message, 1024))
    if status == 403 and "exceeded quota" in message:
        return Again(QUOTA_SECONDS, cut(message, 512))
    if status == 403 and "denied" in message and "cannot create resource" not in message:
        return Bury(REFUSED, cut(message, 1024))  # a policy's no; the lack of a right is the operator's own trouble
    return Again(pause(tries), cut(message, 512) or f"status {status}")


def pause(tries: int) -> float:
    """Seconds until the next try, ever longer."""
    return float(min(FIRST_PAUSE_SECONDS * 2 ** min(max(tries - 1, 0), 10), LONGEST_PAUSE_SECONDS))


def name_taken(ours: Mapping[str, str], theirs: Mapping[str, str] | None) -> Duplicate | Bury | Again:
    """What it means that the name is taken.

    Args:
        ours: annotations of the Task that was to be created.
        theirs: annotations of the one that is there; None: it is gone again.
    """
    if theirs is None:
        return Again(GONE_SECONDS, "the Task that had the name is gone")
    if theirs.get(SUBMISSION) == ours[SUBMISSION]:
        return Duplicate()
    request = ours.get(REQUEST_DIGEST)
    if request is not None and theirs.get(REQUEST_DIGEST) == request:
        return Duplicate()  # submitted again with a countdown, its startTime is another
    return Bury(NAME_REUSED, "name: another task has it: take another name, or delete that task first")
