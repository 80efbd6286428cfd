"""The end of a Task object: once finished it is kept for its TTL, then removed. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from celeriac_operator.core.clocks import after, earliest
from celeriac_operator.core.facts import PodFacts
from celeriac_operator.core.plan import Delete, DeletePod, DeleteTask, Plan
from celeriac_operator.core.stopping import stop_of_deleted, stop_of_job
from celeriac_operator.core.view import View

EXIT_SECONDS = 30
"""So long after its task has finished a runner's process may take to end by itself."""


def being_deleted(view: View) -> Plan | None:
    """The API server removes it, and its Jobs with it (owner references). Where a finalizer keeps it, its Job goes now:
    no deadline would end what runs."""
    return Plan(delete=_stops(view)) if view.task.deleting else None


def _stops(view: View) -> tuple[Delete, ...]:
    stop = stop_of_deleted(view.task, view.world.pod)
    return (stop,) if stop is not None else stop_of_job(view.world.job)


def already_finished(view: View) -> Plan | None:
    """A terminal condition never changes again. Pods that turn up now are stopped; the TTL removes the Task.

    What is asked of it now comes too late; that it was seen is noted, or `kubectl wait` would wait for that.
    """
    if not view.task.finished:
        return None
    task, kept = view.task, view.task.spec.ttl_seconds_after_finished
    if kept is None:
        kept = view.policy.ttl_seconds_after_finished
    ends = after(task.status.finish_time or task.created, kept)
    if ends is not None and view.now >= ends:
        return Plan(delete=(DeleteTask(),))
    left, patience = tuple(_left_over(view)), _patience(view)
    gone = tuple(DeletePod(pod.name, pod.uid) for pod in left if view.now >= patience or not _exits(view, pod))
    waits = patience if len(gone) < len(left) else None
    late = task.status.observed_generation not in (None, task.generation)
    return Plan(see=late, delete=gone, look_again=earliest(ends, waits))


def _left_over(view: View) -> Iterable[PodFacts]:
    """Pods that run on, the one of an attempt that was still open when the operator gave the Task up included."""
    pod = view.world.pod
    if pod is not None and not pod.ended and pod.deleted_at is None:
        yield pod
    yield from view.world.strays


def _patience(view: View) -> datetime:
    """Until when the last process may take to exit, since its attempt was over: its function had ended before it."""
    ended = view.task.status.finish_time or view.task.created
    return ended + timedelta(seconds=EXIT_SECONDS)


def _exits(view: View, pod: PodFacts) -> bool:
    """It is the pod of an attempt that a record has closed, before its process had ended."""
    last = view.task.status.attempts[-1] if view.task.status.attempts else None
    return last is not None and last.finish_time is not None and last.pod_uid == pod.uid
