"""Deadlines and retries, as a Task or a TaskDefinition's defaults may give them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from celeriac.api.v1alpha1.failure import Failure
from celeriac.api.v1alpha1.model import ApiModel, Name

Seconds = Annotated[int, Field(ge=1, le=31_536_000)]
"""A duration of 1 second to 1 year."""

QueueName = Name
Priority = Annotated[int, Field(ge=-1000, le=1000)]
Ttl = Annotated[int, Field(ge=0, le=31_536_000)]


class Deadlines(ApiModel):
    """How long each part may take. What is left out is unbounded, but startSeconds (300) and graceSeconds (30)."""

    queue_seconds: Seconds | None = None
    """From submission, or startTime where that is later, to the first container start; else Expired."""
    start_seconds: Seconds | None = None
    """One attempt: from the Job's creation to the container's start."""
    run_seconds: Seconds | None = None
    """One attempt: from the container's start to its end."""
    total_seconds: Seconds | None = None
    """From submission, or startTime where that is later, to the end; retries and suspension included."""
    grace_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    """From SIGTERM to SIGKILL, when an attempt is stopped."""


class Backoff(ApiModel):
    """The pause before the next attempt: initialSeconds, times multiplierPercent/100 a failure, up to maxSeconds."""

    initial_seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None
    """The pause after the first failure."""
    multiplier_percent: Annotated[int, Field(ge=100, le=1000)] | None = None
    """Growth from one pause to the next; 200 doubles."""
    max_seconds: Annotated[int, Field(ge=0, le=604_800)] | None = None
    """The longest pause."""
    jitter: Literal["Full", "None"] | None = None
    """Full: somewhere between nothing and the pause, so that many failures do not come back together. None: exact."""


class ExitCodes(ApiModel):
    """Exit codes that a rule is about."""

    operator: Literal["In", "NotIn"]
    """In: the exit code is one of the values. NotIn: it is another, and not 0."""
    values: Annotated[tuple[Annotated[int, Field(ge=1, le=255)], ...], Field(min_length=1, max_length=64)]
    """At most 64 exit codes, 1 to 255."""


class RetryRule(ApiModel):
    """What to do about a kind of failure: exactly one of onExitCodes and onFailures."""

    on_exit_codes: ExitCodes | None = None
    """Applies to attempts whose process ended with such an exit code."""
    on_failures: Annotated[tuple[Failure, ...], Field(min_length=1, max_length=16)] | None = None
    """Applies to attempts that failed with one of these classes."""
    action: Literal["Retry", "Fail"]
    """Retry: again, while attempts are left. Fail: no further attempt."""

    def matches(self, failure: Failure, exit_code: int | None) -> bool:
        """Whether the rule is about an attempt that failed so."""
        if self.on_failures is not None:
            return failure in self.on_failures
        if self.on_exit_codes is None or not exit_code:
            return False
        return (exit_code in self.on_exit_codes.values) == (self.on_exit_codes.operator == "In")


class Retry(ApiModel):
    """When and how often a failed attempt is followed by another."""

    max_attempts: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Attempts that the task itself may use up. Default 1."""
    max_disruptions: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Attempts that may be lost to evictions, preemption and lost nodes; they do not count as attempts. Default 10."""
    backoff: Backoff | None = None
    """The pause before the next attempt."""
    rules: Annotated[tuple[RetryRule, ...], Field(max_length=32)] | None = None
    """The first rule that matches decides; where none does, the defaults of the failure's class."""


class Defaults(ApiModel):
    """What a TaskDefinition gives to Tasks that do not say otherwise, field by field."""

    queue_name: QueueName | None = None
    """The queue."""
    priority: Priority | None = None
    """Higher runs first."""
    deadlines: Deadlines | None = None
    """Deadlines, each by itself."""
    retry: Retry | None = None
    """Retry policy, each field by itself; rules as a whole."""
    ttl_seconds_after_finished: Ttl | None = None
    """How long a finished Task is kept."""
