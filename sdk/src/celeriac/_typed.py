# ruff: noqa: ASYNC109 -- it is the twin of a handle's get
"""Results as the type that a function is annotated to return."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from typing_extensions import TypeVar

from celeriac import errors
from celeriac._async_client import AsyncTaskHandle
from celeriac._task import Task
from celeriac.api.v1alpha1 import TaskSpec, TaskStatus

R = TypeVar("R", default=Any)
"""What a task returns; of one that is no function of this program, Any."""

Parse = Callable[[Any], R]
"""From JSON to what the function returns; raises ValueError, with a text that names no value, where it is not that."""


async def parsed(handle: AsyncTaskHandle, parse: Parse[R] | None, timeout: float | None) -> R:
    """What the task returned, as its function's type. Raises what ``get`` raises, and ResultInvalid."""
    value = await handle.get(timeout)
    if parse is None:
        return cast("R", value)  # which is Any then
    try:
        return parse(value)
    except ValueError as error:
        raise result_invalid(str(error), await _task_of(handle)) from None


def result_invalid(why: str, task: Task) -> errors.ResultInvalid:
    """The error for a result that another version of the function must have written."""
    return errors.ResultInvalid(
        f"Task {task.namespace}/{task.name} succeeded, but what it returned is not what its function is annotated to "
        f"return here: {why}. Do the program that submits and the task's image have the same version of the function?",
        task,
    )


async def _task_of(handle: AsyncTaskHandle) -> Task:
    """The task, or as much of it as is known where it has gone."""
    try:
        return await handle.status()
    except errors.CeleriacError:
        bare = {"name": handle.name, "namespace": handle.namespace, "uid": handle.uid or ""}
        return Task(
            **bare,
            spec=TaskSpec(),
            status=TaskStatus(),
            labels={},
            annotations={},
            created=datetime.now(UTC),
            manifest={},
        )
