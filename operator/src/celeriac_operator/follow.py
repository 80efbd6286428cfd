"""List and watch without kopf's pipeline, for the two kinds whose events are nearly all that comes: pods and Tasks.

A watch goes on from the list before it, so that nothing is lost between the two (the "reflector" of Kubernetes'
client-go). kopf makes loggers, views and several tasks of the event loop for each event, for features that are not
used here: a quarter of the operator's CPU time in a burst.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from celeriac_operator.core.facts import Key
from celeriac_operator.kube.api import ApiError, KubeApi, Raw, Resource
from celeriac_operator.kube.parse import key_of

log = structlog.get_logger()

RECONNECT_SECONDS = 1.0
GONE = 410
"""Status code: the API server has forgotten what came after that resourceVersion."""


class Follower:
    """Follows the objects of a kind.

    Args:
        scope: a namespace; None: the whole cluster.
        saw: is told the type of each event, and its object; of each that a list has, as if it were ADDED.
        listed: is told after a list what it had, and of which resourceVersion it was: all else from before is gone.
    """

    def __init__(
        self,
        kube: KubeApi,
        resource: Resource,
        labels: str,
        scope: str | None,
        saw: Callable[[str, Raw], None],
        listed: Callable[[set[Key], int], None],
    ) -> None:
        self._kube, self._resource, self._labels, self._scope = kube, resource, labels, scope
        self._saw, self._listed = saw, listed
        self._since = ""

    @property
    def kind(self) -> str:
        """What is followed, in the plural."""
        return self._resource.plural

    async def list(self) -> None:
        """Tell of all that is there. Raises ApiError or OSError where it cannot be listed."""
        there: set[Key] = set()
        version = ""
        async for page in self._kube.pages(self._resource, self._scope, labels=self._labels):
            version = page["metadata"]["resourceVersion"]
            for raw in page["items"]:
                there.add(key_of(raw))
                self._saw("ADDED", raw)
        self._listed(there, int(version))
        self._since = version

    async def run(self) -> None:
        """Watch for ever, from where the list or the last watch ended."""
        while True:
            if not await self._until_it_ends():
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _until_it_ends(self) -> bool:
        """One watch; whether it is worth going on at once."""
        heard = False
        try:
            if not self._since:
                await self.list()
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
