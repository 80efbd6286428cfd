"""The CronTask's status, composed from facts. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celeriac.api.v1alpha1 import MAX_ACTIVE_SHOWN, ActiveRun, Condition, CronTaskStatus, Failure
from celeriac.cron.errors import CalendarError
from celeriac_operator.core import names
from celeriac_operator.core.conditions import Truth, condition_since
from celeriac_operator.core.cron.plan import CronPlan
from celeriac_operator.core.cron.view import CronView
from celeriac_operator.core.text import cut

_LONGEST_MESSAGE = 1024
_MOST_MISSED = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a person has to see to."""

    reason: str
    message: str


NOT_ACCEPTED = frozenset(
    {names.INVALID_SCHEDULE, names.UNKNOWN_TIME_ZONE, names.INVALID_TEMPLATE, Failure.INTERNAL_ERROR}
)
"""The spec itself is at fault, so that no run can come of it."""
_LASTING = frozenset({names.INVALID_TEMPLATE, names.QUOTA_EXCEEDED, names.REFUSED, names.RUN_NAME_TAKEN})
"""What was said of a run stays true until another is tried."""


def lasting_trouble(view: CronView) -> Trouble | None:
    """What was last said about this very spec, when a run was to be created."""
    refusal, stalled = view.world.refusal, view.cron.status.condition(names.STALLED)
    if refusal is not None:
        return Trouble(refusal.reason, refusal.message)
    if stalled is None or stalled.status != "True" or stalled.reason not in _LASTING:
        return None
    same = stalled.observed_generation == view.cron.generation
    return Trouble(stalled.reason, stalled.message) if same else None


def compose(view: CronView, trouble: Trouble | None, **changes: Any) -> CronTaskStatus:
    """The whole status.

    Args:
        trouble: what a person has to see to.
        changes: fields of the status that a rule has decided upon.
    """
    old = view.cron.status
    return CronTaskStatus(
        observed_generation=view.cron.generation,
        observed_schedule=changes.get("observed_schedule", view.description),
        last_schedule_time=changes.get("last_schedule_time", old.last_schedule_time),
        next_schedule_time=_next(view),
        decided_time=changes.get("decided_time", old.decided_time),
        active=tuple(_active(view)),
        active_count=len(view.unfinished),
        missed_runs=min((old.missed_runs or 0) + changes.get("missed", 0), _MOST_MISSED),
        conditions=tuple(_conditions(view, trouble)),
    )


def unless_known(view: CronView, status: CronTaskStatus) -> CronPlan:
    """Write it, unless the status says just that already."""
    return CronPlan(status=status if status != view.cron.status else None)


def _next(view: CronView) -> datetime | None:
    if view.cron.spec.suspend or isinstance(view.found, CalendarError):
        return None
    return view.calendar.next(view.now) if view.calendar_changed else view.backlog.next


def _active(view: CronView) -> Iterable[ActiveRun]:
    for run in view.unfinished[-MAX_ACTIVE_SHOWN:]:
        yield ActiveRun(name=run.name, uid=run.uid, schedule_time=run.slot)


def _conditions(view: CronView, trouble: Trouble | None) -> Iterable[Condition]:
    refused = trouble is not None and trouble.reason in NOT_ACCEPTED
    suspended = bool(view.cron.spec.suspend)
    yield _condition(view, names.ACCEPTED, "False" if refused else "True", trouble if refused else None)
    why = Trouble(names.SUSPENDED, "spec.suspend is true: set it to false to go on") if suspended else None
    yield _condition(view, names.SUSPENDED, "True" if suspended else "False", why)
    yield _condition(view, names.STALLED, "True" if trouble else "False", trouble)


_PLAIN_REASONS = {names.ACCEPTED: names.ACCEPTED, names.SUSPENDED: "NotSuspended", names.STALLED: "Working"}


def _condition(view: CronView, type_: str, truth: Truth, why: Trouble | None) -> Condition:
    reason = why.reason if why else _PLAIN_REASONS[type_]
    message = cut(why.message, _LONGEST_MESSAGE) if why else ""
    cron = view.cron
    return condition_since(
        cron.status.conditions, type_, truth, reason, message, generation=cron.generation, now=view.now
    )
