"""What becomes of one message: ``verdict(arrival, known, now)``, an ordered tuple of rules, the first match wins. Pure.

Nothing is dropped: a message becomes a Task, waits for its time, or goes to the dead letters with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from celeriac.api.v1alpha1 import Failure, TaskQueueSpec
from celeriac.api.v1alpha1.model import API_VERSION
from celeriac.wire.identity import LONGEST_NAME
from celeriac.wire.message import MalformedMessage, TaskMessage
from celeriac.wire.names import DEFINITION_DIGEST_ANNOTATION, SUBMISSION, SUBMIT_TIME, unmarked
from celeriac.wire.storable import unstorable
from celeriac_operator.core.facts import Revision
from celeriac_operator.core.intake.arrival import Arrival
from celeriac_operator.core.names import (
    DEFINITION_GONE,
    INLINE_CONTAINER_DENIED,
    INVALID_TASK,
    MALFORMED_MESSAGE,
    REFUSED,
    TOO_OLD,
)
from celeriac_operator.core.text import cut

REASONS = frozenset(
    {
        DEFINITION_GONE,
        Failure.INTERNAL_ERROR.value,
        INLINE_CONTAINER_DENIED,
        INVALID_TASK,
        MALFORMED_MESSAGE,
        REFUSED,
        TOO_OLD,
    }
)
"""Why messages become dead letters and that is recorded; a name's reuse is not, since the name is another's."""
FAR = timedelta(seconds=60)
"""A Task whose startTime is nearer waits as a Task."""
_MINUTE = 60
_LONG_INTEGER = re.compile(rb"[0-9]{19}")


@dataclass(frozen=True, slots=True)
class Create:
    """It becomes this Task."""

    name: str
    manifest: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delay:
    """It waits in the stream of delayed messages."""

    minute: int
    """Of its startTime, since 1970."""


@dataclass(frozen=True, slots=True)
class Bury:
    """It goes to the dead letters."""

    reason: str
    """One CamelCase word; stable API."""
    message: str
    """A sentence that names the field and never a value, which may be secret."""


Verdict = Create | Delay | Bury


@dataclass(frozen=True, slots=True)
class Known:
    """What is known where the message is judged."""

    queue: TaskQueueSpec = field(default_factory=TaskQueueSpec)
    revisions: tuple[Revision, ...] = ()
    """Contents of the TaskDefinition that it names, which Tasks can run from."""


@dataclass(frozen=True, slots=True)
class _View:
    arrival: Arrival
    message: TaskMessage
    known: Known
    now: datetime


_Rule = Callable[[_View], Verdict | None]


def verdict(arrival: Arrival, known: Known, now: datetime) -> Verdict:
    """What becomes of the message."""
    if isinstance(arrival.message, MalformedMessage):
        return Bury(MALFORMED_MESSAGE, cut(str(arrival.message), 1024))
    view = _View(arrival, arrival.message, known, now)
    return next(found for rule in RULES if (found := rule(view)) is not None)


def _too_old(view: _View) -> Verdict | None:
    limit = max_age(view.known.queue)
    if limit is None or view.now - _waiting_since(view.arrival) <= limit:
        return None
    seconds = int(limit.total_seconds())
    queue = view.arrival.queue.queue
    return Bury(
        TOO_OLD, f"It waited longer than the {seconds} s that queue {queue} allows (spec.backlog.maxAgeSeconds)"
    )


def _unfit_name(view: _View) -> Verdict | None:
    if view.arrival.name is not None:
        return None
    return Bury(INVALID_TASK, f"name: must be a DNS label of at most {LONGEST_NAME} characters: a-z, 0-9 and -")


def _wrong_queue(view: _View) -> Verdict | None:
    named = view.message.spec.get("queueName")
    if named is None or named == view.arrival.queue.queue:
        return None
    return Bury(INVALID_TASK, f"spec.queueName: is not {view.arrival.queue.queue}, the queue that it was sent to")


def _container_denied(view: _View) -> Verdict | None:
    if view.message.spec.get("container") is None or view.known.queue.inline_containers == "Allow":
        return None
    queue, setting = view.arrival.queue.queue, view.known.queue.inline_containers or "ResourcesOnly"
    denied = f"queue {queue} takes no containers in messages (its spec.inlineContainers is {setting})"
    return Bury(INLINE_CONTAINER_DENIED, f"spec.container: {denied}: name a TaskDefinition instead")


def _definition_gone(view: _View) -> Verdict | None:
    wanted = view.message.definition_digest
    if wanted is None or any(revision.is_of(wanted) for revision in view.known.revisions):
        return None
    gone = "the TaskDefinition has changed since, and its content of then is not kept any more: submit again"
    return Bury(DEFINITION_GONE, f"spec.definitionDigest: {gone}")


def _would_change(view: _View) -> Verdict | None:
    """Kubernetes rounds an integer over 64 bits, and says nothing."""
    if _LONG_INTEGER.search(view.arrival.data) is None:
        return None
    problem = unstorable(view.message.spec.get("params"))
    return Bury(INVALID_TASK, f"spec.params: {problem}") if problem is not None else None


def _far_away(view: _View) -> Verdict | None:
    start = view.arrival.start_time
    if view.arrival.delayed or start is None or start - view.now <= FAR:
        return None
    return Delay(int(start.timestamp()) // _MINUTE)


def _create(view: _View) -> Verdict:
    name = view.arrival.name
    assert name is not None  # noqa: S101  _unfit_name comes before
    return Create(name, task_manifest(view.arrival, view.message, name))


RULES: tuple[_Rule, ...] = (
    _too_old,  # whatever else is wrong with it, nobody waits for it any more
    _unfit_name,  # before anything is looked up under the name
    _wrong_queue,  # the subject says where it goes, and who may send there
    _container_denied,  # who may send messages may not say what runs, unless the queue allows it
    _definition_gone,  # it was checked against a signature that is not there any more
    _would_change,  # a task never runs with other numbers than it was given
    _far_away,  # a Task object that waits for weeks costs more than a message
    _create,  # the API server judges the rest
)


def task_manifest(arrival: Arrival, message: TaskMessage, name: str) -> dict[str, Any]:
    """The Task of a message. What the operator says of it goes over what the message says."""
    ours = {SUBMISSION: message.digest, SUBMIT_TIME: arrival.submitted.isoformat()}
    if message.definition_digest is not None:
        ours[DEFINITION_DIGEST_ANNOTATION] = message.definition_digest
    meta: dict[str, Any] = {"name": name, "namespace": arrival.queue.namespace}
    if message.labels:
        meta["labels"] = dict(message.labels)
    meta["annotations"] = {**unmarked(message.annotations), **ours}
    spec = {**message.spec, "queueName": arrival.queue.queue}
    return {"apiVersion": API_VERSION, "kind": "Task", "metadata": meta, "spec": spec}


def max_age(queue: TaskQueueSpec) -> timedelta | None:
    """How long the queue's messages may wait; None: for ever."""
    seconds = queue.backlog.max_age_seconds if queue.backlog is not None else None
    return timedelta(seconds=seconds) if seconds is not None else None


def _waiting_since(arrival: Arrival) -> datetime:
    """A message that waits for its startTime is not late before."""
    start = arrival.start_time
    return arrival.submitted if start is None else max(arrival.submitted, start)
