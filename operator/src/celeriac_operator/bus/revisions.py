"""Contents of TaskDefinitions are kept as they appear where messages may come: some may have been made for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from celeriac_operator.core.facts import Key
from celeriac_operator.kube import api
from celeriac_operator.kube.api import ApiError, KubeApi
from celeriac_operator.kube.cache import Cache
from celeriac_operator.manifests.revision import build_revision

KEEP_SECONDS = 2.0


async def keep_revisions(cache: Cache, kube: KubeApi, ours: Callable[[str], bool]) -> None:
    """Store the content of each TaskDefinition in namespaces that have a TaskQueue, once."""
    namespaces = {key.namespace for key in cache.queues.entries if ours(key.namespace)}
    for key, entry in list(cache.definitions.entries.items()):
        if entry.facts is None or key.namespace not in namespaces:
            continue
        revision = entry.facts.revision
        stored = Key(key.namespace, revision.name)
        if stored not in cache.revisions:
            try:
                await kube.create(api.REVISIONS, key.namespace, build_revision(key.namespace, revision))
            except ApiError as error:
                if error.status != 409:
                    raise
            cache.revisions[stored] = replace(revision, stored=True)
