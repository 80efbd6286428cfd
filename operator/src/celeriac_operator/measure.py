"""Metrics from what a status write records: each figure is taken where the fact is written, once."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import Histogram

from celeriac.api.v1alpha1 import Attempt, TaskStatus
from celeriac_operator.core.clocks import origin
from celeriac_operator.core.facts import TaskFacts
from celeriac_operator.metrics import ATTEMPTS, FINISHED, QUEUE_WAIT, RUN_TIME, START_LATENCY


def measure(task: TaskFacts, status: TaskStatus) -> None:
    """Take note of what this status says for the first time."""
    old = task.status
    if status.admit_time is not None and old.admit_time is None:
        _observe(QUEUE_WAIT, origin(task), status.admit_time)
    if status.finish_time is not None and status.phase is not None:
        FINISHED.labels(status.phase).inc()
    known = old.attempts[-1] if old.attempts else None
    if status.attempts:
        _attempt(known if known and known.number == status.attempts[-1].number else None, status.attempts[-1])


def _attempt(known: Attempt | None, attempt: Attempt) -> None:
    if attempt.start_time is not None and (known is None or known.start_time is None) and attempt.create_time:
        _observe(START_LATENCY, attempt.create_time, attempt.start_time)
    if attempt.finish_time is not None and (known is None or known.finish_time is None):
        ATTEMPTS.labels(attempt.failure or "none").inc()
        if attempt.start_time is not None:
            _observe(RUN_TIME, attempt.start_time, attempt.finish_time)


def _observe(histogram: Histogram, start: datetime, end: datetime) -> None:
    """Clocks of two machines: a negative time is none."""
    histogram.observe(max((end - start).total_seconds(), 0.0))
