"""Every label, annotation, reason and child name. Public API: dashboards and scripts are written against them."""

from __future__ import annotations

import hashlib
import re

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "celeriac"
TASK_LABEL = "celeriac.dev/task"
ATTEMPT_LABEL = "celeriac.dev/attempt"
QUEUE_LABEL = "celeriac.dev/queue"
DEFINITION_LABEL = "celeriac.dev/definition"
WARM_LABEL = "celeriac.dev/warm"
"""On a pod that was started ahead of its task: the first characters of its content's digest."""
KUEUE_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"

ACCEPTED_ANNOTATION = "celeriac.dev/accepted"
"""On a Job: the policy and revision its Task was accepted with, for the time before the first status write."""

LEASE_LABEL = "celeriac.dev/lease"
"""On a Lease: the name that the Leases of one installation have in common."""
SHARDS_ANNOTATION = "celeriac.dev/shards"
"""On Lease 0: into how many shards the namespaces are spread."""
SETTLING_ANNOTATION = "celeriac.dev/shards-settling"
"""On Lease 0: that number is new, and nobody works yet."""
WANTED_BY_ANNOTATION = "celeriac.dev/wanted-by"
"""On a Lease: the replica that asks for it, to have its share."""

ORPHAN = "orphan"
"""Kubernetes' finalizer of a Task that goes without its Jobs: until it is gone, all goes on."""

CONTAINER_NAME = "task"
FIELD_MANAGER = "celeriac-operator"

# Condition types
ACCEPTED = "Accepted"
RUNNING = "Running"
SUCCEEDED = "Succeeded"
FINISHED = "Finished"
STALLED = "Stalled"
ACTIVE = "Active"
STREAM_READY = "StreamReady"

WARM_UNAVAILABLE = "WarmUnavailable"

# Reasons beside the failure classes
ASSIGNED = "Assigned"
BUS_UNAVAILABLE = "BusUnavailable"
CANCELLED = "Cancelled"
COMPLETING = "Completing"
DEAD_LETTERS_FULL = "DeadLettersFull"
DEFINITION_NOT_FOUND = "DefinitionNotFound"
DEFINITION_GONE = "DefinitionGone"
DELETED_UNFINISHED = "Its Task was deleted before it had finished"
DELAYED_FULL = "DelayedFull"
DRAINED = "Drained"
DRAINING = "Draining"
EXPIRED = "Expired"
INLINE_CONTAINER_DENIED = "InlineContainerDenied"
INVALID_PARAMS = "InvalidParams"
INVALID_SCHEDULE = "InvalidSchedule"
INVALID_TASK = "InvalidTask"
INVALID_TEMPLATE = "InvalidTemplate"
JOB_NAME_TAKEN = "JobNameTaken"
KEY_LIMIT = "KeyLimit"
KUEUE_PENDING = "KueuePending"
MALFORMED_MESSAGE = "MalformedMessage"
NATS_DOWN = "NATSDown"
NO_FREE_WORKER = "NoFreeWorker"
REFUSED = "Refused"
QUEUED = "Queued"
QUEUE_FULL = "QueueFull"
QUEUE_HELD = "QueueHeld"
QUOTA_EXCEEDED = "QuotaExceeded"
RATE_LIMITED = "RateLimited"
RUN_NAME_TAKEN = "RunNameTaken"
START_TIME = "StartTimeNotReached"
STARTING = "Starting"
STOPPING = "Stopping"
STREAM_REFUSED = "StreamRefused"
SUSPENDED = "Suspended"
TOO_OLD = "TooOld"
UNKNOWN_TIME_ZONE = "UnknownTimeZone"
UNSCHEDULABLE = "Unschedulable"

# Reasons of Events
RETRYING_EVENT = "Retrying"
FAILED_EVENT = "Failed"
WARNING_EVENT = "Warning"
MISSED_RUNS_EVENT = "MissedRuns"
REPLACED_EVENT = "Replaced"
RUN_SKIPPED_EVENT = "RunSkipped"

_LONGEST_JOB_NAME = 63
_LONGEST_UNCUT = 57
"""Of a Job whose pods' names begin with all of its own."""


def job_name(task: str, uid: str, attempt: int) -> str:
    """The one name of an attempt's Job: ``<task, cut>-<6 characters of sha256(uid)>-a<n>``."""
    tail = f"-{hashlib.sha256(uid.encode()).hexdigest()[:6]}-a{attempt}"
    return task[: _LONGEST_JOB_NAME - len(tail)].rstrip("-") + tail


def warm_job_name(definition: str, seed: str) -> str:
    """The Job of a pod that is started ahead; the seed is never used twice."""
    tail = f"-w-{hashlib.sha256(seed.encode()).hexdigest()[:10]}"
    return definition[: _LONGEST_UNCUT - len(tail)].rstrip("-") + tail


def attempt_of(job: str) -> int:
    """The attempt's number in a Job's name; 0 where it is no attempt's. Unlike a label, a name is never edited."""
    number = job.rpartition("-a")[2]
    return int(number) if re.fullmatch(r"[0-9]{1,9}", number) else 0


def revision_name(definition: str, digest: str) -> str:
    """The ControllerRevision of a TaskDefinition's content."""
    return f"{definition}-{digest[:8]}"
