"""Observe, decide, apply: every trigger ends here, and nothing else changes a Task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from celeriac.api.v1alpha1 import Defaults, TaskDefinitionStatus, TaskStatus
from celeriac_operator.bus.connection import BusDown
from celeriac_operator.bus.records import RecordBook
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.admission.status import PAUSE_SECONDS
from celeriac_operator.core.cron.facts import CronKey
from celeriac_operator.core.decide import decide
from celeriac_operator.core.definition import DefinitionFacts, DefinitionKey, definition_status
from celeriac_operator.core.facts import Key, Refusal, TaskFacts, World
from celeriac_operator.core.poison import TRIES, poisoned
from celeriac_operator.core.task_record import record_of, record_of_deleted, status_of_deleted
from celeriac_operator.core.warm.decide import AHEAD, status_of, unavailable
from celeriac_operator.fence import NotLeading
from celeriac_operator.kube import api
from celeriac_operator.kube.api import ApiError, KubeApi
from celeriac_operator.kube.apply import Applier
from celeriac_operator.kube.cache import Broken, Cache, WorkKey
from celeriac_operator.kube.observe import ask_for_job, observe
from celeriac_operator.metrics import RECONCILE_ERRORS, RECONCILE_TIME
from celeriac_operator.queues import Queues
from celeriac_operator.reconcile_cron import CronReconciler
from celeriac_operator.warm import WarmPools
from celeriac_operator.workqueue import WorkQueue

log = structlog.get_logger()

TROUBLE = (ApiError, BusDown, OSError, TimeoutError)
"""Errors of the API server, of NATS or the way to them: they say nothing about the Task, which is tried for ever."""

OUR_FAULT = frozenset({400, 413, 422})
"""Codes that say the request itself is wrong: trying it again for ever would not help."""


class Reconciler:
    """Brings one object at a time to where it should be.

    Args:
        clock: now, as an aware datetime.
    """

    def __init__(  # noqa: PLR0913, PLR0917  each kind of key has its own part
        self,
        cache: Cache,
        kube: KubeApi,
        queue: WorkQueue[WorkKey],
        applier: Applier,
        queues: Queues,
        defaults: Defaults,
        crons: CronReconciler,
        book: RecordBook,
        warm: WarmPools,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._cache, self._kube, self._queue, self._applier = cache, kube, queue, applier
        self._warm = warm
        self._definitions_written: dict[DefinitionKey, datetime] = {}
        self._queues, self._defaults, self._crons, self._clock = queues, defaults, crons, clock
        self._book = book
        self._refusals: dict[Key, Refusal] = {}
        self._poison: dict[WorkKey, str] = {}
        self._unfinished: dict[Key, TaskFacts] = {}
        """Tasks as they were last seen."""
        self._unsure: set[Key] = set()
        """Tasks of which a write was not answered: what is known of them may be old."""
        self._refused: set[Key] = set()
        """Tasks whose record is followed though it may be what the operator fails over; the next time it is not."""
        self._uids: dict[Key, str] = {}
        """Whose refusals and errors these are: a Task that was deleted and created again is another."""

    async def reconcile(self, key: WorkKey) -> None:
        """Work on one key.

        Raises:
            Exception: what went wrong; the work queue tries again, later and later.
        """
        with RECONCILE_TIME.time():
            if isinstance(key, DefinitionKey):
                await self._definition(key)
            elif isinstance(key, QueueKey):
                await self._queues.reconcile(key)
            elif isinstance(key, CronKey):
                await self._crons.reconcile(key)
            else:
                await self._task_and_say_so(key)

    async def _task_and_say_so(self, key: Key) -> None:
        """No slot is given out before every Task was looked at once; one that makes trouble counts as looked at."""
        try:
            await self._task(key)
        finally:
            self._queues.looked_at(key)

    async def _task(self, key: Key) -> None:
        if key in self._unsure:
            await self._read_again(key)
        task = self._cache.tasks.get(key)
        if task is None or self._uids.setdefault(key, task.uid) != task.uid:
            await self._see_off(key, is_taken=task is not None)
            self._forget(key)
        if task is None:
            return
        self._uids[key] = task.uid
        if isinstance(task, TaskFacts) and not task.finished:
            self._unfinished[key] = task
        else:
            self._unfinished.pop(key, None)
        if isinstance(task, Broken):
            self._queues.tell(key, None)
            self._warm.forget(key)
            await self._mark_broken(task)
        elif key in self._poison and not task.finished:
            await self._give_up(task, self._poison[key])
            del self._poison[key]
            self._queue.add(key)
        else:
            await self._decide(task)

    async def _give_up(self, task: TaskFacts, error: str) -> None:
        """A Task that makes the operator fail ends; whoever waits for its record is told, too.

        Where it had ended before, that is how it ends, unless it is what makes the operator fail: others may write
        records, too, and one that the API server refuses as a status would be tried for ever.
        """
        status = poisoned(task.status, error, self._clock())
        record = record_of(task, status, self._book.retention)
        wanted = record is not None and task.submission is not None and self._book.bus != "Off"
        stands = record is not None and wanted and not await self._book.finish(task, record)
        if not stands or task.key in self._refused:
            await self._applier.write_status(task, status)
            self._refused.discard(task.key)
        else:
            self._refused.add(task.key)

    async def _see_off(self, key: Key, *, is_taken: bool) -> None:
        """A Task was deleted: what goes on for it is to end. If it was unfinished its history says so, which tells it
        from one that was lost. Of one that came by message there is a record, too, for whoever waits for it.

        Args:
            is_taken: there is another Task of the name by now, and that one's end is the name's.
        """
        task = self._unfinished.get(key)
        if task is not None:
            await self._applier.stop_deleted(task)
        if task is not None and not is_taken:
            if task.submission is not None and self._book.bus != "Off":
                await self._book.finish(task, record_of_deleted(task, self._clock(), self._book.retention))
            self._applier.history(task, status_of_deleted(task.status))
        self._unfinished.pop(key, None)

    def _forget(self, key: Key) -> None:
        for remembered in (self._refusals, self._poison, self._uids):
            remembered.pop(key, None)
        self._refused.discard(key)
        self._queue.forget(key)
        self._book.forget(key)
        self._warm.forget(key)
        self._queues.tell(key, None)

    async def _decide(self, task: TaskFacts) -> None:
        now = self._clock()
        self._warm.release(task.key)
        refusal = self._refusals.get(task.key)
        seen = await observe(task, self._cache, self._kube, self._book, refusal, self._defaults, now)
        await self._queues.find(seen)
        world = self._warm.place(self._queues.place(seen))
        plan = decide(world, now)
        self._warm.reserve(task.key, plan)
        try:
            applied = await self._applier.apply(plan, world, now)
        except BusDown:
            await self._say_that_it_waits(world, now)
            raise
        except TROUBLE:
            self._unsure.add(task.key)
            raise
        self._warm.release(task.key)
        if not applied.stale:
            self._queues.tell(task.key, plan.standing)
        if applied.refusal is None:
            self._warm.took(world, plan, done=not applied.stale)
        kept = refusal is not None and now < refusal.retry_at and not plan.create
        self._remember(task.key, applied.refusal, kept=kept)
        if applied.world is not None:
            self._unfinished[task.key] = applied.world.task
            if applied.world.task.finished:
                self._unfinished.pop(task.key)  # it may be deleted before this status is heard of
        follows = plan if applied.world is None else decide(applied.world, now)
        if applied.world is not None and follows.acts:
            self._queue.add(task.key)  # most writes leave nothing to do, and to observe anew would cost more
        self._queue.look_at(task.key, follows.look_again)  # what it waited for before is no reason any more

    async def _read_again(self, key: Key) -> None:
        """A status or a Job may have been written: to decide without it could start its attempt a second time.

        The same goes for a Task that is gone, whose Job has gone with it.
        """
        raw = await self._kube.get(api.TASKS, *key)
        changed = self._cache.put("tasks", raw) if raw is not None else self._cache.drop("tasks", key)
        task = self._cache.tasks.get(key)
        if isinstance(task, TaskFacts):
            await ask_for_job(task, self._cache, self._kube)
        for each in changed - {key}:
            self._queue.add(each)
        self._unsure.discard(key)

    async def _say_that_it_waits(self, world: World, now: datetime) -> None:
        """NATS answers and takes no record, as where its disk is full: as long as that lasts, the status says so."""
        plan = decide(replace(world, records=replace(world.records, bus="Full")), now)
        if plan.status is not None and not plan.create:
            self._unsure.add(world.task.key)
            await self._applier.write_status(world.task, plan.status)
            self._unsure.discard(world.task.key)

    def _remember(self, key: Key, refused: Refusal | None, *, kept: bool) -> None:
        """A refusal counts until its time, or until a create goes through."""
        if refused is not None:
            self._refusals[key] = refused
            self._queue.add(key)
        elif not kept:
            self._refusals.pop(key, None)

    async def _mark_broken(self, task: Broken) -> None:
        """The stored status may be unreadable too, so it is replaced as a whole."""
        if task.marked:
            return
        status = poisoned(TaskStatus(), task.error, self._clock())
        try:
            raw = await self._kube.write_status(api.TASKS, *task.key, task.version, status.to_wire())
        except ApiError as error:
            if error.status not in (404, 409, 422):
                raise
            log.warning("unreadable task cannot be marked", task=str(task.key), error=str(error))
            return
        self._cache.put("tasks", raw)

    async def _definition(self, key: DefinitionKey) -> None:
        namespace, name, _ = key
        facts = self._cache.definitions.get(Key(namespace, name))
        if facts is None:
            self._definitions_written.pop(key, None)
            self._warm.gone(key)
            return
        if self._messages_may_name(namespace) and Key(namespace, facts.revision.name) not in self._cache.revisions:
            await self._applier.keep(namespace, facts.revision)
        now = self._clock()
        pool, look_again = await self._warm.keep(facts, known=self._queues.admission.knows)
        if look_again is not None:
            self._queue.add_at(key, look_again)
        isolated = facts.revision.spec.isolation in AHEAD
        why = unavailable(facts, pool.bus, pool.trouble) if isolated else None
        status = definition_status(facts, now, why, status_of(pool))
        if status == facts.status or self._is_too_soon(key, facts, status, now):
            return
        try:
            raw = await self._kube.write_status(api.DEFINITIONS, namespace, name, facts.version, status.to_wire())
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            return  # it has changed meanwhile, and its watch will tell
        self._cache.put("definitions", raw)

    def _messages_may_name(self, namespace: str) -> bool:
        """Whether messages may be made for definitions there: those run from what they were made for."""
        return self._book.bus != "Off" and any(key.namespace == namespace for key in self._cache.queues.entries)

    def _is_too_soon(
        self, key: DefinitionKey, facts: DefinitionFacts, status: TaskDefinitionStatus, now: datetime
    ) -> bool:
        """Numbers that change all the time are written now and then."""
        last = self._definitions_written.get(key)
        due = last + timedelta(seconds=PAUSE_SECONDS) if last is not None else now
        if now < due and status.model_copy(update={"warm": facts.status.warm}) == facts.status:
            self._queue.add_at(key, due)
            return True
        self._definitions_written[key] = now
        return False

    def failed(self, key: WorkKey, error: Exception, count: int) -> None:
        """Take note of an error; a Task that keeps making the operator fail is marked, so that it ends."""
        if isinstance(error, NotLeading):
            log.info("reconcile abandoned: another replica goes on", key=str(key), error=str(error))
            return
        trouble = isinstance(error, TROUBLE) and not (isinstance(error, ApiError) and error.status in OUR_FAULT)
        RECONCILE_ERRORS.labels("api" if trouble else "bug").inc()
        if trouble:
            log.warning(
                "reconcile failed, trying again", key=str(key), error=str(error) or type(error).__name__, tries=count
            )
            return
        log.error("reconcile raised", key=str(key), tries=count, exc_info=error)
        if count >= TRIES and isinstance(key, CronKey):
            self._crons.failed(key, error)
        elif count >= TRIES and isinstance(key, Key):
            self._poison[key] = f"{type(error).__name__}: {error}"
