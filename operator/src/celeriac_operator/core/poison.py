"""The end of a Task that makes the operator itself fail: InternalError after a few tries, so that others go on."""

from __future__ import annotations

from datetime import datetime

from celeriac.api.v1alpha1 import Condition, Failure, Phase, TaskStatus
from celeriac_operator.core import names
from celeriac_operator.core.conditions import Truth, whole_second
from celeriac_operator.core.text import cut

TRIES = 5


def poisoned(status: TaskStatus, error: str, now: datetime) -> TaskStatus:
    """The terminal status of such a Task; what was recorded before stays."""
    message = f"The operator cannot handle this Task: {cut(error, 1000)}. Delete it, and report the message"
    when = whole_second(now)
    wanted: tuple[tuple[str, Truth], ...] = (
        (names.RUNNING, "False"),
        (names.SUCCEEDED, "False"),
        (names.FINISHED, "True"),
        (names.STALLED, "True"),
    )
    conditions = tuple(
        Condition(type=type_, status=truth, reason=Failure.INTERNAL_ERROR, message=message, last_transition_time=when)
        for type_, truth in wanted
    )
    return status.model_copy(
        update={
            "phase": Phase.FAILED,
            "reason": Failure.INTERNAL_ERROR,
            "message": message,
            "conditions": conditions,
            "finish_time": when,
        }
    )
