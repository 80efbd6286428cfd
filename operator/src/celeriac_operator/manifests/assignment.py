"""What a waiting pod is told of its task, as ``celeriac/run/standby.py`` reads it. Pure."""

from __future__ import annotations

from datetime import datetime

from celeriac_operator.core.facts import TaskFacts
from celeriac_operator.core.plan import Assign, StopAttempt
from celeriac_operator.manifests.job import variables
from celeriac_operator.manifests.security import Manifest


def build_stop(task: TaskFacts, stop: StopAttempt) -> Manifest:
    """What a worker is told of an attempt that is to end."""
    why = stop.first.notice.message if stop.first is not None else stop.message
    told = {"failure": stop.failure.value, "message": why, "said": stop.message, "grace": stop.grace_seconds}
    return {"uid": task.uid, "attempt": stop.attempt, "stop": told}


def build_assignment(task: TaskFacts, assign: Assign, now: datetime) -> Manifest:
    """The message. Its variables are those that a pod made for the attempt would have."""
    deadlines = assign.accepted.effective.deadlines
    run = deadlines.run_seconds
    return {
        "uid": task.uid,
        "attempt": assign.attempt,
        "expect": assign.expect,
        "env": variables(task, assign.attempt, deadlines, now),
        "seconds": None if run is None else run + (deadlines.grace_seconds or 0),
    }
