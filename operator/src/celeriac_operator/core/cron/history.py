"""Finished runs that are kept: the newest of each kind. Backfills go by their own TTL. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from celeriac_operator.core.cron.facts import Run
from celeriac_operator.core.cron.plan import DeleteRun
from celeriac_operator.core.cron.view import CronView


def beyond_history(view: CronView) -> tuple[DeleteRun, ...]:
    """The oldest finished runs beyond the limits; never one that the status does not know yet."""
    finished = [run for run in view.world.runs if run.finished and not run.backfill and not run.deleting]
    settled = [run for run in finished if run.slot is None or run.slot <= view.fence]
    settled.sort(key=lambda run: (run.finish_time or run.created, run.name))
    good, bad = [run for run in settled if run.succeeded], [run for run in settled if not run.succeeded]
    return (*_oldest(good, view.policy.successful_kept), *_oldest(bad, view.policy.failed_kept))


def _oldest(runs: list[Run], kept: int) -> Iterable[DeleteRun]:
    return (DeleteRun(run.name, run.uid) for run in runs[: max(len(runs) - kept, 0)])
