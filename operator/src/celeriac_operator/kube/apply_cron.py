"""Carry out a CronPlan: a create, or one status write, then events, cancels and deletes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from celeriac.api.v1alpha1 import Cancel
from celeriac.cron.run import build_run, run_name
from celeriac_operator.core import names
from celeriac_operator.core.cron.facts import CronFacts, Run, run_of
from celeriac_operator.core.cron.plan import CancelRun, CreateRun, CronPlan, Outcome
from celeriac_operator.core.facts import Key, Refusal
from celeriac_operator.kube import api
from celeriac_operator.kube.api import ApiError, KubeApi
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.kube.events import post
from celeriac_operator.kube.parse import Raw, controller_uid, task_of, version_of
from celeriac_operator.metrics import CRON_LAG, CRON_RUNS

QUOTA_RETRY = timedelta(seconds=10)
REFUSED_RETRY = timedelta(seconds=30)
TEMPLATE_RETRY = timedelta(minutes=5)
"""A template that the API server refuses may become good without a change of the CronTask: a policy is lifted."""
REPLACED = Cancel(reason="Replaced by the next run (concurrencyPolicy Replace)")


class StaleError(Exception):
    """The CronTask has changed since it was observed: it is looked at again, and nothing was done."""


@dataclass(frozen=True, slots=True)
class CronApplier:
    """What carrying out needs."""

    kube: KubeApi
    cache: Cache
    changed: Callable[[set[WorkKey]], None]
    """Is told which keys to look at again."""

    async def create(self, create: CreateRun, cron: CronFacts, now: datetime) -> Run | Refusal:
        """Create a slot's Task, or adopt it if it is there.

        Raises:
            StaleError: the CronTask is no longer as it was observed. A leader that has just taken over may have an old
                one in its cache, and must not run a slot again whose Task has come and gone.
        """
        await self._make_sure(cron)
        name = run_name(cron.key.name, create.slot)
        identity = {"name": cron.key.name, "namespace": cron.key.namespace, "uid": cron.uid}
        manifest = build_run(identity, cron.spec.task_template, name, create.slot)
        try:
            raw = await self.kube.create(api.TASKS, cron.key.namespace, manifest)
        except ApiError as error:
            if error.status != 409:
                return _refusal(error, now)
            return await self._adopt(cron, name, now)
        CRON_RUNS.labels(Outcome.STARTED).inc()
        CRON_LAG.observe(max((now - create.due).total_seconds(), 0.0))
        self.changed(self.cache.put("tasks", raw))
        return run_of(cron.key, task_of(raw))

    async def _make_sure(self, cron: CronFacts) -> None:
        fresh = await self.kube.get(api.CRONS, cron.key.namespace, cron.key.name)
        if fresh is not None and version_of(fresh) == int(cron.version):
            return
        self._take_in(fresh, cron)
        raise StaleError

    def _take_in(self, fresh: Raw | None, cron: CronFacts) -> None:
        """What the CronTask is now, where it is another than was observed."""
        key = Key(cron.key.namespace, cron.key.name)
        changed = self.cache.put("crons", fresh) if fresh is not None else self.cache.drop("crons", key)
        self.changed(changed | {cron.key})

    async def _adopt(self, cron: CronFacts, name: str, now: datetime) -> Run | Refusal:
        """It was created before, by this operator or another, and was not seen here."""
        found = await self.kube.get(api.TASKS, cron.key.namespace, name)
        if found is not None and controller_uid(found) == cron.uid:
            self.changed(self.cache.put("tasks", found))
            return run_of(cron.key, task_of(found))
        taken = f"Task {name} exists and is not this CronTask's: delete it"
        return Refusal(names.RUN_NAME_TAKEN, taken, now + QUOTA_RETRY)

    async def apply(self, plan: CronPlan, cron: CronFacts, now: datetime) -> None:
        """Carry out all but the create."""
        if plan.status is not None and not await self._write_status(plan, cron):
            return  # the decision was made from an old state
        if plan.passed is not None:
            outcome, count = plan.passed
            CRON_RUNS.labels(outcome).inc(count)
        for event in plan.events:
            await post(self.kube, cron, event, now)
        for run in plan.cancel:
            await self._cancel(run, cron)
        for gone in plan.delete:
            await self.kube.delete(api.TASKS, cron.key.namespace, gone.name, gone.uid)

    async def _write_status(self, plan: CronPlan, cron: CronFacts) -> bool:
        """Write the status, if the CronTask is still as it was observed; else have it observed again."""
        assert plan.status is not None  # noqa: S101
        namespace, name, _ = cron.key
        try:
            raw = await self.kube.write_status(api.CRONS, namespace, name, cron.version, plan.status.to_wire())
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            self._take_in(await self.kube.get(api.CRONS, namespace, name), cron)
            return False
        self.changed(self.cache.put("crons", raw))
        return True

    async def _cancel(self, run: CancelRun, cron: CronFacts) -> None:
        patch = {"spec": {"cancel": REPLACED.to_wire()}}
        try:
            raw = await self.kube.merge(api.TASKS, cron.key.namespace, run.name, run.uid, patch)
        except ApiError as error:
            if error.status not in (404, 409, 422):
                raise
            return  # it is gone, or another wish was there first
        self.changed(self.cache.put("tasks", raw))


def _refusal(error: ApiError, now: datetime) -> Refusal:
    """What a refused create means.

    Raises:
        ApiError: it means nothing about the CronTask; the work queue tries again.
    """
    if error.status not in (400, 403, 413, 422):
        raise error
    if "exceeded quota" in error.message:
        return Refusal(names.QUOTA_EXCEEDED, error.message, now + QUOTA_RETRY)
    if error.status == 403 and "denied" not in error.message:
        return Refusal(names.REFUSED, error.message, now + REFUSED_RETRY)
    message = f"spec.taskTemplate makes a Task that the API server refuses: {error.message}"
    return Refusal(names.INVALID_TEMPLATE, message, now + TEMPLATE_RETRY)
