"""Reads what is compared; it writes nothing, and makes no consumer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from nats.aio.client import Client

from celeriac import errors
from celeriac._api import Api
from celeriac._cron_task import parse_cron
from celeriac._crons import crons_path
from celeriac._task import parse_task
from celeriac._wire import queues_path, resource_path, tasks_path
from celeriac.audit.evidence import Evidence, Job
from celeriac.audit.read_bus import BusReader

T = TypeVar("T")
Raw = dict[str, Any]

MANAGED = ("labelSelector", "app.kubernetes.io/managed-by=celeriac")


async def read(api: Api, client: Client | None, namespace: str | None, now: datetime) -> Evidence:
    """What there is in a namespace, or in all.

    NATS comes first: what it acknowledges meanwhile is a Task by then. The streams are asked once more at the end, or
    one would seem older than a Task that has come meanwhile.

    Raises:
        CeleriacError, nats.errors.Error: the API server or NATS does not answer, or refuses.
    """
    unread: list[str] = []
    reader = BusReader(client, namespace or "*", unread) if client is not None else None
    bus = await reader.read() if reader is not None else None
    evidence = await _read_cluster(api, namespace, now, unread)
    if reader is not None and bus is not None:
        bus = replace(bus, streams=tuple(await reader.streams()))
    return replace(evidence, bus=bus, unread=tuple(unread))


async def _read_cluster(api: Api, namespace: str | None, now: datetime, unread: list[str]) -> Evidence:
    tasks = await _items(api, tasks_path(namespace), unread)
    jobs = await _items(api, resource_path("/apis/batch/v1", "jobs", namespace), unread, MANAGED)
    queues = await _items(api, queues_path(namespace), unread)
    crons = await _items(api, crons_path(namespace), unread)
    return Evidence(
        now,
        tasks=tuple(_parsed("Task", parse_task, tasks, unread)),
        jobs=tuple(_job(each) for each in jobs),
        crons=tuple(_parsed("CronTask", parse_cron, crons, unread)),
        queues=frozenset((each["metadata"]["namespace"], each["metadata"]["name"]) for each in queues),
    )


async def _items(api: Api, path: str, unread: list[str], *query: tuple[str, str]) -> list[Raw]:
    try:
        found, _ = await api.items(path, query)
    except errors.Forbidden as error:
        unread.append(f"{path}: {error}")
        return []
    return found


def _parsed(kind: str, parse: Callable[[Mapping[str, Any]], T], items: Iterable[Raw], unread: list[str]) -> list[T]:
    found = list[T]()
    for raw in items:
        try:
            found.append(parse(raw))
        except ValueError as error:
            meta = raw["metadata"]
            unread.append(f"{kind} {meta['namespace']}/{meta['name']}: {str(error).splitlines()[0]}")
    return found


def _job(raw: Raw) -> Job:
    meta = raw["metadata"]
    owner: Raw = next((each for each in meta.get("ownerReferences") or () if each.get("controller")), {})
    return Job(meta["namespace"], meta["name"], owner.get("kind", ""), owner.get("uid", ""))
