"""What a plan has to record in NATS before it writes its status, and what happens while that cannot be. Pure.

A Task that came by message needs its records: it waits, and the status says so. Nothing is lost meanwhile: how its last
attempt ended is written down as the condition Succeeded, and only Finished waits. Any other Task goes on without.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from celeriac.api.v1alpha1 import Attempt, Failure, Phase, TaskStatus
from celeriac.wire.records import StopNotice
from celeriac_operator.core import names
from celeriac_operator.core.attempt_record import verdict
from celeriac_operator.core.clocks import earliest
from celeriac_operator.core.conditions import condition_since
from celeriac_operator.core.plan import (
    DeletePod,
    DeleteTask,
    Plan,
    Record,
    RecordAttempt,
    RecordTask,
    StopAttempt,
    TellRunner,
)
from celeriac_operator.core.status import Saying, compose
from celeriac_operator.core.task_record import LOOK_AGAIN_SECONDS, decided_already, phase_of, record_of, stands
from celeriac_operator.core.view import View
from celeriac_operator.core.waiting import said

_HELD_BACK = "NATS does not answer, and the end is recorded there first. How it ended: "


def with_records(view: View, plan: Plan) -> Plan:
    """The plan with its records; or, while they cannot be written, what is done until they can."""
    bus = view.world.records.bus
    wanted = (*_of_attempt(view, plan), *_of_task(view, plan)) if bus != "Off" else ()
    if not wanted or bus == "Up":
        return replace(plan, record=(*plan.record, *wanted))
    return plan if bus == "Down" and view.task.submission is None else _until_it_answers(view, plan)


def with_notice(view: View, plan: Plan) -> Plan:
    """The plan with a word to the runner that is stopped: a verdict would reach it too, and forbid a late success."""
    attempts = (plan.status or view.task.status).attempts
    attempt = next((each for each in attempts if each.number == _number(view) and each.finish_time is None), None)
    if attempt is None or attempt.failure is None or not view.has_runner or view.world.records.bus != "Up":
        return plan
    cancel = view.task.spec.cancel if attempt.failure is Failure.CANCELLED else None
    why = (cancel.reason if cancel is not None else "") or attempt.message or ""
    first = TellRunner(attempt.number, StopNotice(failure=attempt.failure, message=why))
    stops = (replace(each, first=first) if isinstance(each, DeletePod | StopAttempt) else each for each in plan.delete)
    return replace(plan, delete=tuple(stops))


def _of_attempt(view: View, plan: Plan) -> Iterable[Record]:
    """The operator's verdict, where it closes a runner's attempt that nobody has decided yet."""
    attempt = _closed_by(view, plan)
    if attempt is None or plan.status is None or not view.has_runner or view.world.records.attempt is not None:
        return
    record = verdict(view.task.uid, attempt, plan.status.result)
    if record is not None:
        yield RecordAttempt(record)


def _closed_by(view: View, plan: Plan) -> Attempt | None:
    """The attempt under way, if the plan records its end."""
    number = _number(view)
    attempts = plan.status.attempts if plan.status is not None else ()
    return next((each for each in attempts if each.number == number and each.finish_time is not None), None)


def _number(view: View) -> int | None:
    return view.recorded.number if view.recorded is not None else None


def _of_task(view: View, plan: Plan) -> Iterable[Record]:
    """The record of a Task that ends, or is to be deleted without one: another may have finished it."""
    task, known, retention = view.task, view.world.records.task, view.world.records.retention
    ends = DeleteTask() in plan.delete
    status = task.status if ends else plan.status
    if task.submission is None or status is None or (known is not None and stands(known, task)):
        return
    record = record_of(task, status, retention)
    if record is not None and record.expire_time > view.now:
        yield RecordTask(record)


def _until_it_answers(view: View, plan: Plan) -> Plan:
    """Nothing is written that the records would have to come before."""
    again = view.soon(LOOK_AGAIN_SECONDS)
    if DeleteTask() in plan.delete:
        return Plan(look_again=again)
    if decided_already(view.task.status):
        return Plan(look_again=again)
    attempt = _closed_by(view, plan)
    if attempt is None:
        return said(view, _waits(view, "The task is over"), until=again)
    if any(_of_attempt(view, plan)):
        return said(view, _waits(view, f"Attempt {attempt.number} is over"), until=again)
    held = _held_back(view, plan.status) if plan.status is not None else None
    return replace(plan, status=held, look_again=earliest(again, plan.look_again))


def _waits(view: View, what: str) -> Saying:
    full = view.world.records.bus == "Full"
    until = "NATS has room for its record: it takes none now" if full else "NATS answers"
    message = f"{what}; its outcome is settled once {until}"
    phase = Phase.QUEUED if view.attempt is None else Phase.RUNNING if view.attempt.start_time else Phase.STARTING
    return Saying(phase, names.BUS_UNAVAILABLE, message)


def _held_back(view: View, status: TaskStatus) -> TaskStatus:
    """The terminal status but for its end."""
    message = f"{_HELD_BACK}{status.message or ''}"
    finished = condition_since(
        view.task.status.conditions,
        names.FINISHED,
        "False",
        names.BUS_UNAVAILABLE,
        "NATS does not answer",
        generation=view.task.generation,
        now=view.now,
    )
    kept = tuple(finished if each.type == names.FINISHED else each for each in status.conditions)
    return status.model_copy(
        update={
            "phase": Phase.RUNNING,
            "reason": names.BUS_UNAVAILABLE,
            "message": message,
            "conditions": kept,
            "finish_time": None,
        }
    )


def held_back(view: View) -> Plan | None:
    """How it ended is in the status, and only its end waits for the record: nothing else is decided any more."""
    old = view.task.status
    succeeded = old.condition(names.SUCCEEDED)
    if succeeded is None or not decided_already(old):
        return None
    message = (old.message or "").removeprefix(_HELD_BACK) or succeeded.message
    saying = Saying(phase_of(succeeded.reason), succeeded.reason, message)
    return Plan(status=compose(view, saying, result=old.result))
