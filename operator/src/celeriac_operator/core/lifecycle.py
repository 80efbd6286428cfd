"""The end of a Task object: once finished it is kept for its TTL, then removed. Pure."""

from __future__ import annotations

from celeriac_operator.core.clocks import after
from celeriac_operator.core.plan import DeletePod, DeleteTask, Plan
from celeriac_operator.core.view import View


def being_deleted(view: View) -> Plan | None:
    """The API server removes it, and its Jobs with it (owner references): nothing is left to do."""
    return Plan() if view.task.deleting else None


def already_finished(view: View) -> Plan | None:
    """A terminal condition never changes again. Pods that turn up now are stopped; the TTL removes the Task."""
    if not view.task.finished:
        return None
    task, accepted = view.task, view.accepted
    kept = task.spec.ttl_seconds_after_finished
    if kept is None:
        kept = accepted.effective.ttl_seconds_after_finished if accepted else 3600
    ends = after(task.status.finish_time or task.created, kept)
    if ends is not None and view.now >= ends:
        return Plan(delete=(DeleteTask(),))
    return Plan(delete=tuple(DeletePod(pod.name, pod.uid) for pod in view.world.strays), look_again=ends)
