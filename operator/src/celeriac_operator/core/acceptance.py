"""Whether a Task can be taken on, and the policy it then runs under. Pure.

Effective value: the Task's, else its TaskDefinition's default, else the operator's, else the built-in one: field by
field inside ``deadlines`` and ``retry``, ``rules`` as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from celeriac.api.v1alpha1 import (
    MAX_PARAMS_BYTES,
    Backoff,
    Container,
    Deadlines,
    Defaults,
    DefinitionContainer,
    DefinitionRevision,
    Effective,
    EffectiveBackoff,
    EffectiveRetry,
    ObjectRef,
    Retry,
    TaskQueueSpec,
    TaskSpec,
)
from celeriac.wire.names import PAYLOADS_BUCKET, params_object
from celeriac_operator.core.facts import Accepted, JobFacts, Revision, TaskFacts
from celeriac_operator.core.names import INLINE_CONTAINER_DENIED, INVALID_PARAMS
from celeriac_operator.core.nesting import depth
from celeriac_operator.core.schema import schema_problem
from celeriac_operator.core.substitution import filled_bytes, missing_params, unfit_params
from celeriac_operator.core.text import cut

DEEPEST_PARAMS = 64
MOST_FILLED_BYTES = 128 * 1024
"""What params may come to in command, args and env, together: Linux gives a process no longer argument."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
BUILT_IN = Deadlines(start_seconds=300, grace_seconds=30)


@dataclass(frozen=True, slots=True)
class Rejected:
    """The Task can never run as it is."""

    reason: str
    message: str


def accept(
    spec: TaskSpec, revision: Revision | None, defaults: Defaults, queue: TaskQueueSpec, namespace: str = ""
) -> Accepted | Rejected:
    """Accept a Task whose definition, where it names one, is there.

    Args:
        namespace: the Task's.
        queue: what the Task's queue says.
    """
    given = revision.spec.defaults if revision else None
    settled = effective(spec, [d for d in (given, defaults) if d is not None])
    if spec.container is not None and queue.inline_containers == "Deny":
        denied = f"queue {settled.queue_name} takes no containers (its spec.inlineContainers is Deny)"
        return Rejected(INLINE_CONTAINER_DENIED, f"spec.container: {denied}: name a TaskDefinition instead")
    problem = ref_problem(namespace, spec.params_ref) if spec.params_ref is not None else None
    problem = problem or params_problem(spec, revision)
    if problem is not None:
        return Rejected(INVALID_PARAMS, problem)
    pinned = DefinitionRevision(revision=revision.name, generation=revision.generation) if revision else None
    return Accepted(settled, pinned)


def queue_name(task: TaskFacts, job: JobFacts | None, live: Revision | None, defaults: Defaults) -> str:
    """The queue that the Task stands in: as it was accepted, before that as it would be."""
    if task.status.effective is not None:
        return task.status.effective.queue_name
    if job is not None and job.accepted is not None:
        return job.accepted.effective.queue_name
    given = live.spec.defaults if live is not None else None
    named = (layer.queue_name for layer in (task.spec, given, defaults) if layer is not None)
    return next((name for name in named if name is not None), Effective().queue_name)


def effective(spec: TaskSpec, defaults: Iterable[Defaults]) -> Effective:
    """The policy a Task runs under, every value settled."""
    layers: list[TaskSpec | Defaults] = [spec, *defaults]
    retries: list[BaseModel] = [layer.retry for layer in layers if layer.retry is not None]
    backoffs: list[BaseModel] = [retry.backoff for retry in retries if isinstance(retry, Retry) and retry.backoff]
    deadlines: list[BaseModel] = [*(layer.deadlines for layer in layers if layer.deadlines is not None), BUILT_IN]
    return Effective(
        **_first(("queue_name", "priority", "ttl_seconds_after_finished"), layers),
        deadlines=Deadlines(**_first(Deadlines.model_fields, deadlines)),
        retry=EffectiveRetry(
            **_first(("max_attempts", "max_disruptions", "rules"), retries),
            backoff=EffectiveBackoff(**_first(Backoff.model_fields, backoffs)),
        ),
    )


def _first(names: Iterable[str], layers: Iterable[BaseModel]) -> dict[str, Any]:
    """For each field its first value that is set; fields that no layer sets are left out."""
    found: dict[str, Any] = {}
    for layer in layers:
        for name in names:
            value = getattr(layer, name)
            if value is not None:
                found.setdefault(name, value)
    return found


def _reference_problem(container: Container | DefinitionContainer, params: dict[str, Any]) -> str | None:
    """What is wrong with the params that the container refers to."""
    for name in missing_params(container, params):
        return f"spec.params.{cut(name, 200)}: missing, and the container refers to $(params.{cut(name, 200)})"
    for name in unfit_params(container, params):
        return f"spec.params.{cut(name, 200)}: has a NUL character, which no argument or variable of a process can have"
    size = filled_bytes(container, params)
    if size > MOST_FILLED_BYTES:
        return (
            f"spec.params: {size} bytes where the container refers to them, and at most {MOST_FILLED_BYTES} are allowed"
        )
    return None


def _unread_problem(container: Container | DefinitionContainer | None) -> str | None:
    """What is wrong with params that only the task itself reads."""
    name = next(iter(missing_params(container, {})), None) if container is not None else None
    if name is None:
        return None
    reference = f"$(params.{cut(name, 200)})"
    return f"spec.paramsRef: the container refers to {reference}, which only spec.params can fill"


def ref_problem(namespace: str, ref: ObjectRef) -> str | None:
    """What is wrong with the reference itself: a Task may name an object of its own namespace only."""
    key = params_object(namespace, ref.digest)
    if (ref.bucket, ref.key) == (PAYLOADS_BUCKET, key) and _DIGEST.fullmatch(ref.digest) and ref.size >= 0:
        return None
    return f"spec.paramsRef: must name object {cut(key, 300)} of bucket {PAYLOADS_BUCKET}, with its sha256 as digest"


def params_problem(spec: TaskSpec, revision: Revision | None) -> str | None:
    """What is wrong with a Task's params, as a sentence that names the parameter; None where nothing is."""
    params = spec.params or {}
    if spec.params_ref is not None:
        return _unread_problem(revision.spec.container if revision else spec.container)
    if depth(params, DEEPEST_PARAMS) > DEEPEST_PARAMS:
        return f"spec.params: nested more than {DEEPEST_PARAMS} levels deep"
    size = len(json.dumps(params, separators=(",", ":"), ensure_ascii=False).encode(errors="replace"))
    if size > MAX_PARAMS_BYTES:
        return f"spec.params: {size} bytes, and at most {MAX_PARAMS_BYTES} are allowed: pass large data by reference"
    container = revision.spec.container if revision else spec.container
    problem = _reference_problem(container, params) if container else None
    if problem is not None:
        return problem
    schema = revision.spec.params_schema if revision else None
    return schema_problem(schema, params, "spec.params") if schema is not None else None
