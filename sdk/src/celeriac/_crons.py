"""What can be done with CronTasks through the API server. The clients are thin covers of this module's functions."""

from __future__ import annotations

import secrets
import uuid

from celeriac import _tasks, errors
from celeriac._api import Api
from celeriac._cron_task import CronTask, parse_cron
from celeriac._task import Task
from celeriac._wire import may_be_name, resource_path
from celeriac.api.v1alpha1 import API_VERSION
from celeriac.cron.run import build_run, manual_name
from celeriac.wire.canonical import digest
from celeriac.wire.names import REQUEST_DIGEST

_MARK_CHARACTERS = "bcdfghjklmnpqrstvwxz2456789"
"""As Kubernetes' own: no words, and nothing that looks like something else."""
_MARK_LENGTH = 5
_MOST_TRIES = 10


def crons_path(namespace: str | None, *name: str) -> str:
    """The path of a CronTask, of the CronTasks of a namespace, or of all.

    Raises CronTaskNotFound: the name would be taken for the collection, or for a part of an object.
    """
    if not all(map(may_be_name, name)):
        raise errors.CronTaskNotFound(f"{name[0]!r} is no name: give a CronTask's, as `celeriac cron list` shows.")
    return resource_path(f"/apis/{API_VERSION}", "crontasks", namespace, *name)


async def get(api: Api, namespace: str, name: str) -> CronTask:
    """The CronTask as it is now."""
    return parse_cron(await api.get(crons_path(namespace, name)))


async def find(api: Api, namespace: str | None) -> tuple[CronTask, ...]:
    """The CronTasks of a namespace, or of all where it is None, by name."""
    items, _ = await api.items(crons_path(namespace), ())
    return tuple(sorted(map(parse_cron, items), key=lambda cron: (cron.namespace, cron.name)))


async def trigger(api: Api, namespace: str, name: str) -> Task:
    """Run the CronTask's template now, whatever its schedule, its concurrencyPolicy and suspend say."""
    cron = await get(api, namespace, name)
    nonce = uuid.uuid4().hex  # so that a create whose answer was lost is known as this one
    for _ in range(_MOST_TRIES):
        mark = "".join(secrets.choice(_MARK_CHARACTERS) for _ in range(_MARK_LENGTH))
        manifest = build_run(identity_of(cron), cron.spec.task_template, manual_name(cron.name, mark), None)
        manifest["metadata"]["annotations"][REQUEST_DIGEST] = digest({"trigger": nonce})
        try:
            return await _tasks.create(api, manifest)
        except errors.AlreadyExists:
            continue
    raise errors.AlreadyExists(f"CronTask {namespace}/{name} has runs of all the names that were tried. Try again.")


def identity_of(cron: CronTask) -> dict[str, str]:
    """What a run says of its CronTask."""
    return {"name": cron.name, "namespace": cron.namespace, "uid": cron.uid}
