"""A CronTask that is deleted, cannot be read as a calendar, changes its calendar, or is suspended. Pure."""

from __future__ import annotations

from datetime import datetime

from celeriac.cron.errors import CalendarError
from celeriac_operator.core.conditions import whole_second
from celeriac_operator.core.cron.history import beyond_history
from celeriac_operator.core.cron.plan import CronPlan
from celeriac_operator.core.cron.status import Trouble, compose, lasting_trouble, unless_known
from celeriac_operator.core.cron.view import CronView


def being_deleted(view: CronView) -> CronPlan | None:
    """The API server removes its runs too (owner references): nothing is left to do."""
    return CronPlan() if view.cron.deleting else None


def calendar_refused(view: CronView) -> CronPlan | None:
    """No such schedule or time zone: say so, and wait for another spec. Its times stay for the calendar that it had."""
    if not isinstance(view.found, CalendarError):
        return None
    problem = Trouble(view.found.reason, str(view.found))
    return unless_known(view, compose(view, problem, observed_schedule=view.cron.status.observed_schedule or ""))


def calendar_changed(view: CronView) -> CronPlan | None:
    """Another calendar counts from now on: its slots of the past are none."""
    if not view.calendar_changed:
        return None
    return CronPlan(status=compose(view, None, decided_time=_now_at_the_least(view)))


def suspended(view: CronView) -> CronPlan | None:
    """Nothing starts; the runs go on and are shown, and the history is kept short."""
    if not view.cron.spec.suspend:
        return None
    plan = unless_known(view, compose(view, lasting_trouble(view)))
    return CronPlan(status=plan.status, delete=beyond_history(view))


def resumed(view: CronView) -> CronPlan | None:
    """A suspension is made up for if catchUp says so; otherwise its slots were not wanted, and are not missed."""
    if not view.unwanted:
        return None
    return CronPlan(status=compose(view, lasting_trouble(view), decided_time=_now_at_the_least(view)))


def _now_at_the_least(view: CronView) -> datetime:
    """Never before what is decided already, wherever the clock jumps."""
    return max(view.fence, whole_second(view.now))
