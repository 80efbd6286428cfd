"""The TaskQueue: how many of its Tasks run at once, how fast they start, and whether any start at all."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from celeriac.api.v1alpha1.model import ApiModel, Condition, ObjectName
from celeriac.api.v1alpha1.policy import Seconds

LABEL_KEY = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"

StopPolicy = Literal["None", "Hold", "HoldAndDrain"]
Concurrency = Annotated[int, Field(ge=1, le=1_000_000)]


class RateLimit(ApiModel):
    """How fast attempts start: a bucket of so many tokens, refilled evenly over the period."""

    tasks: Annotated[int, Field(ge=1, le=100_000)]
    """Attempts that may start in a period, and at once after a pause."""
    period_seconds: Seconds
    """The period, in seconds."""


class Backlog(ApiModel):
    """Bounds of the queue's stream of messages. They take effect where the operator runs with NATS."""

    max_tasks: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """Messages that may wait. Default 1,000,000."""
    max_bytes: Annotated[int, Field(ge=1, le=2**53)] | None = None
    """Bytes that the messages may take. Default 256 MiB."""
    max_age_seconds: Seconds | None = None
    """Messages that have waited longer are reported as dead and not taken in. Unset: none is too old."""


class Fairness(ApiModel):
    """Whose turn it is, where several tenants share the queue."""

    by_label: Annotated[str, Field(min_length=1, max_length=317, pattern=LABEL_KEY)]
    """The Task's label whose value names its tenant. The next slot goes to the tenant that holds the fewest; Tasks
    without the label are one tenant."""


class TaskQueueSpec(ApiModel):
    """How the queue's Tasks are admitted. What is left out is not limited."""

    max_concurrency: Concurrency | None = None
    """Attempts that may be under way at once. Unset: as many as there are."""
    max_concurrency_per_key: Concurrency | None = None
    """Attempts of Tasks with the same spec.concurrencyKey that may be under way at once."""
    rate_limit: RateLimit | None = None
    """How fast attempts start, retries included."""
    stop_policy: StopPolicy | None = None
    """Hold: no attempt starts, those under way go on. HoldAndDrain: those under way are stopped too, which counts as a
    disruption (Preempted), and start again when the queue goes on. None, or unset: the queue goes on."""
    stop_reason: Annotated[str, Field(max_length=512)] | None = None
    """Why it is stopped, for people: waiting Tasks say it."""
    backlog: Backlog | None = None
    """Bounds of the queue's stream of messages."""
    inline_containers: Literal["Allow", "ResourcesOnly", "Deny"] | None = None
    """Who may submit a container instead of naming a TaskDefinition. Allow: everyone. ResourcesOnly: Task objects, but
    not messages. Deny: nobody. Default ResourcesOnly."""
    fairness: Fairness | None = None
    """How tenants share the queue. Unset: they do not, only priority and age count."""
    history_limit: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Finished Tasks of this queue beyond this are deleted before their TTL, oldest first."""
    kueue_queue_name: ObjectName | None = None
    """Jobs are created suspended with this Kueue LocalQueue, and start when Kueue admits them."""


class RateLimitStatus(ApiModel):
    """How far the rate limit is used up, so that a restart of the operator does not forget it."""

    theoretical_arrival_time: AwareDatetime
    """The generic cell rate algorithm's one timestamp: until then the tokens are used up."""
    observed_time: AwareDatetime
    """When this was written. Jobs that are younger are counted on top of it."""


class TaskQueueStatus(ApiModel):
    """What the operator sees of the queue, written at most every 5 seconds."""

    observed_generation: int | None = None
    """The metadata.generation that the status was computed from."""
    queued: int | None = None
    """Tasks that wait for a slot."""
    running: int | None = None
    """Tasks that hold a slot: an attempt is under way."""
    backlog: int | None = None
    """Messages that wait in the queue's stream."""
    oldest_queued_seconds: int | None = None
    """How long the oldest waiting Task had waited when this was written. Refreshed ever more rarely as it grows."""
    rate_limit: RateLimitStatus | None = None
    """How far the rate limit is used up."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Accepted, and Active: whether attempts start."""
