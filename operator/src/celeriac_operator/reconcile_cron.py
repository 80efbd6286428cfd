"""Observe, decide, apply, for a CronTask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from celeriac_operator.core.cron.decide import decide_cron
from celeriac_operator.core.cron.facts import CronFacts, CronKey, CronWorld
from celeriac_operator.core.cron.plan import CronPlan
from celeriac_operator.core.cron.poison import poisoned
from celeriac_operator.core.facts import Key, Refusal
from celeriac_operator.kube.api import KubeApi
from celeriac_operator.kube.apply_cron import CronApplier, StaleError
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.kube.observe_cron import observe_cron
from celeriac_operator.workqueue import WorkQueue


class CronReconciler:
    """Brings one CronTask at a time to where it should be.

    Args:
        clock: now, as an aware datetime.
    """

    def __init__(
        self,
        cache: Cache,
        kube: KubeApi,
        queue: WorkQueue[WorkKey],
        applier: CronApplier,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._cache, self._kube, self._queue, self._applier, self._clock = cache, kube, queue, applier, clock
        self._refusals: dict[CronKey, tuple[str, int, Refusal]] = {}
        """With the uid and generation that they are about."""
        self._poison: dict[CronKey, tuple[str, int, str]] = {}

    async def reconcile(self, key: CronKey) -> None:
        """Work on one CronTask.

        Raises:
            Exception: what went wrong; the work queue tries again, later and later.
        """
        cron = self._cache.crons.get(Key(key.namespace, key.name))
        if cron is None:
            self._refusals.pop(key, None)
            self._poison.pop(key, None)
            self._queue.forget(key)
        elif key in self._poison and self._poison[key][:2] == (cron.uid, cron.generation):
            status = poisoned(cron, self._poison[key][2], self._clock())
            await self._applier.apply(CronPlan(status=status if status != cron.status else None), cron, self._clock())
        else:
            await self._decide(cron)

    async def _decide(self, cron: CronFacts) -> None:
        now = self._clock()
        world = await observe_cron(cron, self._cache, self._kube, self._refusal(cron))
        plan = decide_cron(world, now)
        if plan.create is not None:
            try:
                world = await self._create(world, plan, now)
            except StaleError:
                return  # it is in the queue again, as it is now
            plan = decide_cron(world, now)
        await self._applier.apply(plan, cron, now)
        if plan.look_again is not None:
            self._queue.add_at(cron.key, plan.look_again)

    async def _create(self, world: CronWorld, plan: CronPlan, now: datetime) -> CronWorld:
        """The world after the create: with the run in it, or with what the API server said."""
        assert plan.create is not None  # noqa: S101
        cron = world.cron
        made = await self._applier.create(plan.create, cron, now)
        if isinstance(made, Refusal):
            self._refusals[cron.key] = (cron.uid, cron.generation, made)
            return replace(world, refusal=made)
        self._refusals.pop(cron.key, None)
        return replace(world, runs=(*world.runs, made), refusal=None)

    def _refusal(self, cron: CronFacts) -> Refusal | None:
        """A refusal is about one spec of one CronTask."""
        uid, generation, refusal = self._refusals.get(cron.key, ("", 0, None))
        return refusal if (uid, generation) == (cron.uid, cron.generation) else None

    def failed(self, key: CronKey, error: Exception) -> None:
        """It keeps making the operator fail: it is marked, and left alone until its spec changes."""
        cron = self._cache.crons.get(Key(key.namespace, key.name))
        if cron is not None:
            self._poison[key] = (cron.uid, cron.generation, f"{type(error).__name__}: {error}")
