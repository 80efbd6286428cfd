"""An attempt that a waiting pod was told of: it begins with the claim, whatever else is seen of the pod. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from celeriac.api.v1alpha1 import Attempt
from celeriac.wire.names import begin_line
from celeriac_operator.core import names
from celeriac_operator.core.conditions import whole_second
from celeriac_operator.core.facts import PodFacts, TaskFacts, Terminated
from celeriac_operator.core.outcome import Ended, NotStarted, Outcome, Running, Unclear
from celeriac_operator.core.records import BusState, Claim


def is_assigned(attempt: Attempt) -> bool:
    """Whether the attempt was given to a pod that waited, rather than a Job of its own, whose name has its number."""
    return names.attempt_of(attempt.job_name) != attempt.number


def under_way(task: TaskFacts) -> Attempt | None:
    """The attempt that the status says goes on."""
    last = task.status.attempts[-1] if task.status.attempts else None
    return last if last is not None and last.finish_time is None and not task.finished else None


def assigned(task: TaskFacts) -> Attempt | None:
    """The same, if it was given to a pod that waited."""
    attempt = under_way(task)
    return attempt if attempt is not None and is_assigned(attempt) else None


def taken_back(attempt: Attempt, claim: Claim | None) -> bool:
    """Whether its pod will never run it: the attempt has not begun."""
    return claim is not None and claim.revoked and claim.pod_uid == attempt.pod_uid


def claimed(claim: Claim | None) -> bool:
    """Whether a pod runs the attempt, or did."""
    return claim is not None and not claim.revoked


def own_end(pod: PodFacts | None, task_uid: str, attempt: int) -> PodFacts | None:
    """The pod, its last words without what it said before it began with the attempt."""
    if pod is None or not isinstance(pod.container, Terminated):
        return pod
    _, _, own = pod.container.message.rpartition(f"{begin_line(task_uid, attempt)}\n")
    return replace(pod, container=replace(pod.container, message=own))


def of_assigned(attempt: Attempt, claim: Claim | None, found: Outcome, bus: BusState, now: datetime) -> Outcome:
    """What became of it.

    Args:
        found: what is seen of its pod. Before it has claimed the attempt, that is not about the attempt.
    """
    if bus == "Off":  # nobody can tell any more whether it was claimed
        start = attempt.create_time or now
    elif claim is None or claim.revoked:
        return NotStarted()
    else:
        start = whole_second(min(max(claim.time, attempt.create_time or claim.time), now))
    match found:
        case Ended():
            return replace(found, start=start)
        case Unclear():
            return found
        case _:
            return Running(start)
