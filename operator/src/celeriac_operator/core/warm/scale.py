"""How many pods of a TaskDefinition should wait. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from celeriac.api.v1alpha1 import TaskDefinitionSpec, WarmOptions, WorkerOptions

DEFAULT_MIN, DEFAULT_MAX = 1, 10
DEFAULT_SLOTS, DEFAULT_TASKS = 4, 1000
START_SECONDS = 5.0
"""What arrives while another pod starts should find one."""
WINDOWS_SECONDS = (10.0, 60.0)
"""The rate is the highest of these: a burst is answered at once, and remembered for a while."""


def wanted(options: WarmOptions | None, arrivals: Sequence[datetime], active: datetime | None, now: datetime) -> int:
    """Pods that should wait, between the bounds; none after a time without tasks.

    Args:
        arrivals: when attempts began lately, the oldest first.
        active: when one began last, or the definition was made.
    """
    given = options or WarmOptions()
    if asleep(given, active, now):
        return 0
    least = DEFAULT_MIN if given.min_ready is None else given.min_ready
    most = max(DEFAULT_MAX, least) if given.max_ready is None else given.max_ready
    return min(max(least, math.ceil(_rate(arrivals, now) * START_SECONDS)), most)


def wanted_workers(options: WorkerOptions | None, tasks: int) -> int:
    """Pods that take many tasks each: a slot for each that runs or waits, between the bounds."""
    given = options or WorkerOptions()
    least = DEFAULT_MIN if given.min_pods is None else given.min_pods
    most = max(DEFAULT_MAX, least) if given.max_pods is None else given.max_pods
    return min(max(least, math.ceil(tasks / (given.slots_per_pod or DEFAULT_SLOTS))), most)


def slots_of(spec: TaskDefinitionSpec) -> int:
    """How many tasks a pod that is started ahead runs at once."""
    if spec.isolation != "Worker":
        return 1
    return (spec.worker or WorkerOptions()).slots_per_pod or DEFAULT_SLOTS


def tasks_of(spec: TaskDefinitionSpec) -> int:
    """How many tasks a pod that is started ahead takes in all."""
    if spec.isolation != "Worker":
        return 1
    return (spec.worker or WorkerOptions()).tasks_per_pod or DEFAULT_TASKS


def asleep(options: WarmOptions, active: datetime | None, now: datetime) -> bool:
    """Whether nothing came for so long that no pod waits."""
    until = sleeps_at(options, active)
    return until is not None and now >= until


def sleeps_at(options: WarmOptions | None, active: datetime | None) -> datetime | None:
    """When no pod will wait any more if nothing comes; None: never."""
    if options is None or options.idle_seconds is None or active is None:
        return None
    return active + timedelta(seconds=options.idle_seconds)


def _rate(arrivals: Sequence[datetime], now: datetime) -> float:
    """Attempts a second."""
    return max(sum((now - each).total_seconds() < window for each in arrivals) / window for window in WINDOWS_SECONDS)
