"""What happens to a Task, all of it: the first rule that has an answer decides. Pure.

Read the tuple from top to bottom and you know the product. The order is meaning: what a process achieved comes before
what was wished meanwhile, an attempt under way before the start of another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from celeriac_operator.core.ending import attempt_failed, attempt_lingers, attempt_succeeded, attempt_unreachable
from celeriac_operator.core.facts import World
from celeriac_operator.core.lifecycle import already_finished, being_deleted
from celeriac_operator.core.plan import CreateRevision, Plan
from celeriac_operator.core.recording import held_back, with_notice, with_records
from celeriac_operator.core.slot import standing, wait_for_slot
from celeriac_operator.core.starting import start_attempt
from celeriac_operator.core.stopping import attempt_to_stop
from celeriac_operator.core.task_record import cancel_requested, record_unknown, recorded_already
from celeriac_operator.core.view import View
from celeriac_operator.core.waiting import (
    attempt_under_way,
    backing_off,
    before_start_time,
    definition_missing,
    job_refused,
    no_longer_wanted,
    params_refused,
    suspended,
    too_late,
)
from celeriac_operator.core.warm.assigning import assign, not_claimed
from celeriac_operator.core.warm.holding import forbidden_first, told_by_another, with_held
from celeriac_operator.core.warm.waiting import wait_for_worker

Rule = Callable[[View], Plan | None]

RULES: tuple[Rule, ...] = (
    being_deleted,  # the API server removes it and its Jobs: nothing to do
    already_finished,  # terminal, for ever: kept for its TTL, then deleted
    recorded_already,  # NATS has the outcome of this name: so it ends
    held_back,  # the outcome is settled, and its end waited for NATS: finish
    cancel_requested,  # a client asked by a record: set spec.cancel
    told_by_another,  # a process of the operator that is no more has told a waiting pod: it is that pod's
    not_claimed,  # a waiting pod was told of it: tell it again, or take it back
    attempt_succeeded,  # a success wins, over cancel and deadlines too: record the result
    attempt_lingers,  # its function has failed, its process goes on: no other attempt beside it
    attempt_failed,  # classify, then retry or finish
    attempt_unreachable,  # it was stopped and its node never answered: finish without it
    attempt_to_stop,  # cancelled, past a deadline, or hopeless: record the verdict, then stop the pod
    attempt_under_way,  # starting or running: report, and wait for its next deadline
    no_longer_wanted,  # cancelled while nothing runs
    too_late,  # totalSeconds or queueSeconds passed while nothing runs
    definition_missing,  # wait for the TaskDefinition
    params_refused,  # the schema says no: failed, at once
    suspended,  # no new attempt
    before_start_time,  # the ETA is not reached
    backing_off,  # between two attempts
    job_refused,  # a full quota is waited for; an impossible pod fails
    record_unknown,  # NATS does not answer: has this name run before?
    wait_for_slot,  # the queue is full, held or too fast
    wait_for_worker,  # workers are all busy: one of them takes it later
    assign,  # a pod waits for such a task: it is that pod's
    start_attempt,  # nothing in the way: create the Job
)


def decide(world: World, now: datetime) -> Plan:
    """The plan for one Task.

    Args:
        world: one frozen snapshot.
        now: an aware datetime.
    """
    view = View(world, now)
    for rule in RULES:
        plan = rule(view)
        if plan is not None:
            plan = forbidden_first(view, plan)
            plan = with_held(view, with_notice(view, with_records(view, plan)))
            plan = replace(plan, standing=standing(view, plan, waits_for_slot=rule is wait_for_slot))
            return _with_revision(view, plan)
    return Plan()


def _with_revision(view: View, plan: Plan) -> Plan:
    """The content that a status or a Job names is kept before they name it, once for each generation.

    What was refused is not tried again with the status that says so.
    """
    revision = view.revision
    names_it = (plan.status is not None and plan.status.definition is not None) or bool(plan.create)
    refused = view.world.refusal is not None and not plan.create
    if revision is None or revision.stored or not names_it or refused:
        return plan
    return replace(plan, create=(CreateRevision(revision), *plan.create))
