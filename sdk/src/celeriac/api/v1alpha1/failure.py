"""How an attempt can fail. The names are stable API: status, metrics, retry rules and the SDK's errors have them."""

from __future__ import annotations

from enum import StrEnum


class Failure(StrEnum):
    """The class of a failed attempt."""

    APP_ERROR = "AppError"
    OOM_KILLED = "OOMKilled"
    RUN_DEADLINE_EXCEEDED = "RunDeadlineExceeded"
    START_DEADLINE_EXCEEDED = "StartDeadlineExceeded"
    TOTAL_DEADLINE_EXCEEDED = "TotalDeadlineExceeded"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    UNSCHEDULABLE = "Unschedulable"
    INVALID_POD = "InvalidPod"
    RESULT_INVALID = "ResultInvalid"
    INTERNAL_ERROR = "InternalError"
    CANCELLED = "Cancelled"
    EVICTED = "Evicted"
    PREEMPTED = "Preempted"
    NODE_LOST = "NodeLost"
    POD_DELETED = "PodDeleted"
    JOB_LOST = "JobLost"


DISRUPTIONS = frozenset({Failure.EVICTED, Failure.PREEMPTED, Failure.NODE_LOST, Failure.POD_DELETED, Failure.JOB_LOST})
"""Failures that are not the task's doing: they use up maxDisruptions, not maxAttempts."""

NOT_RETRIED = frozenset(
    {
        Failure.INVALID_POD,
        Failure.RESULT_INVALID,
        Failure.INTERNAL_ERROR,
        Failure.CANCELLED,
        Failure.TOTAL_DEADLINE_EXCEEDED,
    }
)
"""Failures that end the task unless a rule says otherwise (Cancelled and TotalDeadlineExceeded always do)."""


class Phase(StrEnum):
    """A summary of a Task's state for people. No code decides by it."""

    PENDING = "Pending"
    QUEUED = "Queued"
    STARTING = "Starting"
    RUNNING = "Running"
    RETRYING = "Retrying"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    EXPIRED = "Expired"


TERMINAL_PHASES = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.EXPIRED})
