"""A Task that does not run yet says why, in one sentence, once it has waited for over a second. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from celeriac.api.v1alpha1 import Failure, Phase
from celeriac_operator.core import names
from celeriac_operator.core.acceptance import Rejected
from celeriac_operator.core.clocks import earliest
from celeriac_operator.core.ending import cancelled, expired, finish, out_of_time, retrying
from celeriac_operator.core.facts import Refusal
from celeriac_operator.core.outcome import NotStarted, Running, Unclear
from celeriac_operator.core.plan import Plan
from celeriac_operator.core.quota import never_fits
from celeriac_operator.core.status import Saying, compose
from celeriac_operator.core.text import cut
from celeriac_operator.core.view import View

SAY_AFTER_SECONDS = 1
ASK_KUEUE_SECONDS = 5
"""How often a Job is asked whether Kueue has admitted it."""
ASK_JOB_SECONDS = 2
"""How often a Job is asked what became of its pod, when the pod is gone."""
SAY_STARTING_AFTER_SECONDS = 3
"""A container that starts as it should says nothing for so long: one write less for almost every task."""
STARTS_A_SECOND = 4
"""In company it may take longer: about so many start on a small node in a second, one after the other."""
LONGEST_SILENCE_SECONDS = 30
NEWS_A_SECOND = 20
"""In company the news of an end takes longer too: a task that has ended is not said to run."""
LONGEST_NEWS_SECONDS = 5


def no_longer_wanted(view: View) -> Plan | None:
    """Cancelled while nothing runs: at once."""
    return finish(view, cancelled(view)) if view.task.spec.cancel is not None else None


def too_late(view: View) -> Plan | None:
    """totalSeconds or queueSeconds have passed while nothing runs."""
    if view.out_of_time:
        return finish(view, out_of_time(view))
    return finish(view, expired(view)) if view.expired and view.acceptance is not None else None


def definition_missing(view: View) -> Plan | None:
    """``kubectl apply -f dir/`` may create the Task first: wait for its TaskDefinition, but not for ever."""
    if view.acceptance is not None:
        return None
    name = view.task.spec.definition_name
    missing = f"TaskDefinition {name} is not in namespace {view.task.key.namespace}"
    deadline, waited = view.definition_deadline
    if view.now >= deadline:
        return finish(view, Saying(Phase.FAILED, names.DEFINITION_NOT_FOUND, f"{missing}, and {waited} have passed"))
    saying = Saying(Phase.PENDING, names.DEFINITION_NOT_FOUND, f"Waiting: {missing}")
    return waits(view, saying, until=deadline)


def params_refused(view: View) -> Plan | None:
    """What the schema refuses can never run."""
    rejected = view.acceptance
    if not isinstance(rejected, Rejected):
        return None
    return finish(view, Saying(Phase.FAILED, rejected.reason, rejected.message))


def suspended(view: View) -> Plan | None:
    """No new attempt starts; the clocks go on."""
    if not view.task.spec.suspend:
        return None
    return waits(view, Saying(Phase.PENDING, names.SUSPENDED, "Suspended: set spec.suspend to false to let it go on"))


def before_start_time(view: View) -> Plan | None:
    """The ETA is not reached."""
    start = view.task.spec.start_time
    if start is None or view.now >= start:
        return None
    saying = Saying(Phase.PENDING, names.START_TIME, f"Waiting for its startTime, {start:%Y-%m-%d %H:%M:%S %Z}")
    return waits(view, saying, until=start)


def backing_off(view: View) -> Plan | None:
    """Between two attempts."""
    at, attempts = view.task.status.next_attempt_time, view.attempts
    if at is None or view.now >= at or not attempts:
        return None
    return said(view, retrying(attempts[-1], at), until=at)


def job_refused(view: View) -> Plan | None:
    """The API server refused the attempt's Job: a full quota is waited for, an impossible pod is a failure."""
    refusal = view.world.refusal
    if refusal is None:
        return None
    if refusal.reason == Failure.INVALID_POD:
        return finish(view, Saying(Phase.FAILED, Failure.INVALID_POD, cut(refusal.message, 1000)))
    if view.now >= refusal.retry_at:
        return None
    return waits(view, _refused(refusal), until=refusal.retry_at)


def _refused(refusal: Refusal) -> Saying:
    """A quota may be full for now, or too small whatever else runs: then only a person can help."""
    too_large = never_fits(refusal.message) if refusal.reason == names.QUOTA_EXCEEDED else None
    if too_large is not None:
        message = f"It can never fit: {cut(too_large, 500)}. Ask for less, or have the quota raised"
        return Saying(Phase.QUEUED, refusal.reason, message, stuck=True)
    return Saying(Phase.QUEUED, refusal.reason, f"Waiting: {cut(refusal.message, 500)}")


def attempt_under_way(view: View) -> Plan | None:
    """Starting or running: report it, and look again at its next deadline."""
    attempt, found = view.attempt, view.outcome
    if attempt is None:
        return None
    if isinstance(found, Running):
        where = f" on node {attempt.node_name}" if attempt.node_name else ""
        saying = Saying(Phase.RUNNING, names.RUNNING, f"Attempt {attempt.number} is running{where}")
        return waits(view, saying, since=found.start, after_seconds=_usual_news(view))
    if isinstance(found, Unclear):
        saying = Saying(
            Phase.RUNNING, names.COMPLETING, f"Attempt {attempt.number}: its pod is gone; waiting for what its Job says"
        )
        return said(view, saying, until=view.soon(ASK_JOB_SECONDS))
    assert isinstance(found, NotStarted)  # noqa: S101  an ended attempt was dealt with before
    return _starting(view, found)


def _starting(view: View, found: NotStarted) -> Plan:
    attempt, refusal = view.attempt, view.world.refusal
    assert attempt is not None  # noqa: S101
    since = attempt.create_time or view.now
    if view.kueue_pending:
        message = f"Waiting for Kueue to admit Job {attempt.job_name}"
        saying = Saying(Phase.QUEUED, names.KUEUE_PENDING, message)
        return waits(view, saying, since=since, until=view.soon(ASK_KUEUE_SECONDS), record=False)
    if view.world.pod is None and refusal is not None and refusal.reason == names.QUOTA_EXCEEDED:
        return waits(view, _refused(refusal), since=since, until=refusal.retry_at, record=False)
    problem, message = trouble(view, found)
    if problem is not None:
        saying = Saying(Phase.STARTING, problem, f"Attempt {attempt.number} cannot start yet: {message}", stuck=True)
        return waits(view, saying, since=since, until=refusal.retry_at if refusal else None)
    saying = Saying(Phase.STARTING, names.STARTING, f"Attempt {attempt.number} is starting")
    return waits(view, saying, since=since, until=_ask_again(view, since), after_seconds=_usual_start(view))


def _usual_start(view: View) -> int:
    """Seconds that a start usually takes, with so many others at once. What was said before is corrected sooner."""
    if view.task.status.observed_generation is not None:
        return SAY_STARTING_AFTER_SECONDS
    return min(SAY_STARTING_AFTER_SECONDS + view.world.company // STARTS_A_SECOND, LONGEST_SILENCE_SECONDS)


def _usual_news(view: View) -> int:
    """Seconds that a short task's end takes to be known, with so many others at once."""
    return min(SAY_AFTER_SECONDS + view.world.company // NEWS_A_SECOND, LONGEST_NEWS_SECONDS)


def _ask_again(view: View, since: datetime) -> datetime | None:
    """When to ask once more why there is no pod: nobody tells. Each time after twice as long: a backlog is long."""
    if view.world.pod is not None:
        return None
    return view.soon(max((view.now - since).total_seconds(), SAY_STARTING_AFTER_SECONDS))


def trouble(view: View, found: NotStarted) -> tuple[Failure | None, str]:
    """What keeps the container from starting: what the pod says, else why there is no pod."""
    refusal = view.world.refusal
    if view.world.pod is None and refusal is not None:
        return Failure.INVALID_POD, cut(refusal.message, 500)
    return found.problem, with_image(view, found.message) if found.of_image else found.message


def with_image(view: View, message: str) -> str:
    """The message with the image's name, which a kubelet and a registry may leave out."""
    image = view.image
    return message if not image or image in message else f"{message}; its image is {cut(image, 300)}"


def waits(
    view: View,
    saying: Saying,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after_seconds: int = SAY_AFTER_SECONDS,
    record: bool = True,
) -> Plan:
    """Say it once it has lasted for so long; look again when it may be over.

    Args:
        record: the attempt under way counts as begun, so it is part of what is written.
    """
    due = (since or view.waiting_since) + timedelta(seconds=after_seconds)
    said_already = (view.task.status.phase, view.task.status.reason) == (saying.phase, saying.reason)
    if view.now < due and not said_already:
        return Plan(look_again=earliest(due, view.next_deadline(until)))
    return said(view, saying, until=until, record=record)


def said(view: View, saying: Saying, *, until: datetime | None = None, record: bool = True) -> Plan:
    """Say it now, unless the status says just that already; the words change only with the reason.

    Why a queue is held are a person's words: other words are another reason. Numbers are not, or whoever adjusts a
    limit every minute would have a long backlog written every minute.
    """
    known = view.task.status
    same = (known.phase, known.reason) == (saying.phase, saying.reason) and saying.reason != names.QUEUE_HELD
    if same and known.message:
        saying = replace(saying, message=known.message)
    status = compose(
        view,
        saying,
        attempt=view.attempt if record else None,
        next_attempt_time=None if view.attempt else view.task.status.next_attempt_time,
    )
    changed = status if status != view.task.status else None
    return Plan(status=changed, look_again=view.next_deadline(until))
