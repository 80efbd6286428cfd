"""A Task waits for a slot of its queue, and where every Task stands with its queue once a plan is carried out. Pure."""

from __future__ import annotations

from celeriac.api.v1alpha1 import Phase
from celeriac_operator.core import names
from celeriac_operator.core.admission.standing import Asks, Granted, Holds, NotAsked, Standing, Waits
from celeriac_operator.core.clocks import origin
from celeriac_operator.core.plan import Plan
from celeriac_operator.core.quota import never_fits
from celeriac_operator.core.status import Saying
from celeriac_operator.core.view import View
from celeriac_operator.core.waiting import SAY_AFTER_SECONDS, waits


def wait_for_slot(view: View) -> Plan | None:
    """The queue has limits: ask it, and say what keeps the Task waiting."""
    slot = view.world.slot
    if isinstance(slot, NotAsked):
        return Plan(look_again=view.next_deadline(view.soon(SAY_AFTER_SECONDS)))
    if isinstance(slot, Waits):
        return waits(view, Saying(Phase.QUEUED, slot.reason, slot.message))
    return None


def asks(view: View) -> Asks:
    """What the Task asks of its queue. A new priority counts at once; a retry has the age of its Task."""
    spec = view.task.spec
    priority = spec.priority if spec.priority is not None else view.policy.priority
    return Asks(view.queue, priority, origin(view.task), spec.concurrency_key, view.task.labels)


def holds(view: View, plan: Plan) -> bool:
    """An attempt is under way, or begins with the plan, or a quota that is full for now keeps it from beginning."""
    task = view.task
    if task.finished or plan.ends:
        return False
    if task.deleting:
        return _runs_on(view)
    if plan.worker is not None:
        return isinstance(view.world.slot, Granted)  # it keeps the slot of its queue, as a pod does without a node
    if plan.starts:
        return True
    refusal = view.world.refusal
    kept_out = refusal is not None and refusal.reason == names.QUOTA_EXCEEDED and view.world.pod is None
    if kept_out and refusal is not None and never_fits(refusal.message):
        return False  # it would keep the slot for ever
    return _under_way(view, plan) or (kept_out and refusal is not None and view.now < refusal.retry_at)


def _runs_on(view: View) -> bool:
    """A finalizer keeps the Task: it has its slot until its pod has ended. A worker ends nothing but the attempt."""
    pod = view.world.pod
    return pod is not None and not pod.ended and not view.in_worker


def _under_way(view: View, plan: Plan) -> bool:
    """There is an attempt, and the plan does not record its end."""
    if view.recorded is None:
        return False
    recorded = plan.status.attempts if plan.status is not None else ()
    return not any(each.number == view.recorded.number and each.finish_time is not None for each in recorded)


def standing(view: View, plan: Plan, *, waits_for_slot: bool) -> Standing | None:
    """Where the Task stands once the plan is carried out; None: it has no slot and wants none."""
    if holds(view, plan):
        return Holds(view.queue, view.task.spec.concurrency_key, view.task.labels)
    return asks(view) if waits_for_slot else None
