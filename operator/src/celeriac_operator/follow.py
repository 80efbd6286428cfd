"""A watch without kopf's pipeline, for the two kinds whose events are nearly all that comes: pods and Tasks.

kopf makes loggers, views and several tasks of the event loop for each event, for features that are not used here: a
quarter of the operator's CPU time in a burst.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from celeriac_operator.kube.api import ApiError, KubeApi, Raw, Resource

log = structlog.get_logger()

RECONNECT_SECONDS = 1.0
GONE = 410
"""Status code: the API server has forgotten what came after that resourceVersion."""


class Follower:
    """Follows the objects of a kind.

    Args:
        scope: a namespace; None: the whole cluster.
        saw: is told the type of each event, and its object. What is there at the start comes first, as ADDED.
    """

    def __init__(
        self, kube: KubeApi, resource: Resource, labels: str, scope: str | None, saw: Callable[[str, Raw], None]
    ) -> None:
        self._kube, self._resource, self._labels, self._scope, self._saw = kube, resource, labels, scope, saw
        self._since = ""

    async def run(self) -> None:
        """Watch for ever. What is missed between two watches, such as a deletion, is left to the relist."""
        while True:
            if not await self._until_it_ends():
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _until_it_ends(self) -> bool:
        """One watch; whether it is worth going on at once."""
        heard = False
        try:
            async for kind, raw in self._kube.watch(
                self._resource, self._scope, labels=self._labels, since=self._since
            ):
                heard = True
                self._since = raw["metadata"]["resourceVersion"]
                if kind != "BOOKMARK":
                    self._saw(kind, raw)
        except (ApiError, OSError) as error:
            log.info("a watch has ended", kind=self._resource.plural, error=str(error) or type(error).__name__)
            if isinstance(error, ApiError) and error.status == GONE:
                self._since = ""
            return False
        return heard
