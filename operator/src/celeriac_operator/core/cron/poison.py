"""A CronTask that makes the operator itself fail: said in its status, so that others go on. Pure."""

from __future__ import annotations

from datetime import datetime

from celeriac.api.v1alpha1 import Condition, CronTaskStatus, Failure
from celeriac_operator.core import names
from celeriac_operator.core.conditions import Truth, whole_second
from celeriac_operator.core.cron.facts import CronFacts
from celeriac_operator.core.text import cut


def poisoned(cron: CronFacts, error: str, now: datetime) -> CronTaskStatus:
    """The status of such a CronTask; what was recorded before stays."""
    message = f"The operator cannot handle this CronTask: {cut(error, 800)}. Change it, and report the message"
    wanted: tuple[tuple[str, Truth], ...] = ((names.ACCEPTED, "False"), (names.STALLED, "True"))
    conditions = tuple(_condition(cron, type_, truth, message, now) for type_, truth in wanted)
    return cron.status.model_copy(update={"observed_generation": cron.generation, "conditions": conditions})


def _condition(cron: CronFacts, type_: str, truth: Truth, message: str, now: datetime) -> Condition:
    old = cron.status.condition(type_)
    if old is not None and old.reason == Failure.INTERNAL_ERROR and old.observed_generation == cron.generation:
        return old
    return Condition(
        type=type_,
        status=truth,
        reason=Failure.INTERNAL_ERROR,
        message=message,
        last_transition_time=whole_second(now),
        observed_generation=cron.generation,
    )
