"""Events of tasks, which are their history and outlive them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from celeriac.api.v1alpha1.model import ApiModel

DELETED = "Deleted"
"""Reason of the last event of a Task that was deleted before it had finished."""


class TaskEvent(ApiModel):
    """One change of a task, published to ``celeriac.events.<namespace>.<task>.<what>``.

    ``what`` is the phase that began (``Queued``, ``Running``, ``Retrying``, ``Succeeded`` …), or ``Progress``.
    """

    time: AwareDatetime
    """When it happened."""
    task_uid: str | None = None
    """The Task; None where there is none yet."""
    phase: str
    """The phase that it is in."""
    reason: str = ""
    """Why, one CamelCase word."""
    message: Annotated[str, Field(max_length=8192)] = ""
    """Why, a sentence."""
    attempt: int | None = None
    """The attempt that it is about."""
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    """How far the task says it is; of Progress only."""
