# ruff: noqa: N818 -- the contract names the errors, and names what happened rather than that it is an error
"""What can go wrong, as types. Every message says what happened, in which task, and what to do next.

Apart from everything else, so that catching an error imports neither a client nor a model.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celeriac._task import Task
    from celeriac.api.v1alpha1 import Attempt

__all__ = [
    "AlreadyExists",
    "CeleriacError",
    "ConnectionFailed",
    "CronTaskNotFound",
    "Forbidden",
    "InlineContainerDenied",
    "InvalidParams",
    "InvalidTask",
    "LogsUnavailable",
    "NotInstalled",
    "QueueFull",
    "RequestRejected",
    "ResultInvalid",
    "TaskCancelled",
    "TaskExpired",
    "TaskFailed",
    "TaskNotFinished",
    "TaskNotFound",
    "TimeoutError",
    "UnknownDefinition",
    "UnknownQueue",
]


class CeleriacError(Exception):
    """The base of every error that Celeriac raises on purpose."""


class ConnectionFailed(CeleriacError):
    """The API server could not be reached, or kept answering that it cannot serve now."""


class NotInstalled(CeleriacError):
    """The cluster does not know Celeriac's resources: its chart is not installed."""


class Forbidden(CeleriacError):
    """The credentials are missing, not accepted, or do not allow the request."""


class RequestRejected(CeleriacError):
    """The API server refused the request for a reason without a type of its own."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status, where there was one."""


class QueueFull(CeleriacError):
    """The task was not taken because the queue, or the namespace's quota of tasks, is full. Try again later."""


class UnknownQueue(CeleriacError):
    """The queue does not exist."""


class UnknownDefinition(CeleriacError):
    """The TaskDefinition does not exist."""


class InvalidTask(CeleriacError):
    """The request for a task is not valid."""

    def __init__(self, message: str, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)
        """Pairs of a field's path, such as ``spec.priority``, and what is wrong with it."""


class InvalidParams(CeleriacError):
    """The params are not JSON, are too large, or do not fit the definition's schema or the function's signature."""

    def __init__(self, message: str, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)
        """Pairs of a parameter's path, such as ``width`` or ``options.size``, and what is wrong with it."""


class InlineContainerDenied(CeleriacError):
    """The queue does not take tasks that bring their own container: see ``inlineContainers`` of its TaskQueue."""


class AlreadyExists(CeleriacError):
    """Another task has this name or idempotency key."""


class TaskNotFound(CeleriacError):
    """There is no such task, or it was deleted meanwhile."""


class CronTaskNotFound(CeleriacError):
    """There is no such CronTask."""


class TaskNotFinished(CeleriacError):
    """The task has not finished, and the request needs one that has."""


class LogsUnavailable(CeleriacError):
    """There is no log to read: the attempt never started, or its pod is gone."""


class TaskFailed(CeleriacError):
    """The task finished without success."""

    def __init__(self, message: str, task: Task) -> None:
        super().__init__(message)
        self.task = task
        """The task as it was when it had finished."""

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The last attempts, oldest first, each with its failure, exit code and message."""
        return self.task.status.attempts

    @property
    def failure(self) -> str | None:
        """The class of the last failure, such as ``AppError`` or ``OOMKilled``."""
        return self.task.outcome

    @property
    def exit_code(self) -> int | None:
        """The exit code of the last attempt's process, where it had one."""
        return self.attempts[-1].exit_code if self.attempts else None


class ResultInvalid(TaskFailed):
    """The process succeeded, but its result is too large, does not fit ``resultSchema``, or was lost with its pod."""


class TaskCancelled(CeleriacError):
    """The task was cancelled."""

    def __init__(self, message: str, task: Task) -> None:
        super().__init__(message)
        self.task = task
        """The task as it was when it had finished."""


class TaskExpired(CeleriacError):
    """The task did not start within its ``queueSeconds``."""

    def __init__(self, message: str, task: Task) -> None:
        super().__init__(message)
        self.task = task
        """The task as it was when it had finished."""


class TimeoutError(CeleriacError, builtins.TimeoutError):
    """The time that the caller gave has passed. The task itself goes on."""
