"""Celeriac: a task queue whose worker pool is Kubernetes.

Names are imported when they are first used, so that ``import celeriac`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac import errors, testing
    from celeriac._async_client import AsyncClient, AsyncSubmission, AsyncTaskHandle
    from celeriac._backfill import BackfillRun
    from celeriac._client import Client, SyncSubmission, TaskHandle
    from celeriac._cron_task import CronTask
    from celeriac._explain import Explanation
    from celeriac._phase import Phase
    from celeriac._policy import Backoff, Deadlines, Resources, Retry, RetryRule
    from celeriac._queue import Queue
    from celeriac._request import TaskOptions, TaskRequest
    from celeriac._task import Task
    from celeriac.api.v1alpha1 import (
        Attempt,
        CronTaskSpec,
        CronTaskStatus,
        ExitCodes,
        Failure,
        TaskSpec,
        TaskStatus,
    )
    from celeriac.api.v1alpha1.container import EnvVarSource, KeySelector
    from celeriac.api.v1alpha1.definition import PodOptions
    from celeriac.app.application import App
    from celeriac.app.context import Context
    from celeriac.app.function import TaskCall, TaskFunction
    from celeriac.app.interruptions import CancelRequested, SoftDeadlineExceeded, TaskInterrupted
    from celeriac.app.options import CallOptions, TaskSettings
    from celeriac.app.signature import BadSignature
    from celeriac.errors import (
        AlreadyExists,
        CeleriacError,
        ConnectionFailed,
        CronTaskNotFound,
        Forbidden,
        InlineContainerDenied,
        InvalidParams,
        InvalidTask,
        LogsUnavailable,
        NotInstalled,
        QueueFull,
        RequestRejected,
        ResultInvalid,
        TaskCancelled,
        TaskExpired,
        TaskFailed,
        TaskNotFinished,
        TaskNotFound,
        TimeoutError,
        UnknownDefinition,
        UnknownQueue,
    )

__all__ = [
    "AlreadyExists",
    "App",
    "AsyncClient",
    "AsyncSubmission",
    "AsyncTaskHandle",
    "Attempt",
    "BackfillRun",
    "Backoff",
    "BadSignature",
    "CallOptions",
    "CancelRequested",
    "CeleriacError",
    "Client",
    "ConnectionFailed",
    "Context",
    "CronTask",
    "CronTaskNotFound",
    "CronTaskSpec",
    "CronTaskStatus",
    "Deadlines",
    "EnvVarSource",
    "ExitCodes",
    "Explanation",
    "Failure",
    "Forbidden",
    "InlineContainerDenied",
    "InvalidParams",
    "InvalidTask",
    "KeySelector",
    "LogsUnavailable",
    "NotInstalled",
    "Phase",
    "PodOptions",
    "Queue",
    "QueueFull",
    "RequestRejected",
    "Resources",
    "ResultInvalid",
    "Retry",
    "RetryRule",
    "SoftDeadlineExceeded",
    "SyncSubmission",
    "Task",
    "TaskCall",
    "TaskCancelled",
    "TaskExpired",
    "TaskFailed",
    "TaskFunction",
    "TaskHandle",
    "TaskInterrupted",
    "TaskNotFinished",
    "TaskNotFound",
    "TaskOptions",
    "TaskRequest",
    "TaskSettings",
    "TaskSpec",
    "TaskStatus",
    "TimeoutError",
    "UnknownDefinition",
    "UnknownQueue",
    "errors",
    "testing",
]

_HOMES = {
    "celeriac._async_client": ("AsyncClient", "AsyncSubmission", "AsyncTaskHandle"),
    "celeriac._backfill": ("BackfillRun",),
    "celeriac._client": ("Client", "SyncSubmission", "TaskHandle"),
    "celeriac._cron_task": ("CronTask",),
    "celeriac._explain": ("Explanation",),
    "celeriac._phase": ("Phase",),
    "celeriac._policy": ("Backoff", "Deadlines", "Resources", "Retry", "RetryRule"),
    "celeriac._queue": ("Queue",),
    "celeriac._request": ("TaskOptions", "TaskRequest"),
    "celeriac._task": ("Task",),
    "celeriac.api.v1alpha1.container": ("EnvVarSource", "KeySelector"),
    "celeriac.api.v1alpha1.definition": ("PodOptions",),
    "celeriac.app.application": ("App",),
    "celeriac.app.context": ("Context",),
    "celeriac.app.function": ("TaskCall", "TaskFunction"),
    "celeriac.app.interruptions": ("CancelRequested", "SoftDeadlineExceeded", "TaskInterrupted"),
    "celeriac.app.options": ("CallOptions", "TaskSettings"),
    "celeriac.app.signature": ("BadSignature",),
    "celeriac.api.v1alpha1": (
        *("Attempt", "CronTaskSpec", "CronTaskStatus", "ExitCodes", "Failure", "TaskSpec", "TaskStatus"),
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name from its home when it is first asked for."""
    if name in ("errors", "testing"):
        return import_module(f"celeriac.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'celeriac' has no attribute {name!r}")
    value = getattr(import_module(_HOME.get(name, "celeriac.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
