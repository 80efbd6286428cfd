"""What a CronTask's spec comes to, with the operator's own defaults for what it leaves out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from celeriac.api.v1alpha1 import CatchUp, CatchUpPolicy, ConcurrencyPolicy, CronTaskSpec

GRACE = timedelta(seconds=60)
"""So late a slot is on time: a leader that takes over, or an API server that is away for a moment, misses none."""


@dataclass(frozen=True, slots=True)
class CronPolicy:
    """Every value settled."""

    concurrency: ConcurrencyPolicy
    catch_up: CatchUpPolicy
    window: timedelta
    max_runs: int
    jitter_seconds: int
    successful_kept: int
    failed_kept: int


def policy_of(spec: CronTaskSpec) -> CronPolicy:
    """The policy of a CronTask."""
    catch_up = spec.catch_up or CatchUp()
    successful, failed = spec.successful_tasks_history_limit, spec.failed_tasks_history_limit
    return CronPolicy(
        concurrency=spec.concurrency_policy or "Allow",
        catch_up=catch_up.policy or "None",
        window=timedelta(seconds=catch_up.window_seconds or 604_800),
        max_runs=catch_up.max_runs or 10,
        jitter_seconds=spec.jitter_seconds or 0,
        successful_kept=3 if successful is None else successful,
        failed_kept=1 if failed is None else failed,
    )
