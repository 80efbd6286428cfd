"""Streams, subjects, buckets and keys. Namespaces, queues and tasks are DNS labels: each is one token of a subject."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

Band = Literal["h", "n", "l"]
BANDS: tuple[Band, ...] = ("h", "n", "l")
"""Priority bands of a queue's stream, in the order that intake looks at them: above 0, 0, below 0."""

DEAD_STREAM = "CELERIAC_DEAD"
"""Messages that could not become a Task, each with its reason."""
DELAYED_STREAM = "CELERIAC_DELAYED"
"""Messages whose start time is far away; only the operator writes to it."""
EVENTS_STREAM = "CELERIAC_EVENTS"
"""The history of all tasks."""
RESULTS_BUCKET = "celeriac-results"
"""Key-value bucket of the records."""
PAYLOADS_BUCKET = "celeriac-payloads"
"""Object store of params and results that are too large for a message or a status."""
PAYLOADS_STREAM = f"OBJ_{PAYLOADS_BUCKET}"
"""The stream of that store."""

SUBMISSION = "celeriac.dev/submission"
"""Annotation of a Task that came as a message: the message's digest."""
SUBMIT_TIME = "celeriac.dev/submit-time"
"""Annotation of a Task that came as a message: when the stream took it, RFC 3339; the clocks start there."""
DEFINITION_DIGEST_ANNOTATION = "celeriac.dev/definition-digest"
"""Annotation of a Task that came as a message: the digest of the TaskDefinition's content that it was made for."""
_MARKS = frozenset({SUBMISSION, SUBMIT_TIME, DEFINITION_DIGEST_ANNOTATION})
REQUEST_DIGEST = "celeriac.dev/request-digest"
"""Annotation: the digest of what a client was asked for, so that a repeated request is known as such."""

WORKER_LABEL = "celeriac.dev/worker"
"""Label of a pod that takes many tasks: how many at once."""

DEAD_REASON = "Celeriac-Reason"
"""Header of a dead letter: why, one CamelCase word."""
DEAD_MESSAGE = "Celeriac-Message"
"""Header of a dead letter: why, one line for people."""
DEAD_ORIGIN = "Celeriac-Origin"
"""Header of a dead letter: ``<stream>.<stream's creation, Unix nanoseconds>.<sequence>`` of the message; also its
Nats-Msg-Id, so that a repeated burial adds nothing."""


DEAD_NAME = "Celeriac-Name"
"""Header of a dead letter: the name of the task that it would have become, where it has a valid one."""
DEAD_BAND = "Celeriac-Band"
"""Header of a dead letter: the priority band that the message was published to."""
SUBMIT_TIME_HEADER = "Celeriac-Submit-Time"
"""Header of a message that the operator keeps: when the queue's stream took it, RFC 3339."""
CLIENT_ID = "Celeriac-Client-Id"
"""Header of a delayed message: the Nats-Msg-Id that the client gave it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def unmarked(annotations: Mapping[str, str]) -> dict[str, str]:
    """Annotations that others wish for a Task, without those that the operator alone gives to one."""
    return {key: text for key, text in annotations.items() if key not in _MARKS}


def band_of(priority: int) -> Band:
    """The band of a task's priority."""
    return "h" if priority > 0 else "l" if priority < 0 else "n"


def stream_of(namespace: str, queue: str) -> str:
    """The stream of a TaskQueue."""
    return f"CELERIAC_{namespace}_{queue}"


def submit_subject(namespace: str, queue: str, band: Band) -> str:
    """Where a message for a queue is published."""
    return f"celeriac.submit.{namespace}.{queue}.{band}"


def submit_subjects(namespace: str, queue: str) -> tuple[str, ...]:
    """All subjects of a queue's stream, and no other: what is published beside them would wait there for ever."""
    return tuple(submit_subject(namespace, queue, band) for band in BANDS)


def closed_subject(namespace: str, queue: str) -> str:
    """The one subject of the stream of a TaskQueue that was deleted: nobody publishes to it."""
    return f"celeriac.closed.{namespace}.{queue}"


def queue_of_stream(stream: str) -> tuple[str, str] | None:
    """Namespace and name of the TaskQueue whose stream it is; None where it is no queue's."""
    prefix, _, rest = stream.partition("_")
    namespace, _, queue = rest.partition("_")
    return (namespace, queue) if prefix == "CELERIAC" and namespace and queue and "_" not in queue else None


def consumer_of(band: Band) -> str:
    """The durable consumer of a band."""
    return f"intake-{band}"


def delayed_subject(namespace: str, queue: str, band: Band, minute: int) -> str:
    """Where the operator keeps a message until its time comes near.

    Args:
        minute: of its startTime, in minutes since 1970.
    """
    return f"celeriac.delayed.{namespace}.{queue}.{band}.{minute}"


def delayed_subjects(namespace: str, queue: str) -> str:
    """All messages of a queue that wait for their time."""
    return f"celeriac.delayed.{namespace}.{queue}.>"


def dead_subject(namespace: str, queue: str) -> str:
    """Where a queue's dead letters are."""
    return f"celeriac.dead.{namespace}.{queue}"


def event_subject(namespace: str, task: str, what: str) -> str:
    """Where an event of a task is published."""
    return f"celeriac.events.{namespace}.{task}.{what}"


def event_kind(phase: str, attempt: int | None) -> str:
    """What the subject of a change of phase says of it, so that the last of each can be asked for."""
    return phase if attempt is None else f"{phase}-{attempt}"


def record_key(namespace: str, task: str) -> str:
    """Key of a task's record in the results bucket."""
    return f"{namespace}.{task}"


def attempt_key(namespace: str, task_uid: str, attempt: int) -> str:
    """Key of an attempt's outcome in the results bucket: whoever creates it first decides it."""
    return f"{namespace}.{task_uid}.{attempt}"


def stop_key(namespace: str, task_uid: str, attempt: int) -> str:
    """Key of the notice why an attempt is being stopped; a runner may read it, and not write it."""
    return f"{attempt_key(namespace, task_uid, attempt)}.stop"


def claim_key(namespace: str, task_uid: str, attempt: int) -> str:
    """Key of the claim on an attempt in the results bucket: which waiting pod runs it, or that none will."""
    return f"{namespace}.claim.{task_uid}.{attempt}"


def begin_line(task_uid: str, attempt: int) -> str:
    """The line that an attempt begins with in the log of a pod that waited; what was before is not the task's."""
    return f"celeriac: begin {task_uid} {attempt}"


def line_tag(task_uid: str, attempt: int) -> str:
    """What each line of an attempt begins with in the log of a worker, whose tasks run side by side."""
    return f"celeriac: {task_uid}.{attempt}: "


def assign_subject(namespace: str, pod_uid: str) -> str:
    """Where a waiting pod is told of its task, and a worker which one to stop."""
    return f"celeriac.assign.{namespace}.{pod_uid}"


def ready_subject(namespace: str, pod_uid: str) -> str:
    """Where a waiting pod says that it is there."""
    return f"celeriac.ready.{namespace}.{pod_uid}"


def roll_subject(namespace: str) -> str:
    """Where the operator asks a namespace's waiting pods to say so."""
    return f"celeriac.roll.{namespace}"


def params_object(namespace: str, digest: str) -> str:
    """Name of large params in the payloads bucket; ``digest`` is ``sha256:<hex>`` of their canonical JSON."""
    return f"{namespace}.params.{digest.removeprefix('sha256:')}"


def result_object(namespace: str, task_uid: str, attempt: int) -> str:
    """Name of an attempt's large result in the payloads bucket."""
    return f"{namespace}.result.{task_uid}.{attempt}"


def object_subject(name: str) -> str:
    """Where an object of the payloads bucket is described; its name begins with its namespace."""
    encoded = base64.urlsafe_b64encode(name.encode()).decode()
    return f"$O.{PAYLOADS_BUCKET}.M.{name.partition('.')[0]}.{encoded}"


def chunk_subject(namespace: str, nuid: str, number: int | str) -> str:
    """Where a chunk of an object is; ``nuid`` is that of the put."""
    return f"$O.{PAYLOADS_BUCKET}.C.{namespace}.{nuid}.{number}"


def origin_of(stream: str, created: datetime, sequence: int) -> str:
    """A message's one place in the world: a stream that was deleted and made again has another creation time."""
    nanoseconds = (created - _EPOCH) // timedelta(microseconds=1) * 1000
    return f"{stream}.{nanoseconds}.{sequence}"


def name_of_unnamed(origin: str) -> str:
    """The name of a task whose message has none: the same, however often the message is delivered."""
    return f"m-{hashlib.sha256(origin.encode()).hexdigest()[:20]}"
