"""Attempts in pods that take many tasks: what the end of such a pod means. Pure."""

from __future__ import annotations

from datetime import datetime

from celeriac.api.v1alpha1 import DISRUPTIONS, Attempt, Failure
from celeriac_operator.core.outcome import Ended, Outcome, Running
from celeriac_operator.core.records import BusState


def of_worker(attempt: Attempt, found: Outcome, bus: BusState, now: datetime) -> Outcome:
    """What the end of its pod means for an attempt that nobody has recorded.

    Exit code and termination message are the pod's own. While NATS is away there may be a record all the same.

    Args:
        found: what is seen of the pod.
    """
    if not isinstance(found, Ended):
        return found
    if bus not in ("Up", "Off"):
        return Running(attempt.start_time or attempt.create_time or now)
    if attempt.failure is not None:
        return Ended(attempt.failure, attempt.message or "", start=found.start, finish=found.finish)
    if found.failure in DISRUPTIONS or found.failure is Failure.OOM_KILLED:
        return Ended(found.failure, found.message, start=found.start, finish=found.finish)
    how = "" if found.exit_code is None else f" (exit code {found.exit_code})"
    why = f"The worker that ran it has ended{how}"
    return Ended(Failure.POD_DELETED, why, start=found.start, finish=found.finish)
