"""What the operator keeps in NATS, wired: records, large values, and the history of tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import structlog

from celeriac.wire.names import PAYLOADS_BUCKET, RESULTS_BUCKET
from celeriac_operator.bus.bucket import Bucket
from celeriac_operator.bus.connection import TROUBLE, Bus, BusDown
from celeriac_operator.bus.expiry import Expiry
from celeriac_operator.bus.history import History
from celeriac_operator.bus.payloads import Payloads
from celeriac_operator.bus.records import RecordBook
from celeriac_operator.core.facts import TaskFacts
from celeriac_operator.core.task_record import record_of
from celeriac_operator.fence import NotLeading
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.metrics import RECONCILE_ERRORS, RECORDS
from celeriac_operator.settings import Settings

log = structlog.get_logger()

EXPIRY_SECONDS = 30.0
BREATH_SECONDS = 2.0
"""Between two goes at what has expired, where the first has not found the end of it: what runs comes first."""
COLLECT_SECONDS = 600.0


class Keeping:
    """Records, large values and history.

    Args:
        permit: is asked before each write; see ``fence.py``.
        changed: is told which keys to look at again.
        ours: whether this replica works on a namespace.
        clock: now, as an aware datetime.
    """

    def __init__(
        self,
        bus: Bus,
        cache: Cache,
        settings: Settings,
        permit: Callable[[str], AbstractContextManager[float]],
        changed: Callable[[set[WorkKey]], None],
        ours: Callable[[str], bool],
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._bus, self._cache, self._settings, self._clock = bus, cache, settings, clock
        retention = settings.record_retention
        self._bucket = Bucket(bus, RESULTS_BUCKET)
        self.book = RecordBook(self._bucket, lambda keys: changed(set(keys)), permit, retention)
        self.history = History(bus, clock)
        self._expiry = Expiry(bus, RESULTS_BUCKET, ours, permit, retention, self._cache.task_uids)
        self._payloads = Payloads(bus, PAYLOADS_BUCKET, self._tasks, ours, permit, retention)
        RECORDS.set_function(lambda: self.book.size)

    def _tasks(self) -> Iterable[TaskFacts]:
        facts = (entry.facts for entry in list(self._cache.tasks.entries.values()))
        return (task for task in facts if isinstance(task, TaskFacts))

    def duties(self) -> list[Coroutine[Any, Any, None]]:
        """What goes on in the background; nothing, without NATS."""
        if not self._bus.enabled:
            return []
        return [
            self._bucket.follow(self.book.told, self.book.begin),
            self.history.run(),
            self._every(self._settings.relist_seconds, self._relist),
            self._every(EXPIRY_SECONDS, self.expire),
            self._every(COLLECT_SECONDS, lambda: self._payloads.collect(self._clock())),
        ]

    async def _relist(self) -> None:
        """Have everything looked up again: whatever news were missed."""
        if self._bucket.ready:
            self.book.begin()

    async def expire(self) -> None:
        """Go on while something goes: more may expire in a while than one go deletes, and the volume would fill up."""
        while True:
            if await self._expiry.sweep(self._clock()) == 0:
                return
            await asyncio.sleep(BREATH_SECONDS)

    async def _every(self, seconds: float, do: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await do()
            except (*TROUBLE, BusDown, NotLeading) as error:
                log.debug("left for later", error=str(error))
            except Exception as error:  # a bug here must not stop what else the operator does
                RECONCILE_ERRORS.labels("bug").inc()
                log.error("background work raised, trying again later", exc_info=error)

    async def recorded(self, task: TaskFacts) -> bool:
        """Whether a finished Task may be deleted: one that came by message has its record first.

        Raises:
            BusDown: NATS has stopped answering just now.
            NotLeading: another replica works on the namespace.
        """
        if task.submission is None or self.book.bus == "Off":
            return True
        if self.book.bus == "Down":
            return False
        record = record_of(task, task.status, self.book.retention)
        return record is None or record.expire_time <= self._clock() or await self.book.finish(task, record)
