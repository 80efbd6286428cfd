"""kopf's watches, of what is set up and seldom changes: each event goes to the cache and into the work queue.

Nothing is decided here.
"""

from __future__ import annotations

from typing import Any

import kopf

from celeriac.api.v1alpha1 import GROUP, VERSION
from celeriac_operator.watch import Watch


def register_watches(registry: kopf.OperatorRegistry, watch: Watch) -> None:
    """Have kopf tell of every event of these kinds."""

    @kopf.on.event(GROUP, VERSION, "taskdefinitions", registry=registry)
    async def definition_seen(event: Any, **_: Any) -> None:
        watch.saw("definitions", event["type"], event["object"])

    @kopf.on.event(GROUP, VERSION, "taskqueues", registry=registry)
    async def queue_seen(event: Any, **_: Any) -> None:
        watch.saw("queues", event["type"], event["object"])

    @kopf.on.event(GROUP, VERSION, "crontasks", registry=registry)
    async def cron_seen(event: Any, **_: Any) -> None:
        watch.saw("crons", event["type"], event["object"])
