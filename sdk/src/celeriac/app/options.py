"""What can be said of a task where it is declared, and where it is called, as keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from celeriac._call_options import SharedOptions

if TYPE_CHECKING:  # the runner imports this module, and models take a while to import
    from celeriac._policy import Deadlines, Resources, Retry
    from celeriac.api.v1alpha1.container import EnvVarSource
    from celeriac.api.v1alpha1.definition import PodOptions, WarmOptions, WorkerOptions


class SharedSettings(TypedDict, total=False):
    """What an App says of all its tasks, or a task of itself."""

    image: str | None
    """Image that has the SDK and the function's code. A task without one has no TaskDefinition."""
    env: Mapping[str, str | EnvVarSource] | None
    """Environment variables: plain values, or where in a Secret or ConfigMap the value is."""
    resources: Resources | None
    """Requests and limits of the container."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None
    """When the image is pulled."""
    working_dir: str | None
    """Working directory, instead of the image's."""
    pod: PodOptions | None
    """What the pods may have beyond the defaults: service account, volumes, node selector …"""
    isolation: Literal["Pod", "Warm", "Worker"] | None
    """Pod (default): a new pod for every attempt. Warm, Worker: see TaskDefinition."""
    warm: WarmOptions | None
    """For isolation Warm."""
    worker: WorkerOptions | None
    """For isolation Worker."""
    queue: str | None
    """Queue that the task waits in; goes before the App's routes."""
    priority: int | None
    """Higher runs first, -1000 to 1000."""
    retry: Retry | None
    """How often and after which exceptions the function runs again."""
    soft_run_seconds: float | None
    """After this time SoftDeadlineExceeded is raised in the function."""
    queue_seconds: int | None
    """Seconds from submission, or the start time, to the first start; else the task expires."""
    start_seconds: int | None
    """Seconds that one attempt may take to start."""
    run_seconds: int | None
    """Seconds that one attempt may run."""
    total_seconds: int | None
    """Seconds from submission, or the start time, to the end, retries included."""
    grace_seconds: int | None
    """Seconds from SIGTERM to SIGKILL."""
    ttl_seconds_after_finished: int | None
    """Seconds that the Task is kept once it has finished."""


class TaskSettings(SharedSettings, total=False):
    """The keyword arguments of ``@app.task``."""

    name: str | None
    """Name of the task, which routes go by. Default: ``<app>.<function>``."""
    definition: str | None
    """Name of its TaskDefinition. Default: the function's name, with - for _."""


class CallOptions(SharedOptions, total=False):
    """The keyword arguments of a task's ``options``.

    :class:`celeriac.TaskRequest` says what each of them is, but for ``block`` (wait for room where the queue is full)
    and ``timeout`` (for at most so many seconds; None: for ever), which are of the call and not of the task.
    """

    deadlines: Deadlines | None
    retry: Retry | None
    block: bool
    timeout: float | None


def merged(shared: SharedSettings, own: TaskSettings) -> TaskSettings:
    """A task's settings: its own, and the App's for what they leave open. Raises TypeError: no such setting."""
    settings: dict[str, Any] = {**shared, **{name: value for name, value in own.items() if value is not None}}
    _check_names(settings, TaskSettings, "A task")
    return cast("TaskSettings", settings)


def checked_call(options: CallOptions) -> CallOptions:
    """The options, if all of them exist. Raises TypeError."""
    _check_names(options, CallOptions, "A call")
    return options


def _check_names(given: Mapping[str, Any], known: Any, who: str) -> None:
    unknown = sorted(set(given) - set(known.__annotations__))
    if unknown:
        raise TypeError(f"{who} has no option {', '.join(unknown)}: it has {', '.join(sorted(known.__annotations__))}")
