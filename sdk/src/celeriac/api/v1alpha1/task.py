"""The Task: one piece of work, from submission to its result."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, SerializerFunctionWrapHandler, model_serializer

from celeriac.api.v1alpha1.container import Container
from celeriac.api.v1alpha1.failure import Failure, Phase
from celeriac.api.v1alpha1.model import ApiModel, Condition, JsonObject, JsonValue, Name
from celeriac.api.v1alpha1.policy import Deadlines, Priority, QueueName, Retry, RetryRule, Ttl

MAX_PARAMS_BYTES = 32 * 1024
MAX_RESULT_BYTES = 4095
MAX_ATTEMPTS_KEPT = 10


LONGEST_CANCEL_REASON = 1024
"""Characters."""


class Cancel(ApiModel):
    """The wish that the Task ends."""

    reason: Annotated[str, Field(max_length=LONGEST_CANCEL_REASON)] = ""
    """Why, for people."""


class ObjectRef(ApiModel):
    """A JSON value that is too large for its place, and is kept in an object store of NATS."""

    bucket: Annotated[str, Field(max_length=253)]
    """Object store bucket."""
    key: Annotated[str, Field(max_length=1024)]
    """Key in the bucket."""
    size: int
    """Size in bytes."""
    digest: Annotated[str, Field(max_length=128)]
    """Digest of the content."""


ResultRef = ObjectRef


class TaskSpec(ApiModel):
    """What is to be done. Immutable but for suspend, cancel (once set, it stays), priority, ttlSecondsAfterFinished."""

    definition_name: Name | None = None
    """The TaskDefinition that says how the task runs. Exactly one of definitionName and container."""
    container: Container | None = None
    """The container that runs. Exactly one of definitionName and container."""
    params: JsonObject | None = None
    """Any JSON object of at most 32 KiB: given to the process as CELERIAC_PARAMS and substituted for $(params.NAME)."""
    params_ref: ObjectRef | None = None
    """Instead of params: larger ones, which the SDK has put into NATS; given to the runner as CELERIAC_PARAMS_REF."""
    queue_name: QueueName | None = None
    """The queue that the task waits in. Default: default."""
    priority: Priority | None = None
    """Higher runs first. Default 0."""
    concurrency_key: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """At most maxConcurrencyPerKey of the TaskQueue's tasks with the same key run at once."""
    start_time: AwareDatetime | None = None
    """Not before this time."""
    deadlines: Deadlines | None = None
    """How long each part may take."""
    retry: Retry | None = None
    """When and how often a failed attempt is followed by another."""
    suspend: bool | None = None
    """True: no new attempt starts; a running one goes on, and so do the clocks."""
    cancel: Cancel | None = None
    """Set it to end the task: SIGTERM, graceSeconds, Cancelled."""
    ttl_seconds_after_finished: Ttl | None = None
    """How long the Task is kept once it has finished. Default 3600."""


class EffectiveBackoff(ApiModel):
    """Backoff with every value settled."""

    initial_seconds: int = 10
    """The pause after the first failure."""
    multiplier_percent: int = 200
    """Growth from one pause to the next."""
    max_seconds: int = 600
    """The longest pause."""
    jitter: Literal["Full", "None"] = "Full"
    """Full or None."""


class EffectiveRetry(ApiModel):
    """Retry policy with every value settled."""

    max_attempts: int = 1
    """Attempts that the task itself may use up."""
    max_disruptions: int = 10
    """Attempts that may be lost to disruptions."""
    backoff: EffectiveBackoff = EffectiveBackoff()
    """The pause before the next attempt."""
    rules: Annotated[tuple[RetryRule, ...], Field(max_length=32)] = ()
    """The rules that apply."""


class Effective(ApiModel):
    """The policy the task runs under, fixed when it was accepted."""

    queue_name: str = "default"
    """The queue."""
    priority: int = 0
    """The priority at acceptance."""
    deadlines: Deadlines = Deadlines()
    """The deadlines."""
    retry: EffectiveRetry = EffectiveRetry()
    """The retry policy."""
    ttl_seconds_after_finished: int = 3600
    """How long the Task is kept once it has finished."""


Measured = Annotated[int, Field(ge=0, le=2**53)]


class Usage(ApiModel):
    """What an attempt took, as its runner measured it."""

    run_milliseconds: Measured
    """From the moment that the runner had the attempt to the end of its function."""
    cpu_milliseconds: Measured
    """Processor time of its process, and of the processes that it has waited for, in that time."""
    memory_bytes: Measured
    """The most memory that it had at once: the container's where that can be read, else the process's."""


class Attempt(ApiModel):
    """One run of the task's process, in a Job of its own."""

    number: int
    """1 for the first."""
    job_name: Annotated[str, Field(max_length=253)]
    """The Job."""
    pod_name: Annotated[str, Field(max_length=253)] | None = None
    """The pod that the attempt is bound to."""
    pod_uid: Annotated[str | None, Field(max_length=64, alias="podUID")] = None
    """The uid of that pod: another pod of the same Job is not this attempt."""
    node_name: Annotated[str, Field(max_length=253)] | None = None
    """The node."""
    create_time: AwareDatetime | None = None
    """When the Job was created."""
    start_time: AwareDatetime | None = None
    """When the container started."""
    finish_time: AwareDatetime | None = None
    """When the attempt ended."""
    failure: Failure | None = None
    """Why it failed. Set before finishTime while an attempt is being stopped."""
    exit_code: int | None = None
    """The exit code of the process, where it had one."""
    message: Annotated[str, Field(max_length=4096)] | None = None
    """What happened, with the end of the process's own output where it failed."""
    usage: Usage | None = None
    """What it took. Only the SDK's runner measures it, and tells it through NATS."""


class Result(ApiModel):
    """What the task returned: a value, or a reference to one."""

    value: JsonValue = None
    """The value itself, any JSON, null too."""
    ref: ObjectRef | None = None
    """Where a value that is too large for the status is kept."""

    @model_serializer(mode="wrap")
    def _keep_null(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A value of null is a result too, so it is written and not left out."""
        wire: dict[str, Any] = handler(self)
        return wire if self.ref is not None else {"value": self.value}


class DefinitionRevision(ApiModel):
    """The revision of the TaskDefinition that the task runs from, whatever happens to the definition."""

    revision: Annotated[str, Field(max_length=253)]
    """Name of the ControllerRevision."""
    generation: int
    """metadata.generation of the TaskDefinition at that revision."""


class TaskStatus(ApiModel):
    """What has come of it."""

    observed_generation: int | None = None
    """The metadata.generation that the status was computed from."""
    phase: Phase | None = None
    """A summary for people."""
    reason: Annotated[str, Field(max_length=128)] | None = None
    """Why it is in that phase, one CamelCase word."""
    message: Annotated[str, Field(max_length=8192)] | None = None
    """Why it is in that phase, a sentence."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Accepted, Running, Succeeded, Finished and Stalled."""
    effective: Effective | None = None
    """The policy the task runs under."""
    definition: DefinitionRevision | None = None
    """The revision of the TaskDefinition that it runs from."""
    attempts: Annotated[tuple[Attempt, ...], Field(max_length=MAX_ATTEMPTS_KEPT)] = ()
    """The last 10 attempts."""
    attempt_count: int | None = None
    """Attempts begun, disruptions included."""
    disruption_count: int | None = None
    """Attempts lost to disruptions."""
    next_attempt_time: AwareDatetime | None = None
    """When the next attempt may start."""
    result: Result | None = None
    """What the task returned."""
    create_time: AwareDatetime | None = None
    """When the task was submitted."""
    admit_time: AwareDatetime | None = None
    """When it was first given a slot."""
    start_time: AwareDatetime | None = None
    """When its first container started."""
    finish_time: AwareDatetime | None = None
    """When it finished."""

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, if it is set."""
        return next((c for c in self.conditions if c.type == type_), None)
