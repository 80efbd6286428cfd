"""A Task that may start is given to a pod that waits; until that has claimed it, it can be taken back. Pure.

The status names the pod before it is told, or soon after (``holding.py``). So after a restart the same is decided, and
told again, which changes nothing: the pod claims an attempt once. To take it back is a write to the claim's key, and of
the two one is first.

An attempt whose status names the pod that its key was revoked for is taken back. So no pod is told to claim against
its own revocation: before it gets the attempt once more neither of the two names it.
"""

from __future__ import annotations

from datetime import timedelta

from celeriac.api.v1alpha1 import Attempt, Phase
from celeriac_operator.core import names
from celeriac_operator.core.conditions import whole_second
from celeriac_operator.core.plan import Assign, Plan, RevokeClaim
from celeriac_operator.core.status import Saying, compose
from celeriac_operator.core.stopping import VERDICTS
from celeriac_operator.core.view import View
from celeriac_operator.core.warm.holding import NOBODY, may_be_held

CLAIM_SECONDS = 5
"""A pod that waits claims what it is told of in milliseconds."""
TELL_AGAIN_SECONDS = 1


def assign(view: View) -> Plan | None:
    """A pod waits for such a Task: it is bound to it, and then told."""
    accepted, pod = view.accepted, view.world.waiting_pod
    if accepted is None or pod is None or view.revision is None or view.world.queue.kueue_queue_name is not None:
        return None
    claim = view.world.records.claim
    if claim is not None and claim.revoked and claim.pod_uid == pod.uid:
        return _name_it_no_more(view)
    attempt = Attempt(
        number=view.next_number,
        job_name=pod.job_name,
        pod_name=pod.name,
        pod_uid=pod.uid,
        node_name=pod.node,
        create_time=whole_second(view.now),
    )
    saying = Saying(Phase.STARTING, names.ASSIGNED, f"Attempt {attempt.number} is assigned to waiting pod {pod.name}")
    return Plan(
        status=compose(view, saying, attempt=attempt),
        assign=Assign(attempt.number, pod.uid, view.claim_revision, accepted),
        hold=may_be_held(view),
        look_again=view.soon(TELL_AGAIN_SECONDS),
    )


def _name_it_no_more(view: View) -> Plan:
    """The status first: while it names the pod, a key that names nobody would tell that it may claim the attempt."""
    if view.withdrawn:
        message = f"Waiting: attempt {view.next_number} was taken back from a waiting pod, and is assigned anew"
        return Plan(status=compose(view, Saying(Phase.QUEUED, names.QUEUED, message)))
    return Plan(record=(RevokeClaim(view.next_number, NOBODY, view.claim_revision, view.now),))


def not_claimed(view: View) -> Plan | None:
    """Its pod was told, and has not claimed it: tell it again, or take it back."""
    attempt, accepted = view.recorded, view.accepted
    if attempt is None or accepted is None or attempt.pod_uid is None or not view.unclaimed:
        return None
    if view.world.records.bus != "Up":
        return None  # it may run it: nobody else can be told
    if _hopeless(view, attempt):
        return Plan(record=(RevokeClaim(attempt.number, attempt.pod_uid, view.claim_revision, view.now),))
    again = Assign(attempt.number, attempt.pod_uid, view.claim_revision, accepted, again=True)
    return Plan(assign=again, look_again=view.soon(TELL_AGAIN_SECONDS))


def _hopeless(view: View, attempt: Attempt) -> bool:
    """The pod cannot claim it any more, has had its time, or the attempt is not wanted."""
    pod = view.world.pod
    if pod is None or pod.ended or pod.deleted_at is not None or not view.world.heard or attempt.failure is not None:
        return True
    late = view.now >= (attempt.create_time or view.now) + timedelta(seconds=CLAIM_SECONDS)
    return late or any(check(view) is not None for check in VERDICTS)
