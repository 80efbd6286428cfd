"""CronTasks against what is known to have run of their slots. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from celeriac._cron_task import CronTask
from celeriac.audit.evidence import Evidence
from celeriac.audit.finding import Finding, Weight
from celeriac.cron.calendar import calendar_of
from celeriac.cron.errors import CalendarError
from celeriac.cron.run import slot_of

LATE = timedelta(minutes=5)


def slots_that_ran(evidence: Evidence) -> Iterator[Finding]:
    """A slot has run, and its CronTask does not know and its Task is gone: the CronTask is an older copy."""
    for cron in evidence.crons:
        for slot, name, phase in _run_after(evidence, cron):
            found = f"its run {name} of {_text(slot)} was {phase}, and it knows of none after {_text(_fence(cron))}"
            advice = (
                "whether that slot runs again is catchUp's to say; if none may, set spec.suspend, or catchUp to None"
            )
            yield Finding(Weight.AGAIN, cron.namespace, cron.name, found, f"{advice}, before the operator is started")


def _run_after(evidence: Evidence, cron: CronTask) -> Iterator[tuple[datetime, str, str]]:
    """Slots behind the fence that the history knows and of which there is no Task."""
    for (namespace, name), event in sorted(evidence.bus.events.items()) if evidence.bus is not None else ():
        slot = slot_of(cron.name, name) if namespace == cron.namespace else None
        if slot is not None and _fence(cron) < slot <= evidence.now and (namespace, name) not in evidence.task_of:
            yield slot, name, event.phase


def slots_that_are_due(evidence: Evidence) -> Iterator[Finding]:
    """A slot should have been started or given up long ago."""
    for cron in evidence.crons:
        slot = None if cron.spec.suspend else _next(cron)
        late = LATE + timedelta(seconds=cron.spec.jitter_seconds or 0)
        if slot is not None and slot + late < evidence.now and not cron.status.active:
            found = f"its slot of {_text(slot)} has not started, and nothing says that it was missed"
            advice = (
                "see whether an operator runs (celeriac doctor); it runs or reports what was missed, as catchUp says"
            )
            yield Finding(Weight.NOTE, cron.namespace, cron.name, found, advice)


def _next(cron: CronTask) -> datetime | None:
    try:
        return calendar_of(cron.spec, cron.namespace, cron.name).next(_fence(cron))
    except CalendarError:
        return None


def _fence(cron: CronTask) -> datetime:
    """Slots up to here never run again."""
    known = (cron.status.last_schedule_time, cron.status.decided_time, cron.created)
    return max(moment for moment in known if moment is not None)


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
