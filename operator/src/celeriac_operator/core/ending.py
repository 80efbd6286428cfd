"""An attempt is over: the task has succeeded, failed, or tries again. Pure.

A process that ended with exit code 0 wins over everything that was decided meanwhile: cancel and deadlines come second.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from celeriac.api.v1alpha1 import Attempt, Failure, Phase, Result
from celeriac.wire.records import AttemptRecord
from celeriac_operator.core import names
from celeriac_operator.core.attempt_record import ref_problem
from celeriac_operator.core.conditions import whole_second
from celeriac_operator.core.outcome import Ended
from celeriac_operator.core.plan import Delete, DeleteJob, DeletePod, Event, Plan
from celeriac_operator.core.result import InvalidResult, read_result
from celeriac_operator.core.retry import RetryDecision, retry_decision
from celeriac_operator.core.status import Saying, compose
from celeriac_operator.core.text import cut
from celeriac_operator.core.view import View

LINGER_SECONDS = 30
"""So long after its function has failed a process may take to end by itself."""
ASK_LINGERING_SECONDS = 2
UNREACHABLE_SECONDS = 120
"""How long after its grace period a stopped pod is waited for, before the Task ends without it."""


def attempt_succeeded(view: View) -> Plan | None:
    """Exit code 0 is success, also where the task was being cancelled; its result is checked and recorded."""
    ended = view.outcome
    if not isinstance(ended, Ended) or ended.failure is not None:
        return None
    result = _result(view, ended)
    if isinstance(result, InvalidResult):
        return _settle(view, Ended(Failure.RESULT_INVALID, result.message, ended.exit_code, ended.start, ended.finish))
    return _finish_well(view, ended, result)


def _result(view: View, ended: Ended) -> Result | InvalidResult | None:
    """What it returned, checked; a value that is kept elsewhere was checked by the runner."""
    if ended.ref is not None:
        number = view.recorded.number if view.recorded is not None else 0
        kept = Result(ref=ended.ref)
        problem = ref_problem(kept, view.task.key.namespace, view.task.uid, number)
        return InvalidResult(problem) if problem else kept
    revision = view.revision
    return read_result(ended.output, revision.spec.result_schema if revision else None)


def attempt_lingers(view: View) -> Plan | None:
    """Its function has failed, and its process goes on: another attempt would run beside it. It is stopped in the end.

    Where none follows there is nothing to wait for.
    """
    ended, pod, record = view.outcome, view.world.pod, view.record
    if not isinstance(ended, Ended) or not ended.lingers or record is None:
        return None
    if _ends_anyway(view, _closed(view, ended)):
        return None
    patience = _function_ended(view, record) + timedelta(seconds=LINGER_SECONDS)
    if pod is None or pod.deleted_at is not None:
        return None if view.now >= patience + timedelta(seconds=UNREACHABLE_SECONDS) else _ask_later(view)
    if view.now < patience:
        return Plan(look_again=view.next_deadline(patience))
    return Plan(delete=(DeletePod(pod.name, pod.uid),), look_again=view.soon(10))


def _function_ended(view: View, record: AttemptRecord) -> datetime:
    """When its function has ended. A time yet to come is wrong, or a lie: then it has lingered enough."""
    if record.finish_time - view.now <= timedelta(seconds=LINGER_SECONDS):
        return record.finish_time
    pod = view.world.pod
    waited = timedelta(seconds=LINGER_SECONDS + (UNREACHABLE_SECONDS if pod is None else 0))
    return (pod.deleted_at if pod is not None and pod.deleted_at is not None else view.now) - waited


def _ask_later(view: View) -> Plan:
    return Plan(look_again=view.soon(ASK_LINGERING_SECONDS))


def attempt_failed(view: View) -> Plan | None:
    """Another attempt, or the end: cancelled, expired, out of time, or failed."""
    ended = view.outcome
    return _settle(view, ended) if isinstance(ended, Ended) else None


def attempt_unreachable(view: View) -> Plan | None:
    """A stopped pod whose node no longer answers: the Task ends, so that nobody waits for ever."""
    attempt, pod = view.attempt, view.world.pod
    if attempt is None or pod is None or pod.deleted_at is None or attempt.failure is None:
        return None
    grace = view.deadlines.grace_seconds or 0
    patience = pod.deleted_at + timedelta(seconds=grace + UNREACHABLE_SECONDS)
    if view.now < patience or not _ends_anyway(view, attempt):
        return None
    why = f"{attempt.message or attempt.failure}; node {pod.node} does not answer, so the process may still run"
    return _settle(view, Ended(attempt.failure, why, start=attempt.start_time))


def _ends_anyway(view: View, attempt: Attempt) -> bool:
    """No attempt would follow, however this one ends; otherwise two of them could run at once."""
    wanted_to_end = view.task.spec.cancel is not None or view.out_of_time or view.expired
    return wanted_to_end or _what_follows(view, attempt).at is None


def _closed(view: View, ended: Ended) -> Attempt:
    attempt = view.attempt
    assert attempt is not None  # noqa: S101  an outcome is an attempt's
    return attempt.model_copy(
        update={
            "finish_time": whole_second(min(ended.finish or view.now, view.now)),
            "failure": ended.failure,
            "exit_code": ended.exit_code,
            "message": ended.message or ended.warning or None,
            "usage": ended.usage,
        }
    )


def _finish_well(view: View, ended: Ended, result: Result | None) -> Plan:
    attempt = _closed(view, ended)
    message = ended.warning or ("Succeeded" if attempt.number == 1 else f"Succeeded in attempt {attempt.number}")
    status = compose(view, Saying(Phase.SUCCEEDED, names.SUCCEEDED, message), attempt=attempt, result=result)
    events = (Event("Warning", names.WARNING_EVENT, ended.warning),) if ended.warning else ()
    return Plan(status=status, events=events, delete=_left_over(view))


def _left_over(view: View) -> tuple[Delete, ...]:
    """What could still start a process of the attempt that is over: its other pods, and a Job that is suspended."""
    job = view.world.job
    jobs = (DeleteJob(job.name, job.uid),) if job is not None and job.suspended and not job.deleting else ()
    return (*(DeletePod(pod.name, pod.uid) for pod in view.world.strays), *jobs)


def _settle(view: View, ended: Ended) -> Plan:
    """What follows a failed attempt."""
    attempt = _closed(view, ended)
    if view.task.spec.cancel is not None:
        return finish(view, cancelled(view), attempt)
    if view.expired:
        return finish(view, expired(view), attempt)
    if view.out_of_time or ended.failure is Failure.TOTAL_DEADLINE_EXCEEDED:
        return finish(view, out_of_time(view), attempt)
    return _retry_or_fail(view, attempt)


def _retry_or_fail(view: View, attempt: Attempt) -> Plan:
    decision = _what_follows(view, attempt)
    failure = attempt.failure or Failure.INTERNAL_ERROR
    if decision.at is None:
        return finish(view, _failed(attempt, failure, decision), attempt)
    return _retry(view, attempt, failure, decision)


def _what_follows(view: View, attempt: Attempt) -> RetryDecision:
    return retry_decision(
        attempt.failure or Failure.INTERNAL_ERROR,
        attempt.exit_code,
        view.used(attempt),
        view.policy.retry,
        started=attempt.start_time is not None,
        seed=view.task.uid,
        now=attempt.finish_time or view.now,
    )


def _failed(attempt: Attempt, failure: Failure, decision: RetryDecision) -> Saying:
    why = f" ({decision.why})" if decision.why and attempt.number > 1 else ""
    return Saying(Phase.FAILED, failure, f"Attempt {attempt.number} failed{why}: {attempt.message or failure}")


def _retry(view: View, attempt: Attempt, failure: Failure, decision: RetryDecision) -> Plan:
    assert decision.at is not None  # noqa: S101
    at = whole_second(decision.at) + timedelta(seconds=1) if decision.at.microsecond else decision.at
    saying = retrying(attempt, at)
    status = compose(view, saying, attempt=attempt, next_attempt_time=at)
    event = Event("Warning", names.RETRYING_EVENT, cut(f"{failure}: {saying.message}", 1000))
    return Plan(status=status, events=(event,), delete=_left_over(view), look_again=view.next_deadline(at))


def retrying(failed: Attempt, at: datetime) -> Saying:
    """The words for the time between two attempts."""
    when = f"attempt {failed.number + 1} follows at {at:%H:%M:%S} UTC"
    message = f"Attempt {failed.number} failed, {when}: {failed.message or failed.failure}"
    return Saying(Phase.RETRYING, failed.failure or Failure.INTERNAL_ERROR, message)


def finish(view: View, saying: Saying, attempt: Attempt | None = None) -> Plan:
    """Record the end of a task that did not succeed."""
    status = compose(view, saying, attempt=attempt)
    reason = names.FAILED_EVENT if saying.phase is Phase.FAILED else saying.reason
    event = Event("Normal" if saying.phase is Phase.CANCELLED else "Warning", reason, cut(saying.message, 1000))
    return Plan(status=status, events=(event,), delete=_left_over(view))


def cancelled(view: View) -> Saying:
    """The words for a cancelled task."""
    reason = cut(view.task.spec.cancel.reason, 500) if view.task.spec.cancel else ""
    return Saying(Phase.CANCELLED, names.CANCELLED, f"Cancelled: {reason}" if reason else "Cancelled")


def expired(view: View) -> Saying:
    """The words for a task that never started; where an attempt was stopped for it, the verdict has them."""
    stopped = view.recorded.message if view.recorded and view.recorded.failure else None
    why = stopped or not_started_in_time(view, view.task.status.message)
    return Saying(Phase.EXPIRED, names.EXPIRED, f"Expired: {why}")


def not_started_in_time(view: View, before: str | None) -> str:
    """That queueSeconds passed, and what the task waited for."""
    return f"no container started within queueSeconds ({view.deadlines.queue_seconds} s){_before(before)}"


def out_of_time(view: View) -> Saying:
    """The words for a task whose totalSeconds passed; where an attempt was stopped for it, the verdict has them."""
    recorded, total = view.recorded, Failure.TOTAL_DEADLINE_EXCEEDED
    stopped = recorded.message if recorded is not None and recorded.failure is total else None
    waits = view.attempt is None or view.attempt.start_time is None
    message = stopped or not_done_in_time(view, view.task.status.message if waits else None)
    return Saying(Phase.FAILED, total, message)


def not_done_in_time(view: View, before: str | None) -> str:
    """That totalSeconds passed, and what the task waited for, if it did."""
    seconds = view.deadlines.total_seconds
    return f"It was not done within totalSeconds ({seconds} s), retries and waiting included{_before(before)}"


def _before(said: str | None) -> str:
    """The last reason known, which the end would be told without."""
    return f"; before that: {cut(said, 500)}" if said else ""
