"""One frozen snapshot of all that a decision about a CronTask needs."""

from __future__ import annotations

from celeriac_operator.core.cron.facts import CronFacts, CronWorld, run_of
from celeriac_operator.core.facts import Key, Refusal, TaskFacts
from celeriac_operator.kube import api
from celeriac_operator.kube.api import KubeApi
from celeriac_operator.kube.cache import Cache


async def observe_cron(cron: CronFacts, cache: Cache, kube: KubeApi, refusal: Refusal | None) -> CronWorld:
    """The snapshot for one CronTask.

    A run that the status calls active and that the cache does not have is either gone or not yet seen: the API server
    is asked, so that another one is not started beside it.
    """
    for active in cron.status.active:
        key = Key(cron.key.namespace, active.name)
        if key not in cache.tasks.entries:
            raw = await kube.get(api.TASKS, *key)
            if raw is not None:
                cache.put("tasks", raw)
    owned = (task for task in cache.tasks.owned_by(cron.uid) if isinstance(task, TaskFacts))
    runs = sorted((run_of(cron.key, task) for task in owned), key=lambda run: run.name)
    return CronWorld(cron, tuple(runs), refusal)
