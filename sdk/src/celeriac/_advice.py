"""Which TaskDefinitions would gain from pods that were started ahead, and what requests fit their tasks. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median_low
from typing import Any, Literal

from celeriac._task import Task
from celeriac.api.v1alpha1 import Attempt, Failure, TaskDefinitionSpec, Usage
from celeriac.wire.runner import runs_runner

Isolation = Literal["Pod", "Warm", "Worker"]

ENOUGH = 10
"""Attempts that have ended; from fewer nothing is concluded."""
SELDOM = timedelta(minutes=10)
"""Where half of the tasks come after a longer pause, a pod that waits would mostly wait."""
OFTEN = 30
"""Tasks within a minute, above which starting a pod for each is what the node spends its time with."""
SHORT_SECONDS = 5.0
"""A task that runs longer gains little from sharing a pod."""
TELLING_SECONDS = 0.1
"""Processor time of a shorter run says nothing about how many processors it keeps busy."""
SPARE = 1.2
"""Memory that is asked for, as a multiple of the most that was seen."""
MEMORY_STEP = 16 * 1024 * 1024
CPU_STEP = 10


@dataclass(frozen=True)
class Definition:
    """A TaskDefinition."""

    namespace: str
    name: str
    spec: TaskDefinitionSpec


@dataclass(frozen=True)
class Requests:
    """What a container should ask for, as Kubernetes writes it; None: nothing was measured."""

    cpu: str | None
    memory: str | None


@dataclass(frozen=True)
class Advice:
    """What is known of a TaskDefinition's attempts, and what follows."""

    namespace: str
    definition: str
    isolation: Isolation
    """What it has now."""
    attempts: int
    """Those that have ended and had started."""
    start_seconds: float | None
    """Median from the creation of a pod to its start, of attempts with a pod of their own."""
    run_seconds: float | None
    """Median of what the runner measured, or else of whole seconds from start to end."""
    busiest_minute: int
    """Most attempts that began within a minute."""
    suggested: Isolation
    why: str
    """A sentence."""
    requests: Requests
    """What fits."""
    present: Requests
    """What it has now."""
    warnings: tuple[str, ...] = ()
    """Sentences."""


@dataclass(frozen=True)
class _Seen:
    """What its attempts were like."""

    count: int
    start: float | None
    run: float | None
    pause: float
    """Median from one beginning to the next."""
    busiest: int


def advise(definition: Definition, tasks: Sequence[Task]) -> Advice:
    """What to do about a TaskDefinition.

    tasks: those of its tasks that there are; of them only attempts that have ended count.
    """
    spec = definition.spec
    ended = [attempt for task in tasks for attempt in task.status.attempts if _ran(attempt)]
    usages = [attempt.usage for attempt in ended if attempt.usage is not None]
    seen = _see(ended)
    suggested, why = _isolation(spec, seen)
    return Advice(
        definition.namespace,
        definition.name,
        spec.isolation or "Pod",
        seen.count,
        seen.start,
        seen.run,
        seen.busiest,
        suggested,
        why,
        Requests(_cpu(usages), _memory(usages)),
        _present(spec),
        tuple(_warnings(tasks, usages, spec)),
    )


def _see(ended: Sequence[Attempt]) -> _Seen:
    begun = sorted(attempt.create_time for attempt in ended if attempt.create_time is not None)
    return _Seen(
        len(ended),
        _median([_seconds(a.create_time, a.start_time) for a in ended if not _is_assigned(a)]),
        _median([_run_seconds(attempt) for attempt in ended]),
        _median([_seconds(*pair) for pair in pairwise(begun)]) or 0.0,
        _busiest_minute(begun),
    )


def _isolation(spec: TaskDefinitionSpec, seen: _Seen) -> tuple[Isolation, str]:
    start, run, now = seen.start, seen.run, spec.isolation or "Pod"
    if not runs_runner(spec.container):
        return "Pod", "Only the SDK's runner (python -m celeriac.run) can wait for tasks."
    if seen.count < ENOUGH or run is None:
        return now, f"Of {seen.count} attempts nothing is concluded: {ENOUGH} are enough."
    if seen.pause > SELDOM.total_seconds():
        return "Pod", "Its tasks come so seldom that a pod would mostly wait, and hold its requests meanwhile."
    if run <= SHORT_SECONDS and seen.busiest > OFTEN:
        return "Worker", (
            f"Up to {seen.busiest} short tasks began within a minute, and a pod for each is most of the work. Tasks of "
            "a Worker share a pod: it is for code that may."
        )
    if start is None:
        return now, "No attempt had a pod of its own, so it is not known how long one takes to start."
    if start >= run:
        return "Warm", f"A pod takes {said(start)} to start and the task {said(run)}: most of the time is waiting."
    return "Pod", f"Of {said(start + run)} a pod that waits would save {said(start)}, and hold its requests for it."


def said(seconds: float) -> str:
    """A time as people say it."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _ran(attempt: Attempt) -> bool:
    return attempt.start_time is not None and attempt.finish_time is not None


def _is_assigned(attempt: Attempt) -> bool:
    """Whether it was given to a pod that had started before; the Jobs of others end with the attempt's number."""
    return not attempt.job_name.endswith(f"-a{attempt.number}")


def _seconds(begin: datetime | None, end: datetime | None) -> float:
    return 0.0 if begin is None or end is None else max((end - begin).total_seconds(), 0.0)


def _run_seconds(attempt: Attempt) -> float:
    """The status has whole seconds only."""
    usage = attempt.usage
    return usage.run_milliseconds / 1000 if usage is not None else _seconds(attempt.start_time, attempt.finish_time)


def _median(values: Sequence[float]) -> float | None:
    return median_low(values) if values else None


def _quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many of them do not exceed."""
    return sorted(values)[max(math.ceil(len(values) * share) - 1, 0)]


def _busiest_minute(begun: Sequence[datetime]) -> int:
    most = first = 0
    for last, moment in enumerate(begun):
        while moment - begun[first] >= timedelta(minutes=1):
            first += 1
        most = max(most, last - first + 1)
    return most


def _cpu(usages: Sequence[Usage]) -> str | None:
    """Processors that nineteen of twenty attempts kept busy at the most."""
    if len(usages) < ENOUGH:
        return None
    busy = [1000 * each.cpu_milliseconds / each.run_milliseconds for each in usages if _tells(each)]
    return f"{_up(_quantile(busy, 0.95) if busy else 0, CPU_STEP)}m"


def _tells(usage: Usage) -> bool:
    return usage.run_milliseconds >= TELLING_SECONDS * 1000


def _memory(usages: Sequence[Usage]) -> str | None:
    """What the largest attempt had, and some to spare: memory that is missing kills."""
    if len(usages) < ENOUGH:
        return None
    return f"{_up(SPARE * max(each.memory_bytes for each in usages), MEMORY_STEP) // 1024**2}Mi"


def _up(value: float, step: int) -> int:
    """To the next multiple, at least one."""
    return max(math.ceil(value / step), 1) * step


def _present(spec: TaskDefinitionSpec) -> Requests:
    requests: Mapping[str, Any] = (spec.container.resources.requests if spec.container.resources else None) or {}
    return Requests(_text(requests.get("cpu")), _text(requests.get("memory")))


def _text(quantity: object) -> str | None:
    return None if quantity is None else str(quantity)


def _warnings(tasks: Sequence[Task], usages: Sequence[Usage], spec: TaskDefinitionSpec) -> list[str]:
    killed = sum(a.failure is Failure.OOM_KILLED for task in tasks for a in task.status.attempts)
    found = []
    if killed:
        found.append(f"{killed} attempts were killed for lack of memory: its limit is too low, whatever was measured.")
    if not usages and runs_runner(spec.container):
        found.append("No attempt has a measurement: it is told through NATS, by runners of this version.")
    return found
