"""Records in the results bucket: what outlives a Task, and who decided an attempt."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from celeriac.api.v1alpha1.failure import Failure
from celeriac.api.v1alpha1.model import ApiModel
from celeriac.api.v1alpha1.task import Attempt, Result, Usage


class RecordKind(StrEnum):
    """Who wrote a task's record, and what it says."""

    FINISHED = "Finished"
    """The operator, before the Task's terminal status."""
    CANCEL_REQUESTED = "CancelRequested"
    """A client: the task is to end. Intake and a Task that has not finished follow it; the operator replaces it."""
    DEAD = "Dead"
    """Intake: the message became no Task and is among the dead letters."""


class TaskRecord(ApiModel):
    """A task's record, under ``<namespace>.<task>``."""

    kind: RecordKind
    """Who wrote it, and what it says."""
    submission: str | None = None
    """Digest of the message that it belongs to; None where the writer knows none."""
    request_digest: str | None = None
    """The Task's annotation of that name: of messages with the same one, each stands for the same task."""
    task_uid: str | None = None
    """The Task that finished; None while there was none."""
    outcome: str
    """Reason of the Finished condition, ``Cancelled``, or the dead letter's reason."""
    message: Annotated[str, Field(max_length=8192)] = ""
    """The sentence about it; of a cancel request, the reason that was given."""
    cancel: Annotated[str | None, Field(max_length=8192)] = None
    """The reason of a request to cancel that a dead letter's record has replaced: the letter's submitter has to learn
    of its end, and a Task of the name that another message becomes is to be cancelled all the same."""
    result: Result | None = None
    """What the task returned."""
    attempt_count: int = 0
    """Attempts begun."""
    attempts: Annotated[tuple[Attempt, ...], Field(max_length=10)] = ()
    """The last attempts, the very last one at least."""
    create_time: AwareDatetime | None = None
    """When the task was submitted."""
    start_time: AwareDatetime | None = None
    """When its first container started."""
    finish_time: AwareDatetime
    """When it finished, or when the record was written."""
    expire_time: AwareDatetime
    """The record is deleted after this."""


class Author(StrEnum):
    """Who decided an attempt."""

    RUNNER = "Runner"
    OPERATOR = "Operator"


class AttemptRecord(ApiModel):
    """An attempt's outcome, under ``<namespace>.<task uid>.<attempt>``: the first create wins, and it never changes.

    A runner records what its function did by itself: of one that SIGTERM ended it records no failure, since the
    operator knows better why.
    """

    author: Author
    """Who decided."""
    task_uid: Annotated[str, Field(max_length=64)]
    """Uid of the Task."""
    attempt: int
    """1 for the first."""
    pod_uid: Annotated[str | None, Field(max_length=64, alias="podUID")] = None
    """The pod that ran it; a record of a pod that the attempt is not bound to does not count."""
    failure: Failure | None = None
    """Why it failed; None: it succeeded."""
    exit_code: int | None = None
    """What the runner exits with."""
    message: Annotated[str, Field(max_length=4096)] = ""
    """What happened: of an exception its type and text, then the end of its traceback."""
    result: Result | None = None
    """What the function returned."""
    start_time: AwareDatetime | None = None
    """When the runner began."""
    finish_time: AwareDatetime
    """When it ended."""
    usage: Usage | None = None
    """What it took; of a runner that measures it."""


class StopNotice(ApiModel):
    """Why an attempt is being stopped, under ``<namespace>.<task uid>.<attempt>.stop``, for its function to know.

    It decides nothing: a function that returns after all has succeeded.
    """

    failure: Failure
    """What the attempt will have failed with, unless it succeeds."""
    message: Annotated[str, Field(max_length=4096)] = ""
    """Of a cancel, the reason that was given; else a sentence."""


class ClaimRecord(ApiModel):
    """Who may run an attempt that a waiting pod was told of, under ``<namespace>.claim.<task uid>.<attempt>``.

    Each write is made against the revision that its author knows (0: there is none), so of two one is first.
    """

    author: Author
    """The runner: that pod runs the attempt, and never another one. The operator: that pod never will."""
    task_uid: Annotated[str, Field(max_length=64)]
    """Uid of the Task."""
    attempt: int
    """1 for the first."""
    pod_uid: Annotated[str, Field(max_length=64, alias="podUID")]
    """The pod that it is about."""
    time: AwareDatetime
    """When it was written."""
