"""The policy that a task would run under on a cluster: the call's, else its TaskDefinition's, else the built-in one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from celeriac.api.v1alpha1 import Effective, TaskSpec
from celeriac.api.v1alpha1.policy import Deadlines
from celeriac.app.function import TaskFunction
from celeriac.app.retry import with_final_rule
from celeriac.testing.work import Policy


def policy_of(spec: TaskSpec, task: TaskFunction[..., Any, Any]) -> Policy:
    """The policy, field by field."""
    retries = [retry for retry in (spec.retry, with_final_rule(task.settings.get("retry"))) if retry is not None]
    built_in = Effective().retry
    backoffs = [retry.backoff for retry in retries if retry.backoff is not None]
    return Policy(
        max_attempts=_first((retry.max_attempts for retry in retries), built_in.max_attempts),
        initial_seconds=_first((each.initial_seconds for each in backoffs), built_in.backoff.initial_seconds),
        multiplier=_first((each.multiplier_percent for each in backoffs), built_in.backoff.multiplier_percent) / 100,
        max_seconds=_first((each.max_seconds for each in backoffs), built_in.backoff.max_seconds),
        queue_seconds=_seconds("queue_seconds", spec.deadlines, task),
        run_seconds=_seconds("run_seconds", spec.deadlines, task),
        rules=next((retry.rules for retry in retries if retry.rules is not None), ()),
    )


def _first(values: Iterator[int | None], otherwise: int) -> int:
    return next((value for value in values if value is not None), otherwise)


def _seconds(name: str, deadlines: Deadlines | None, task: TaskFunction[..., Any, Any]) -> int | None:
    given: int | None = getattr(deadlines, name) if deadlines is not None else None
    declared: Any = task.settings.get(name)
    return given if given is not None else declared
