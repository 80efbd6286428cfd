"""Runs of slots that have passed, a few at a time, under the very names that the operator would have given them."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from celeriac import _tasks, errors
from celeriac._api import Api
from celeriac._cron_task import CronTask
from celeriac._crons import identity_of
from celeriac._request import check_time
from celeriac._task import Task
from celeriac._wire import tasks_path
from celeriac.cron.run import build_run, run_name

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class BackfillRun:
    """What became of one slot."""

    slot: datetime
    name: str
    """Name of the slot's Task."""
    existed: bool = False
    """The Task was there already: it is waited for, and not run again."""
    task: Task | None = None
    """The Task, once it has finished."""
    error: errors.CeleriacError | None = None
    """Why there is none."""

    @property
    def succeeded(self) -> bool:
        """True if the slot's Task has succeeded."""
        return self.task is not None and self.task.succeeded


def slots_of(cron: CronTask, start: datetime, end: datetime, most: int, now: datetime) -> tuple[datetime, ...]:
    """The slots from start to end, both included, that have passed, the oldest first, at most so many.

    Raises InvalidTask: the CronTask's schedule cannot be used, or a time has no zone.
    """
    check_time("start", start)
    check_time("end", end)
    try:
        calendars = importlib.import_module("celeriac.cron.calendar")
    except ModuleNotFoundError as error:
        raise errors.CeleriacError(f"Backfill needs {error.name}: run pip install 'celeriac[cron]'.") from error
    try:
        calendar = calendars.calendar_of(cron.spec, cron.namespace, cron.name)
    except ValueError as error:
        raise errors.InvalidTask(f"CronTask {cron.namespace}/{cron.name}: {error}.") from None
    return tuple(islice(calendar.between(start - _SECOND, min(end, now)), most))


async def backfill(
    api: Api, cron: CronTask, slots: Iterable[datetime], concurrency: int
) -> AsyncGenerator[BackfillRun, None]:
    """Run the slots, at most so many at once; each is given when it has ended. Closed early, it starts no more."""
    left = iter(slots)
    running: set[asyncio.Task[BackfillRun]] = set()
    try:
        while True:
            for slot in islice(left, max(concurrency, 1) - len(running)):
                running.add(asyncio.create_task(_run(api, cron, slot)))
            if not running:
                return
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                yield each.result()
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _run(api: Api, cron: CronTask, slot: datetime) -> BackfillRun:
    """One slot from its Task's creation to its end. Its trouble is its own."""
    name = run_name(cron.name, slot)
    try:
        uid, existed = await _create(api, cron, name, slot)
        task = await _tasks.wait(api, cron.namespace, name, None, uid)
    except errors.CeleriacError as error:
        return BackfillRun(slot, name, error=error)
    return BackfillRun(slot, name, existed, task)


async def _create(api: Api, cron: CronTask, name: str, slot: datetime) -> tuple[str, bool]:
    """The uid of the slot's Task, and whether it was there before."""
    manifest = build_run(identity_of(cron), cron.spec.task_template, name, slot, backfill=True)
    try:
        created = await api.create(tasks_path(cron.namespace), manifest)
    except errors.AlreadyExists:
        found = await api.get(tasks_path(cron.namespace, name))
        if not any(owner["uid"] == cron.uid for owner in found["metadata"].get("ownerReferences") or ()):
            raise errors.AlreadyExists(
                f"Task {cron.namespace}/{name} exists and is not a run of {cron.name}."
            ) from None
        return found["metadata"]["uid"], True
    return created["metadata"]["uid"], False
