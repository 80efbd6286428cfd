"""The status of a quick task is written once: what a first write would say, its pod's claim says meanwhile. Pure.

A Task that this process has made of a message, and that no other has worked on, is told to its pod at once; the status
that names the pod is held for a second, and is never written where the task has ended by then. Whoever takes such
a Task up after this process is gone does not know whether a pod was told. So he forbids it, before he starts the Task
or ends it, by a write to the claim's key against no revision: of that and of a claim one is first, and a claim is
followed.

Only a release that holds knows to do so, and that something is under the key of a Task without attempts. A leader that
is stopped, or gives its work away, writes what it holds before, so that the next one may be of any.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from celeriac.api.v1alpha1 import Attempt, Phase
from celeriac_operator.core import names
from celeriac_operator.core.clocks import earliest
from celeriac_operator.core.conditions import whole_second
from celeriac_operator.core.plan import Plan, RevokeClaim
from celeriac_operator.core.records import Claim
from celeriac_operator.core.status import Saying, compose
from celeriac_operator.core.task_record import LOOK_AGAIN_SECONDS
from celeriac_operator.core.view import View
from celeriac_operator.core.waiting import SAY_AFTER_SECONDS, waits

HOLD_SECONDS = SAY_AFTER_SECONDS
"""By then it tells that the attempt runs, if it does: so there is one write more, and not two."""
NOBODY = ""
"""Uid of a pod that is not known."""


def may_be_held(view: View) -> bool:
    """Whether the status that names the pod may come after the pod was told: the first may, who claims against nothing.

    So whoever finds something under the claim's key, and no claim, knows that nobody is left who could claim.
    """
    records = view.world.records
    return records.made_here and records.bus == "Up" and view.next_number == 1 and records.claim is None


def with_held(view: View, plan: Plan) -> Plan:
    """The plan with the status that was held, once its time has come."""
    held = view.task.held
    if held is None or plan.status is not None:
        return plan
    if view.recorded is None:  # its pod will never run the attempt: what is stored is so
        return replace(plan, status=held.stored)
    due = held.since + timedelta(seconds=HOLD_SECONDS)
    if view.now < due:
        return replace(plan, look_again=earliest(due, plan.look_again))
    return replace(plan, status=view.task.status)


def told_by_another(view: View) -> Plan | None:
    """A pod was told of the first attempt by a process that is gone, and has claimed it: it is that pod's."""
    claim = view.world.records.claim
    return _followed(view, claim) if view.world.inherited and claim is not None and not claim.revoked else None


def forbidden_first(view: View, plan: Plan) -> Plan:
    """The plan; what starts or ends the Task comes after a pod that may have been told can claim it no more.

    A Task that only waits has nothing written for it: there may be thousands of them when another process takes over.
    """
    if not view.world.inherited or view.world.records.claim is not None or not (plan.starts or plan.ends):
        return plan
    if view.world.records.bus == "Up":
        return Plan(record=(RevokeClaim(1, NOBODY, 0, view.now),))
    message = "Waiting: NATS does not answer, and only it can say whether a waiting pod runs this task already"
    return waits(view, Saying(Phase.QUEUED, names.BUS_UNAVAILABLE, message), until=view.soon(LOOK_AGAIN_SECONDS))


def _followed(view: View, claim: Claim) -> Plan:
    """The attempt is that pod's, also where the pod is gone."""
    pod = view.world.pod
    attempt = Attempt(
        number=1,
        job_name=pod.job_name if pod is not None else f"{view.task.spec.definition_name}-w-gone",
        pod_name=pod.name if pod is not None else None,
        pod_uid=claim.pod_uid,
        node_name=pod.node if pod is not None else None,
        create_time=whole_second(min(claim.time, view.now)),
    )
    which = attempt.pod_name or "that is gone"
    saying = Saying(Phase.STARTING, names.ASSIGNED, f"Attempt 1 was claimed by a waiting pod, {which}")
    return Plan(status=compose(view, saying, attempt=attempt))
