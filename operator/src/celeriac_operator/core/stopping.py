"""An attempt under way has to end: cancelled, past a deadline, or waiting for what cannot come. Pure.

The verdict is recorded first and the pod deleted after, so that a restart in between changes nothing; what the process
makes of its grace period still counts (see ``ending``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from celeriac.api.v1alpha1 import Attempt, Failure, Phase
from celeriac_operator.core import names
from celeriac_operator.core.admission.why import stopped
from celeriac_operator.core.ending import cancelled, not_done_in_time, not_started_in_time
from celeriac_operator.core.facts import JobFacts, PodFacts, TaskFacts
from celeriac_operator.core.outcome import NotStarted
from celeriac_operator.core.plan import Delete, DeleteJob, DeletePod, Plan, StopAttempt
from celeriac_operator.core.status import Saying, compose
from celeriac_operator.core.text import cut
from celeriac_operator.core.view import View
from celeriac_operator.core.waiting import trouble, with_image
from celeriac_operator.core.warm.claim import assigned

DEAF_SECONDS = 30
"""So long after its grace period a worker may take to end an attempt."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why the attempt is stopped."""

    failure: Failure
    message: str


def attempt_to_stop(view: View) -> Plan | None:
    """Record why the attempt is stopped, then stop it; wait until it has ended."""
    recorded, attempt = view.recorded, view.attempt
    if recorded is None or attempt is None:
        return None
    if recorded.failure is not None:
        return Plan(delete=_stops(view), look_again=_check_again(view))
    verdict = next((found for found in (check(view) for check in VERDICTS) if found is not None), None)
    if verdict is None:
        return None
    if _kept_out(view):
        return Plan(delete=_stops(view), look_again=_check_again(view))  # no attempt began, so none is recorded
    attempt = attempt.model_copy(update={"failure": verdict.failure, "message": verdict.message})
    phase = Phase.RUNNING if attempt.start_time else Phase.STARTING
    saying = Saying(phase, names.STOPPING, f"Stopping attempt {attempt.number}: {verdict.message}")
    return Plan(status=compose(view, saying, attempt=attempt), delete=_stops(view), look_again=_check_again(view))


def stop_of_deleted(task: TaskFacts, pod: PodFacts | None) -> Delete | None:
    """What ends the attempt of a Task that is gone, where its pod is not the Task's and does not go with it.

    Args:
        pod: the one that was started ahead, and that the attempt was given to.
    """
    given = assigned(task)
    if given is None or pod is None:
        return None
    effective = task.status.effective
    grace = (effective.deadlines.grace_seconds if effective is not None else None) or 0
    if pod.worker:
        return StopAttempt(given.number, pod.uid, Failure.CANCELLED, names.DELETED_UNFINISHED, grace)
    return DeletePod(pod.name, pod.uid, grace)


def stop_of_job(job: JobFacts | None) -> tuple[Delete, ...]:
    """What ends an attempt with its Job, where that may still run."""
    return (DeleteJob(job.name, job.uid),) if job is not None and not job.deleting and not job.finished else ()


def _kept_out(view: View) -> bool:
    """The Job waits for a quota or Kueue to let its pod in: that is not an attempt."""
    refusal, job = view.world.refusal, view.world.job
    waits = view.kueue_pending or (refusal is not None and refusal.reason == names.QUOTA_EXCEEDED)
    unrecorded = view.recorded is not None and view.recorded.number == view.next_number
    return unrecorded and view.world.pod is None and (waits or (job is not None and job.deleting))


def _check_again(view: View) -> datetime:
    """A pod is watched, and its end is news; a Job that is taken back has to be asked."""
    return view.soon(10 if view.world.pod is not None and not view.in_worker else 1)


def _recorded_or_found(view: View, attempt: Attempt) -> Verdict:
    if attempt.failure is not None:
        return Verdict(attempt.failure, attempt.message or "")
    return next(found for found in (check(view) for check in VERDICTS) if found is not None)


def _grace(view: View) -> int:
    return view.deadlines.grace_seconds or 0


def _is_deaf(view: View) -> bool:
    """A worker that does not carry out what it is told goes as a whole, with all that it runs."""
    since = view.world.told_to_stop
    if since is None or view.world.records.bus != "Up":
        return False
    return view.now >= since + timedelta(seconds=_grace(view) + DEAF_SECONDS)


def _stops(view: View) -> tuple[Delete, ...]:
    pod, job, attempt = view.world.pod, view.world.job, view.recorded
    if pod is not None and attempt is not None and view.in_worker and not _is_deaf(view):
        verdict = _recorded_or_found(view, attempt)
        return (StopAttempt(attempt.number, pod.uid, verdict.failure, verdict.message, _grace(view)),)
    if pod is not None:
        grace = view.deadlines.grace_seconds if view.assigned else None
        return () if pod.deleted_at else (DeletePod(pod.name, pod.uid, grace),)
    return stop_of_job(job)


def _cancel(view: View) -> Verdict | None:
    return Verdict(Failure.CANCELLED, cancelled(view).message) if view.task.spec.cancel is not None else None


def _total(view: View) -> Verdict | None:
    if not view.out_of_time:
        return None
    found = view.outcome
    before = _waited_for(view, found) if isinstance(found, NotStarted) else None
    return Verdict(Failure.TOTAL_DEADLINE_EXCEEDED, not_done_in_time(view, before))


def _waited_for(view: View, found: NotStarted) -> str | None:
    return trouble(view, found)[1] or view.task.status.message


def _queue(view: View) -> Verdict | None:
    found = view.outcome
    if not isinstance(found, NotStarted) or not view.expired:
        return None
    return Verdict(Failure.START_DEADLINE_EXCEEDED, not_started_in_time(view, _waited_for(view, found)))


def _hopeless(view: View) -> Verdict | None:
    found, refusal = view.outcome, view.world.refusal
    if refusal is not None and refusal.reason == Failure.INVALID_POD and view.world.pod is None:
        return Verdict(Failure.INVALID_POD, cut(refusal.message, 1000))
    if isinstance(found, NotStarted) and found.fatal and found.problem is not None:
        return Verdict(found.problem, trouble(view, found)[1])
    return None


def _start(view: View) -> Verdict | None:
    found, seconds = view.outcome, view.deadlines.start_seconds
    if not isinstance(found, NotStarted) or view.clocks.start is None or view.now < view.clocks.start:
        return None
    problem, message = trouble(view, found)
    if problem is not None:
        return Verdict(problem, f"{message}; given up after startSeconds ({seconds} s)")
    late = f"Its container did not start within startSeconds ({seconds} s)"
    return Verdict(Failure.START_DEADLINE_EXCEEDED, with_image(view, late))


def _run(view: View) -> Verdict | None:
    if view.clocks.run is None or view.now < view.clocks.run:
        return None
    return Verdict(Failure.RUN_DEADLINE_EXCEEDED, f"It ran longer than runSeconds ({view.deadlines.run_seconds} s)")


def _drain(view: View) -> Verdict | None:
    queue = view.world.queue
    if queue.stop_policy != "HoldAndDrain":
        return None
    why = stopped(view.world.queue_name, queue.stop_policy, queue.stop_reason)
    return Verdict(Failure.PREEMPTED, f"{why[0].upper()}{why[1:]}")


VERDICTS = (
    _cancel,  # the user asked
    _total,  # the task as a whole has run out of time
    _queue,  # nothing started while anybody still cared
    _hopeless,  # waiting does not help, such as for an image that may not be pulled
    _start,  # this attempt did not start in time
    _run,  # this attempt ran too long
    _drain,  # its queue is drained: a disruption, since it is not the task's doing
)
