"""What a replica works on: the namespaces of the shards that it holds, once it knows what happened there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from celeriac_operator.background import Background
from celeriac_operator.core.shards import shard_of
from celeriac_operator.kube.cache import Cache, WorkKey
from celeriac_operator.metrics import LEADER
from celeriac_operator.watch import Watch

log = structlog.get_logger()


class Duties:
    """The shards that are worked on.

    Args:
        add: puts a key into the work queue.
        background: runs what prepares a shard.
        begin: is told which namespaces are taken up, once all is known of them and before anything is decided there.
        end: is told which are laid down; what it does is done before they are anybody else's.
    """

    def __init__(
        self,
        shards: int,
        cache: Cache,
        watch: Watch,
        add: Callable[[WorkKey], None],
        background: Background,
        *,
        begin: Callable[[Callable[[str], bool]], None],
        end: Callable[[Callable[[str], bool]], Awaitable[None]],
    ) -> None:
        self._shards, self._cache, self._watch = shards, cache, watch
        self._add, self._background, self._begin, self._end = add, background, begin, end
        self._active: set[int] = set()
        self._coming: dict[int, asyncio.Task[None]] = {}
        for shard in range(shards):
            LEADER.labels(str(shard)).set(0)

    def ours(self, namespace: str) -> bool:
        """Whether the namespace is worked on here."""
        return shard_of(namespace, self._shards) in self._active

    def take_up(self, shard: int) -> None:
        """Work on a shard that is held now: list what others have changed, then look at everything there."""
        LEADER.labels(str(shard)).set(1)
        self._coming[shard] = self._background.spawn(self._prepare(shard))

    async def _prepare(self, shard: int) -> None:
        of_shard = self._of_shard(shard)
        await self._background.until_done(f"taking up shard {shard}", lambda: self._watch.refresh(of_shard))
        self._begin(of_shard)
        self._active.add(shard)
        keys = self._cache.work_keys(of_shard)
        for key in keys:
            self._add(key)
        log.info("working on a shard", shard=shard, shards=self._shards, keys=len(keys))

    def _of_shard(self, shard: int) -> Callable[[str], bool]:
        return lambda namespace: shard_of(namespace, self._shards) == shard

    async def lay_down(self, shard: int) -> None:
        """Begin nothing more in a shard that is about to be given away, and leave nothing undone there."""
        LEADER.labels(str(shard)).set(0)
        self._active.discard(shard)
        coming = self._coming.pop(shard, None)
        if coming is not None:
            coming.cancel()
        await self._end(self._of_shard(shard))
