"""Why a task is where it is, put together from what is known of it. Pure: everything is given, the time too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celeriac._pods import container_state
from celeriac._task import Task, parse_time
from celeriac.api.v1alpha1 import Attempt

ATTEMPTS_SHOWN = 3
EVENTS_SHOWN = 8


@dataclass(frozen=True)
class Answer:
    """What the operator said, or why it could not be asked."""

    said: Mapping[str, Any] | None = None
    silence: str = ""
    """Part of a sentence."""


UNASKED = Answer()


@dataclass(frozen=True)
class Evidence:
    """What there is to explain a task with."""

    task: Task
    pod: Mapping[str, Any] | None = None
    events: Sequence[Mapping[str, Any]] = ()
    ahead: int | None = None
    """Tasks of the same queue that come before it, where it waits for a slot: counted here, by priority and age."""
    operator: Answer = UNASKED
    """What the operator says, which knows keys and tenants too."""


@dataclass(frozen=True)
class Explanation:
    """Why a task is where it is: one sentence, and the facts behind it."""

    task: str
    namespace: str
    phase: str
    reason: str | None
    summary: str
    facts: tuple[tuple[str, str], ...]
    """Pairs of a heading, such as ``Deadline`` or ``Event``, and a sentence."""

    def __str__(self) -> str:
        head = f"Task {self.namespace}/{self.task} is {self.phase}" + (f" ({self.reason})" if self.reason else "")
        width = max((len(label) for label, _ in self.facts), default=0)
        pad = "\n" + " " * (width + 4)
        body = [f"  {label:<{width}}  {text.replace(chr(10), pad)}" for label, text in self.facts]
        return "\n".join([f"{head}: {self.summary}", *body])


def explain(evidence: Evidence, now: datetime) -> Explanation:
    """Everything that is known about where the task is, in the order in which a person would ask."""
    task = evidence.task
    facts = [
        *_times(task, now),
        *_place(evidence),
        *_deadlines(task, now),
        *[("Attempt", _attempt(a)) for a in task.status.attempts[-ATTEMPTS_SHOWN:]],
        *_pod_facts(evidence.pod),
        *[("Event", _event(e, now)) for e in sorted(evidence.events, key=event_time)[-EVENTS_SHOWN:]],
    ]
    return Explanation(task.name, task.namespace, task.phase, task.status.reason, _summary(task), tuple(facts))


def _summary(task: Task) -> str:
    status = task.status
    if status.message:
        return status.message
    if status.observed_generation is None and not status.conditions:
        return "the operator has not seen it yet. If that lasts, see whether the operator runs: celeriac doctor"
    condition = status.condition("Finished") or status.condition("Accepted")
    return (condition.message or condition.reason) if condition else "no reason was given"


def _times(task: Task, now: datetime) -> list[tuple[str, str]]:
    status = task.status
    begin = task.spec.start_time or status.create_time or task.created
    begin = max(begin, status.create_time or task.created)
    facts = []
    if begin > now:
        facts.append(("Starts", f"not before {_clock(begin)}, in {span(begin, now)}"))
    elif status.start_time is None:
        facts.append(("Waiting", f"for {span(status.finish_time or now, begin)}, in queue {task.queue}"))
    else:
        facts.append(("Waited", f"{span(status.start_time, begin)} in queue {task.queue}, before its first start"))
    if status.next_attempt_time and not task.finished:
        facts.append(("Next attempt", _ahead_of(status.next_attempt_time, now)))
    if status.finish_time:
        facts.append(("Finished", f"{span(now, status.finish_time)} ago, {_clock(status.finish_time)}"))
    return facts


def _ahead_of(moment: datetime, now: datetime) -> str:
    return f"in {span(moment, now)}, {_clock(moment)}" if moment > now else f"due since {_clock(moment)}"


def _place(evidence: Evidence) -> list[tuple[str, str]]:
    """Where it stands in its queue: as the operator says, else as the waiting tasks were counted."""
    where = f"in queue {evidence.task.queue}, at priority {priority(evidence.task)}"
    said, silence = evidence.operator.said or {}, evidence.operator.silence
    facts = []
    if said.get("position") is not None:
        facts.append(("Position", f"{said['position']} {where}"))
    elif evidence.ahead is not None and evidence.operator.said is None:  # the operator knows who has no position
        hint = f" (by priority and age only: {silence})" if silence else ""
        facts.append(("Position", f"{evidence.ahead + 1} {where}{hint}"))
    if said.get("position") is not None and said.get("message") not in (None, evidence.task.status.message):
        facts.append(("Now", str(said["message"])))
    return facts


def priority(task: Task) -> int:
    """The priority that counts now: it may be changed after acceptance."""
    accepted = task.status.effective.priority if task.status.effective else 0
    return accepted if task.spec.priority is None else task.spec.priority


def count_ahead(task: Task, waiting: Sequence[Task]) -> int:
    """How many of the waiting tasks come before this one: higher priority first, then older first."""
    mine = _rank(task)
    return sum(1 for other in waiting if other.uid != task.uid and not other.finished and _rank(other) < mine)


def _rank(task: Task) -> tuple[int, datetime, str]:
    begin = task.status.create_time or task.created
    return (-priority(task), max(begin, task.spec.start_time or begin), task.name)


def _deadlines(task: Task, now: datetime) -> list[tuple[str, str]]:
    """The deadlines that still run."""
    if task.finished:
        return []
    status = task.status
    limits = (status.effective.deadlines if status.effective else None) or task.spec.deadlines
    if limits is None:
        return []
    begin = status.create_time or task.created
    t0 = max(begin, task.spec.start_time or begin)
    last = status.attempts[-1] if status.attempts else None
    open_ = last if last and last.finish_time is None else None
    clocks = [
        ("queueSeconds", limits.queue_seconds, None if status.start_time else t0),
        ("startSeconds", limits.start_seconds, open_.create_time if open_ and not open_.start_time else None),
        ("runSeconds", limits.run_seconds, open_.start_time if open_ else None),
        ("totalSeconds", limits.total_seconds, t0),
    ]
    return [("Deadline", _deadline(name, s, begun, now)) for name, s, begun in clocks if s is not None and begun]


def _deadline(name: str, seconds: int, begun: datetime, now: datetime) -> str:
    left = seconds - (now - begun).total_seconds()
    return f"{name} {seconds}: " + (f"{duration(left)} left" if left > 0 else f"over since {duration(-left)}")


def _attempt(attempt: Attempt) -> str:
    if attempt.finish_time is None:
        state = "running" if attempt.start_time else "starting"
    else:
        state = attempt.failure or "succeeded"
    code = f", exit code {attempt.exit_code}" if attempt.exit_code is not None else ""
    began = attempt.start_time or attempt.create_time
    took = f", {span(attempt.finish_time, began)}" if attempt.finish_time and began else ""
    node = f", on {attempt.node_name}" if attempt.node_name else ""
    message = f": {attempt.message.strip()}" if attempt.message else ""
    return f"{attempt.number} {state}{code}{took}{node}{message}"


def _pod_facts(pod: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What the pod itself says of what it waits for."""
    if pod is None:
        return []
    status = pod.get("status") or {}
    facts = [("Pod", f"{pod['metadata']['name']} is {status.get('phase', 'Pending')}{_sentence(status)}")]
    for condition in status.get("conditions") or []:
        if condition.get("status") == "False" and condition.get("message") and condition["type"] != "Ready":
            facts.append(("Pod", f"{condition['type']} is False{_sentence(condition)}"))
    for kind, detail in container_state(pod).items():
        if kind != "running" and detail.get("reason") != "Completed":
            code = f", exit code {detail['exitCode']}" if "exitCode" in detail else ""
            facts.append(("Container", f"{kind}{code}{_sentence(detail)}"))
    return facts


def _sentence(part: Mapping[str, Any]) -> str:
    words = [str(part[key]).strip() for key in ("reason", "message") if part.get(key)]
    return f": {': '.join(words)}" if words else ""


def event_time(event: Mapping[str, Any]) -> str:
    """When the event was last seen, as text that sorts."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next((str(t) for t in times if t), str(event["metadata"].get("creationTimestamp", "")))


def _event(event: Mapping[str, Any], now: datetime) -> str:
    about = event.get("involvedObject") or {}
    count = event.get("count") or (event.get("series") or {}).get("count") or 1
    times = f" ×{count}" if count > 1 else ""
    ago = f", {span(now, parse_time(event_time(event)))} ago" if event_time(event) else ""
    return f"{about.get('kind')} {event.get('reason')}{times}{ago}: {(event.get('message') or '').strip()}"


def _clock(moment: datetime) -> str:
    return local(moment).strftime("%Y-%m-%d %H:%M:%S %Z")


def local(moment: datetime) -> datetime:
    """The moment by the clock of whoever reads it; as it is, where that has no such date (the end of the year 9999)."""
    try:
        return moment.astimezone()
    except OverflowError:
        return moment


def span(later: datetime, earlier: datetime) -> str:
    """The time between two moments, as people say it."""
    return duration((later - earlier).total_seconds())


def duration(seconds: float) -> str:
    """A time, as people say it."""
    whole = max(0, round(seconds))
    for unit, size, part, small in (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size}{unit}" + (f"{whole % size // small}{part}" if whole % size // small else "")
    return f"{whole}s" if whole or seconds <= 0 else f"{seconds:.1f}s"
