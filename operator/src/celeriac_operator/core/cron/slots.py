"""What becomes of the slots that are due, in order: recorded, missed, held back, or run. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from celeriac_operator.core import names
from celeriac_operator.core.cron.backlog import MOST_COUNTED
from celeriac_operator.core.cron.facts import Run
from celeriac_operator.core.cron.history import beyond_history
from celeriac_operator.core.cron.plan import CancelRun, CreateRun, CronPlan, Outcome
from celeriac_operator.core.cron.status import compose, lasting_trouble, unless_known
from celeriac_operator.core.cron.view import CronView
from celeriac_operator.core.plan import Event


def record_run(view: CronView) -> CronPlan | None:
    """The slot's Task exists, and the status does not say so yet: its creator may have died in between."""
    run = _unrecorded(view)
    if run is None or run.slot is None or (view.slot is not None and view.slot < run.slot):
        return None  # an older slot is to be run first
    last = run.slot - timedelta(seconds=1)
    before = 0 if view.unwanted else view.calendar.count(view.fence, last, MOST_COUNTED)
    status = compose(view, None, last_schedule_time=run.slot, decided_time=run.slot, missed=before)
    return CronPlan(status=status, passed=(Outcome.MISSED, before) if before else None)


def _unrecorded(view: CronView) -> Run | None:
    """The oldest run after the fence. A slot of the future is none: somebody has made a Task of such a name."""
    runs = (run for run in view.world.runs if run.slot is not None and view.fence < run.slot <= view.now)
    return min(runs, key=lambda run: (run.slot, run.name), default=None)


def missed(view: CronView) -> CronPlan | None:
    """Slots that nobody could run at their time, and that catchUp does not make up for."""
    backlog = view.backlog
    if backlog.missed_until is None:
        return None
    trouble = lasting_trouble(view)
    status = compose(view, trouble, decided_time=backlog.missed_until, missed=backlog.missed)
    count = f"{backlog.missed:,}{' or more' if backlog.missed == MOST_COUNTED else ''}"
    why = f"the API server refused them ({trouble.reason})" if trouble else "nothing could start them at their time"
    message = (
        f"Missed {count} run(s) up to {_text(backlog.missed_until)}: {why}, "
        f"and catchUp {view.policy.catch_up} does not make up for them"
    )
    event = Event("Warning", names.MISSED_RUNS_EVENT, message)
    return CronPlan(status=status, events=(event,), passed=(Outcome.MISSED, backlog.missed))


def refused(view: CronView) -> CronPlan | None:
    """The API server would not have the last run: try again after a while, or when the spec has changed."""
    refusal = view.world.refusal
    if view.slot is None or refusal is None or view.now >= refusal.retry_at:
        return None
    return _waits(view, refusal.retry_at)


def forbidden(view: CronView) -> CronPlan | None:
    """concurrencyPolicy Forbid: the slot is missed."""
    if view.slot is None or view.policy.concurrency != "Forbid" or not view.in_the_way:
        return None
    status = compose(view, lasting_trouble(view), decided_time=view.slot, missed=1)
    why = f"{view.in_the_way[0].name} has not finished, and concurrencyPolicy is Forbid"
    event = Event("Warning", names.RUN_SKIPPED_EVENT, f"Skipped the run of {_text(view.slot)}: {why}")
    return CronPlan(status=status, events=(event,), passed=(Outcome.SKIPPED, 1))


def replaced(view: CronView) -> CronPlan | None:
    """concurrencyPolicy Replace: cancel what runs; the slot starts when that has ended, so that they never overlap."""
    if view.slot is None or view.policy.concurrency != "Replace":
        return None
    running = tuple(CancelRun(run.name, run.uid) for run in view.in_the_way if not run.cancelling)
    if not running:
        return None
    message = f"Cancelled {', '.join(run.name for run in running)}: the run of {_text(view.slot)} takes its place"
    plan = _waits(view)
    return CronPlan(
        status=plan.status,
        cancel=running,
        events=(Event("Normal", names.REPLACED_EVENT, message),),
        delete=plan.delete,
        look_again=plan.look_again,
    )


def waits_for_another(view: CronView) -> CronPlan | None:
    """concurrencyPolicy Queue, or Replace after the cancellation: the end of the run wakes this CronTask."""
    waits = view.slot is not None and view.policy.concurrency in ("Queue", "Replace") and bool(view.in_the_way)
    return _waits(view) if waits else None


def start_run(view: CronView) -> CronPlan | None:
    """Nothing in the way: create the slot's Task. The status is written once it exists."""
    return CronPlan(create=CreateRun(view.slot, view.due(view.slot))) if view.slot is not None else None


def up_to_date(view: CronView) -> CronPlan:
    """Nothing is due."""
    return _waits(view)


def _waits(view: CronView, until: datetime | None = None) -> CronPlan:
    """Show what runs, tidy up, and look again when the next slot is due, or at that time."""
    upcoming = view.backlog.next
    moments = (until, view.due(upcoming) if upcoming is not None else None)
    plan = unless_known(view, compose(view, lasting_trouble(view)))
    look_again = min((moment for moment in moments if moment is not None), default=None)
    return CronPlan(status=plan.status, delete=beyond_history(view), look_again=look_again)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
