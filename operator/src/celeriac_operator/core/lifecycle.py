"""The end of a Task object: once finished it is kept for its TTL, then removed. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from celeriac_operator.core.clocks import after
from celeriac_operator.core.facts import PodFacts
from celeriac_operator.core.plan import DeletePod, DeleteTask, Plan
from celeriac_operator.core.view import View


def being_deleted(view: View) -> Plan | None:
    """The API server removes it, and its Jobs with it (owner references): nothing is left to do."""
    return Plan() if view.task.deleting else None


def already_finished(view: View) -> Plan | None:
    """A terminal condition never changes again. Pods that turn up now are stopped; the TTL removes the Task."""
    if not view.task.finished:
        return None
    task, kept = view.task, view.task.spec.ttl_seconds_after_finished
    if kept is None:
        kept = view.policy.ttl_seconds_after_finished
    ends = after(task.status.finish_time or task.created, kept)
    if ends is not None and view.now >= ends:
        return Plan(delete=(DeleteTask(),))
    return Plan(delete=tuple(DeletePod(pod.name, pod.uid) for pod in _left_over(view)), look_again=ends)


def _left_over(view: View) -> Iterable[PodFacts]:
    """Pods that run on, the one of an attempt that was still open when the operator gave the Task up included."""
    pod = view.world.pod
    if pod is not None and not pod.ended and pod.deleted_at is None:
        yield pod
    yield from view.world.strays
