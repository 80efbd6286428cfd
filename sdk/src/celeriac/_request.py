"""What a caller asks for, and the Task manifest that it becomes. Pure: no client, no clock.

Apart from the clients, so that both of them, and every later transport, build the same Task.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import UnionType
from typing import Any, Literal

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from celeriac import errors
from celeriac._call_options import SharedOptions
from celeriac._labels import problems
from celeriac._names import IDEMPOTENCY_KEY, MAX_NAME, name_of_key, new_name
from celeriac.api.v1alpha1 import (
    API_VERSION,
    MAX_PARAMS_BYTES,
    Deadlines,
    Resources,
    ResultRef,
    Retry,
    TaskSpec,
)
from celeriac.api.v1alpha1.model import DNS_LABEL
from celeriac.wire.canonical import canonical_json, digest
from celeriac.wire.message import digest_of
from celeriac.wire.names import PAYLOADS_BUCKET, REQUEST_DIGEST, params_object
from celeriac.wire.storable import is_unicode, unstorable

MAX_LARGE_PARAMS_BYTES = 16 * 1024 * 1024
"""Params that are stored and referred to are at most so large: the process of the task reads them into memory."""

PullPolicy = Literal["Always", "IfNotPresent", "Never"]


class TaskOptions(SharedOptions, total=False):
    """The keyword arguments of ``submit``; :class:`TaskRequest` says what each of them is."""

    definition: str | None
    image: str | None
    command: Sequence[str] | None
    args: Sequence[str] | None
    env: Mapping[str, str] | None
    resources: Resources | Mapping[str, Mapping[str, str]] | None
    working_dir: str | None
    image_pull_policy: PullPolicy | None
    params: Mapping[str, Any] | None
    deadlines: Deadlines | None
    retry: Retry | None


_LONGEST_COUNTDOWN = timedelta(days=36_525)


@dataclass(frozen=True, kw_only=True)
class TaskRequest:
    """One task to submit. What is None is left to the definition, the queue and the operator."""

    definition: str | None = None
    """Name of the TaskDefinition that says how the task runs. Exactly one of definition and image."""
    image: str | None = None
    """Image of the container that runs, for a task without a definition."""
    command: Sequence[str] | None = None
    """Entry point, instead of the image's. ``$(params.NAME)`` is substituted."""
    args: Sequence[str] | None = None
    """Arguments of the entry point. ``$(params.NAME)`` is substituted."""
    env: Mapping[str, str] | None = None
    """Plain environment variables. ``$(params.NAME)`` is substituted in their values."""
    resources: Resources | Mapping[str, Mapping[str, str]] | None = None
    """Requests and limits of the container."""
    working_dir: str | None = None
    """Working directory, instead of the image's."""
    image_pull_policy: PullPolicy | None = None
    """When the image is pulled."""
    params: Mapping[str, Any] | None = None
    """Any JSON object of at most 32 KiB; through NATS of at most 16 MiB."""
    name: str | None = None
    """Name of the Task: a DNS label of at most 63 characters. None: a name that no other task has."""
    key: str | None = None
    """Idempotency key: however often it is submitted, there is one task. The name is derived from it."""
    namespace: str | None = None
    """Namespace of the Task. None: the client's."""
    queue: str | None = None
    """Queue that the task waits in."""
    priority: int | None = None
    """Higher runs first, -1000 to 1000."""
    concurrency_key: str | None = None
    """At most the queue's ``maxConcurrencyPerKey`` tasks with the same key run at once."""
    start_time: datetime | None = None
    """Not before this time, which must have a time zone. At most one of start_time and countdown."""
    countdown: float | timedelta | None = None
    """Not before this many seconds from now."""
    deadlines: Deadlines | None = None
    """Deadlines as one object; the arguments below go before it."""
    queue_seconds: int | None = None
    """Seconds from submission, or the start time, to the first start; else the task expires."""
    start_seconds: int | None = None
    """Seconds that one attempt may take to start."""
    run_seconds: int | None = None
    """Seconds that one attempt may run."""
    total_seconds: int | None = None
    """Seconds from submission, or the start time, to the end, retries included."""
    grace_seconds: int | None = None
    """Seconds from SIGTERM to SIGKILL."""
    retry: Retry | None = None
    """When and how often a failed attempt is followed by another."""
    ttl_seconds_after_finished: int | None = None
    """Seconds that the Task is kept once it has finished."""
    suspend: bool | None = None
    """True: no attempt starts until it is set to false."""
    labels: Mapping[str, str] | None = None
    """Labels of the Task."""
    annotations: Mapping[str, str] | None = None
    """Annotations of the Task."""


_ARGUMENTS = frozenset(TaskRequest.__dataclass_fields__)
_DEADLINES = tuple((name, to_camel(name)) for name in Deadlines.model_fields)


@dataclass(frozen=True)
class Submission:
    """What became of one request of ``submit_many``: either a handle or an error."""

    request: TaskRequest | TaskOptions
    error: errors.CeleriacError | None = None

    @property
    def ok(self) -> bool:
        """True if the task was submitted."""
        return self.error is None


def request_of(options: TaskRequest | TaskOptions) -> TaskRequest:
    """The request in keyword arguments; an argument that does not exist is an InvalidTask."""
    if isinstance(options, TaskRequest):
        return options
    if not isinstance(options, dict):
        raise errors.InvalidTask(f"A task is a TaskRequest or a dict of its arguments, not a {type(options).__name__}.")
    if unknown := options.keys() - _ARGUMENTS:
        raise errors.InvalidTask(f"A task has no argument {', '.join(sorted(unknown))}: see celeriac.TaskRequest.")
    return TaskRequest(**options)


@dataclass(frozen=True)
class Draft:
    """A Task to be sent, and what has to be stored before it."""

    manifest: dict[str, Any]
    """The Task's manifest."""
    params_ref: ResultRef | None = None
    """Where the manifest says that its params are, if they are large."""
    large_params: bytes | None = None
    """Those params, as canonical JSON."""


def build_task(request: TaskRequest, default_namespace: str, now: datetime) -> dict[str, Any]:
    """The manifest of the Task that is asked for, with its params in it."""
    _check_choices(request)
    params, text = _plain_params(request.params)
    if len(text) > MAX_PARAMS_BYTES:
        raise errors.InvalidParams(
            f"The params are {len(text):,} bytes as JSON; at most {MAX_PARAMS_BYTES:,} are allowed. Put large data "
            "into a store and pass where it is, or submit through NATS (CELERIAC_NATS_URL), which stores large params."
        )
    return _build(request, default_namespace, now, params)


def build_draft(request: TaskRequest, default_namespace: str, now: datetime) -> Draft:
    """The Task that is asked for; params over 32 KiB are to be stored, and it refers to them."""
    _check_choices(request)
    params, text = _plain_params(request.params)
    if len(text) <= MAX_PARAMS_BYTES:
        return Draft(_build(request, default_namespace, now, params))
    if len(text) > MAX_LARGE_PARAMS_BYTES:
        raise errors.InvalidParams(
            f"The params are {len(text):,} bytes as JSON; at most {MAX_LARGE_PARAMS_BYTES:,} are allowed. "
            "Put large data into a store and pass where it is."
        )
    data = canonical_json(params)
    found = digest_of(data)
    key = params_object(request.namespace or default_namespace, found)
    ref = ResultRef(bucket=PAYLOADS_BUCKET, key=key, size=len(data), digest=found)
    return Draft(_build(request, default_namespace, now, None, ref), ref, data)


def _build(
    request: TaskRequest,
    default_namespace: str,
    now: datetime,
    params: dict[str, Any] | None,
    params_ref: ResultRef | None = None,
) -> dict[str, Any]:
    namespace = request.namespace or default_namespace
    _check_metadata(request)
    spec = _build_spec(request, params)
    if params_ref is not None:
        spec["paramsRef"] = params_ref.to_wire()
    seal = digest({"spec": spec} | _relative_start(request))
    if request.countdown is not None:
        spec["startTime"] = (now + as_timedelta("countdown", request.countdown)).isoformat()
    annotations = dict(request.annotations or {}) | {REQUEST_DIGEST: seal}
    if request.key is not None:
        annotations[IDEMPOTENCY_KEY] = request.key
    return manifest_of(_name(request, namespace), namespace, spec, dict(request.labels or {}), annotations)


def manifest_of(
    name: str, namespace: str, spec: dict[str, Any], labels: dict[str, str], annotations: dict[str, str]
) -> dict[str, Any]:
    """A Task manifest of its parts."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "annotations": annotations}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": API_VERSION, "kind": "Task", "metadata": metadata, "spec": spec}


_KINDS: tuple[tuple[str, type | UnionType, str], ...] = (
    ("key", str, "a text, or None"),
    ("namespace", str, "a text, or None"),
    ("deadlines", Deadlines, "Deadlines(run_seconds=60), or run_seconds=60 and the like"),
    ("command", Iterable, 'a list of words, such as ["sh", "-c", "echo hi"]'),
    ("args", Iterable, 'a list of words, such as ["--verbose"]'),
    ("env", Mapping, 'a dict, such as {"LEVEL": "debug"}'),
    ("labels", Mapping, 'a dict, such as {"team": "media"}'),
    ("annotations", Mapping, 'a dict, such as {"example.com/why": "nightly"}'),
)
"""Arguments of which parts are used before a model sees them, what they are, and what to give."""


def _check_kinds(request: TaskRequest) -> None:
    for name, kind, wanted in _KINDS:
        value = getattr(request, name)
        if value is not None and not isinstance(value, kind):
            raise errors.InvalidTask(f"{name} is a {type(value).__name__}: give {wanted}.")
    check_retry(request.retry)


def check_retry(retry: object) -> None:
    """Raises InvalidTask: it is no policy, or one that the process of the task would have to know of."""
    if retry is not None and not isinstance(retry, Retry):
        raise errors.InvalidTask(f"retry is a {type(retry).__name__}: give Retry(max_attempts=3), or None.")
    if getattr(retry, "retry_for", ()) or getattr(retry, "dont_retry_for", ()):
        raise errors.InvalidTask("retry_for and dont_retry_for belong to @app.task, as the pod decides by them.")


def _check_choices(request: TaskRequest) -> None:
    """What the models cannot see, because it is about arguments that exclude each other."""
    _check_kinds(request)
    inline = ("command", "args", "env", "resources", "working_dir", "image_pull_policy")
    if (request.definition is None) == (request.image is None):
        raise errors.InvalidTask("Give exactly one of definition and image: what runs is one or the other.")
    given = [name for name in inline if getattr(request, name) is not None]
    if request.definition is not None and given:
        raise errors.InvalidTask(f"{', '.join(given)} cannot be given with a definition, which says what runs.")
    if request.name is not None and request.key is not None:
        raise errors.InvalidTask("Give name or key, not both: the name is derived from the key.")
    if request.key == "":
        raise errors.InvalidTask("key is empty, and would make one task of all that have none: give a text, or None.")
    if request.key is not None and not is_unicode(request.key):
        raise errors.InvalidTask("key is no Unicode text: take another.")
    if request.name is not None and not _may_be_name(request.name):
        raise errors.InvalidTask(
            f"{request.name!r} cannot be a name: use a-z, 0-9 and -, at most {MAX_NAME} characters, no - at the ends."
        )
    _check_start(request)


def _may_be_name(name: object) -> bool:
    return isinstance(name, str) and len(name) <= MAX_NAME and re.fullmatch(DNS_LABEL, name) is not None


def _check_metadata(request: TaskRequest) -> None:
    found = list(problems(request.labels or {}, request.annotations or {}))
    if found:
        raise _invalid(found)


def _check_start(request: TaskRequest) -> None:
    if request.start_time is not None and request.countdown is not None:
        raise errors.InvalidTask("Give start_time or countdown, not both.")
    if request.start_time is not None:
        check_time("start_time", request.start_time)


def check_time(name: str, value: object) -> datetime:
    """The time, if it says which one it is. Raises InvalidTask."""
    if not isinstance(value, datetime):
        raise errors.InvalidTask(f"{name} is a {type(value).__name__}: give an aware datetime.")
    if value.tzinfo is None:
        raise errors.InvalidTask(f"{name} has no time zone: use datetime.now(timezone.utc) or an aware datetime.")
    return value


def _build_spec(request: TaskRequest, params: dict[str, Any] | None) -> dict[str, Any]:
    """The spec by the names that the API has, so that these are what an error names."""
    spec = {
        "definitionName": request.definition,
        "container": _container(request),
        "params": params,
        "queueName": request.queue,
        "priority": request.priority,
        "concurrencyKey": request.concurrency_key,
        "startTime": request.start_time,
        "deadlines": _deadlines(request) or None,
        "retry": request.retry,
        "suspend": request.suspend,
        "ttlSecondsAfterFinished": request.ttl_seconds_after_finished,
    }
    try:
        return TaskSpec.model_validate(spec, extra="forbid").to_wire()
    except ValidationError as error:
        raise invalid_task(error) from None


def invalid_task(error: ValidationError) -> errors.InvalidTask:
    """The fields that the models refuse; never their values, which may be secret."""
    fields = [(".".join(("spec", *(str(part) for part in e["loc"]))), e["msg"]) for e in error.errors()]
    return _invalid(fields)


def _invalid(fields: list[tuple[str, str]]) -> errors.InvalidTask:
    text = "; ".join(f"{path}: {message}" for path, message in fields)
    return errors.InvalidTask(f"The task is not valid: {text}. Correct it and submit again.", fields)


def _container(request: TaskRequest) -> dict[str, Any] | None:
    if request.image is None:
        return None
    return {
        "image": request.image,
        "command": _words(request.command, "command"),
        "args": _words(request.args, "args"),
        "env": None if request.env is None else [{"name": k, "value": v} for k, v in request.env.items()],
        "resources": request.resources,
        "workingDir": request.working_dir,
        "imagePullPolicy": request.image_pull_policy,
    }


def _words(value: Sequence[str] | None, field: str) -> tuple[str, ...] | None:
    """The words of a command; a plain string would become one word a letter."""
    if isinstance(value, str):
        raise errors.InvalidTask(f'{field} is a list of words, such as ["sh", "-c", "echo hi"], not a string.')
    return None if value is None else tuple(value)


def _deadlines(request: TaskRequest) -> dict[str, Any]:
    """The deadlines object, with the single arguments before it."""
    single = {wire_name: getattr(request, name) for name, wire_name in _DEADLINES}
    given = {name: value for name, value in single.items() if value is not None}
    return (request.deadlines.to_wire() if request.deadlines else {}) | given


def _plain_params(params: Mapping[str, Any] | None) -> tuple[dict[str, Any] | None, bytes]:
    """The params as plain JSON, and as text."""
    if params is None:
        return None, b""
    try:
        text = json.dumps(dict(params), allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise errors.InvalidParams(f"The params are not JSON: {error}. Pass only JSON values.") from None
    plain: dict[str, Any] = json.loads(text)
    for name, value in plain.items():
        if problem := unstorable({name: value}):
            raise errors.InvalidParams(f"params.{name}: {problem}.")
    return plain, text


def _name(request: TaskRequest, namespace: str) -> str:
    if request.key is None:
        return request.name or new_name()
    what = f"definition:{request.definition}" if request.definition else f"image:{request.image}"
    return name_of_key(namespace, what, request.key)


def _relative_start(request: TaskRequest) -> dict[str, Any]:
    """A countdown is the same content whenever it is submitted; the time that it comes to is not."""
    return (
        {} if request.countdown is None else {"countdown": as_timedelta("countdown", request.countdown).total_seconds()}
    )


def as_timedelta(name: str, value: float | timedelta) -> timedelta:
    """Seconds as a timedelta. Raises InvalidTask."""
    if not isinstance(value, int | float | timedelta):
        raise errors.InvalidTask(f"{name} is a {type(value).__name__}: give seconds or a timedelta.")
    try:
        found = value if isinstance(value, timedelta) else timedelta(seconds=value)
    except (OverflowError, ValueError):  # infinite, NaN, or more than a timedelta holds
        found = timedelta.max
    if abs(found) > _LONGEST_COUNTDOWN:
        raise errors.InvalidTask(f"{name} is {value}: give seconds or a timedelta, at most a hundred years.")
    return found
