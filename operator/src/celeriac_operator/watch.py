"""What the watches tell, and whether they still do: lists at start, events from then on, relists that repair.

Watches can lose an event (a deletion during a relist) or fall silent; a list compared with the cache finds
either. A watch that needs repair twice in a row counts as dead, and liveness fails.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any

import structlog

from celeriac_operator.core.facts import Key
from celeriac_operator.core.names import MANAGED_BY, MANAGED_BY_LABEL
from celeriac_operator.follow import Follower
from celeriac_operator.kube import api
from celeriac_operator.kube.api import KubeApi, Resource
from celeriac_operator.kube.cache import UNREADABLE, Cache, WorkKey
from celeriac_operator.kube.parse import Raw, key_of, revision_from, version_of
from celeriac_operator.metrics import WATCH_AGE, WATCH_EVENTS, WATCH_REPAIRS

log = structlog.get_logger()

MANAGED = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
WATCHED: dict[str, tuple[Resource, str]] = {
    "queues": (api.QUEUES, ""),
    "crons": (api.CRONS, ""),
    "definitions": (api.DEFINITIONS, ""),
    "pods": (api.PODS, MANAGED),
    "tasks": (api.TASKS, ""),
}
"""Kind to resource and label selector, of what is watched.

Jobs are not: the operator made them and knows them, their pods tell what happens, and where a pod is gone the Job is
asked (``kube/observe.py``). That is a third of all events, and none that a decision waited for.
"""
FOLLOWED = ("pods", "tasks")
"""What kopf does not watch; see ``follow.py``."""
LISTED = {**WATCHED, "jobs": (api.JOBS, MANAGED)}
"""What is listed: what is watched, at the start; Jobs and Tasks, when a shard is taken up."""

SETTLE_SECONDS = 10.0
"""How long a watch may lag behind a list before that counts as missed."""
DEAD_AFTER = 2


class Watch:
    """Feeds the cache.

    Args:
        namespaces: the namespaces that are watched; none: the whole cluster.
        changed: is told which keys to look at again.
    """

    def __init__(
        self, cache: Cache, kube: KubeApi, namespaces: Sequence[str], changed: Callable[[set[WorkKey]], None]
    ) -> None:
        self._cache, self._kube, self._changed = cache, kube, changed
        self._scopes: Sequence[str | None] = namespaces or (None,)
        self._repaired = dict.fromkeys(WATCHED, 0)
        for kind in WATCHED:
            self._seen(kind)
            WATCH_EVENTS.labels(kind)
        self._followers = [self._follower(kind, scope) for kind in FOLLOWED for scope in self._scopes]

    def _follower(self, kind: str, scope: str | None) -> Follower:
        gone = partial(self._forget_gone, kind, scope)
        return Follower(self._kube, *WATCHED[kind], scope, partial(self.saw, kind), gone)

    def _seen(self, kind: str) -> None:
        last = time.monotonic()
        WATCH_AGE.labels(kind).set_function(lambda: time.monotonic() - last)

    def saw(self, kind: str, event: str | None, raw: Raw) -> None:
        """An event of a watch."""
        WATCH_EVENTS.labels(kind).inc()
        self._seen(kind)
        if event == "DELETED":
            key = key_of(raw)
            if version_of(raw) >= self._cache.kind(kind).version(key):  # else it was made again, and we know it already
                self._changed(self._cache.drop(kind, key))
        else:
            self._changed(self._cache.hear(kind, raw))

    def follow(self) -> Iterator[Coroutine[Any, Any, None]]:
        """The watches that are not kopf's, each to be run beside the rest, for ever."""
        for follower in self._followers:
            yield follower.run()

    async def fill(self) -> None:
        """List what is watched, before the first decision is made."""
        for kind in WATCHED:
            if kind not in FOLLOWED:
                async for raw in self._listed(kind):
                    self._changed(self._cache.put(kind, raw))
        for follower in self._followers:
            await follower.list()

    def _forget_gone(self, kind: str, scope: str | None, there: set[Key], version: int) -> None:
        """What was known before a list, and is not in it, is gone: nobody will tell of it any more."""
        known = self._cache.kind(kind).entries.items()
        gone = [key for key, entry in known if key not in there and entry.version <= version]
        for key in gone:
            if scope in (None, key.namespace):
                self._changed(self._cache.drop(kind, key))

    async def refresh(self, ours: Callable[[str], bool]) -> None:
        """List what another replica has changed while it worked on these namespaces: Jobs, which are not watched, and
        Tasks, whose watch may be behind. Who has not seen that a Task was given to a waiting pod would start it again.

        Args:
            ours: whether a namespace is one of those that are about to be worked on.
        """
        for follower in self._followers:
            if follower.kind == "tasks":
                await follower.list()
        listed: set[Key] = set()
        async for raw in self._listed("jobs"):
            if ours(key_of(raw).namespace):
                listed.add(key_of(raw))
                self._cache.put("jobs", raw)
        for key in [key for key in self._cache.jobs.entries if ours(key.namespace) and key not in listed]:
            self._cache.jobs.drop(key)
        self._cache.forget_orphans()
        await self._refresh_revisions(ours)

    async def _refresh_revisions(self, ours: Callable[[str], bool]) -> None:
        for key in [key for key in self._cache.revisions if ours(key.namespace)]:
            del self._cache.revisions[key]
        for scope in self._scopes:
            async for raw in self._kube.list(api.REVISIONS, scope, labels=MANAGED):
                if ours(key_of(raw).namespace):
                    self._keep_revision(raw)

    def _keep_revision(self, raw: Raw) -> None:
        try:
            self._cache.revisions[key_of(raw)] = revision_from(raw)
        except UNREADABLE as error:
            log.warning("revision cannot be read", revision=str(key_of(raw)), error=str(error))

    async def _listed(self, kind: str) -> AsyncIterator[Raw]:
        resource, labels = LISTED[kind]
        for scope in self._scopes:
            async for raw in self._kube.list(resource, scope, labels=labels):
                yield raw

    async def relist(self) -> None:
        """Compare everything with a list, and repair what a watch has missed."""
        for kind in WATCHED:
            repairs = await self._repair(kind)
            self._repaired[kind] = self._repaired[kind] + 1 if repairs else 0
            if repairs:
                WATCH_REPAIRS.labels(kind).inc(repairs)
                log.warning("a watch has missed changes; they are repaired", kind=kind, objects=repairs)

    async def _repair(self, kind: str) -> int:
        """A difference counts once the watch has had time to catch up."""
        known = {key: entry.version for key, entry in self._cache.kind(kind).entries.items()}
        listed: set[Key] = set()
        newer: list[Raw] = []
        async for raw in self._listed(kind):
            listed.add(key_of(raw))
            if version_of(raw) > self._cache.kind(kind).version(key_of(raw)):
                newer.append(raw)
        gone = {key: version for key, version in known.items() if key not in listed}
        if newer or gone:
            await asyncio.sleep(SETTLE_SECONDS)
        missed = [raw for raw in newer if version_of(raw) > self._cache.kind(kind).version(key_of(raw))]
        missed = [raw for raw in missed if await self._still_there(kind, raw)]
        left = [key for key, version in gone.items() if self._cache.kind(kind).version(key) == version]
        for raw in missed:
            self._changed(self._cache.put(kind, raw))
        for key in left:
            self._changed(self._cache.drop(kind, key))
        return len(missed) + len(left)

    async def _still_there(self, kind: str, raw: Raw) -> bool:
        """An object that came and went meanwhile was not missed."""
        return await self._kube.get(WATCHED[kind][0], *key_of(raw)) is not None

    @property
    def dead(self) -> list[str]:
        """Kinds whose watch has needed repair again and again."""
        return [kind for kind, times in self._repaired.items() if times >= DEAD_AFTER]
