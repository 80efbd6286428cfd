"""What the operator tells people of its queues, over HTTP: why a Task waits, its position, how full the queues are.

Positions change with every grant, so they are computed when asked and stored nowhere. Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.facts import Key, TaskFacts
from celeriac_operator.kube.cache import Cache
from celeriac_operator.queues import Queues

Json = dict[str, Any]


def queue_routes(queues: Queues, cache: Cache, ours: Callable[[str], bool] = lambda _: True) -> list[web.RouteDef]:
    """The paths below /api/v1.

    Args:
        ours: whether this replica works on a namespace: only the one that does knows its queues.
    """

    async def why(request: web.Request) -> web.Response:
        key = Key(request.match_info["namespace"], request.match_info["name"])
        if not ours(key.namespace):
            return _elsewhere(key.namespace)
        task = cache.tasks.get(key)
        if not isinstance(task, TaskFacts):
            return web.json_response({"message": f"no Task {key} is known"}, status=404)
        return web.json_response(why_of(task, queues))

    async def listed(request: web.Request) -> web.Response:
        namespace = request.match_info["namespace"]
        return (
            web.json_response({"items": queues_of(namespace, queues, cache)})
            if ours(namespace)
            else _elsewhere(namespace)
        )

    root = "/api/v1/namespaces/{namespace}"
    return [web.get(f"{root}/tasks/{{name}}/why", why), web.get(f"{root}/queues", listed)]


def _elsewhere(namespace: str) -> web.Response:
    return web.json_response({"message": f"another replica works on namespace {namespace}: ask again"}, status=503)


def why_of(task: TaskFacts, queues: Queues) -> Json:
    """Why a Task is where it is: what its queue says, else what its status says."""
    queue, _ = queues.history(task)
    waits, status = queues.admission.why(task.key), task.status
    return {
        "namespace": task.key.namespace,
        "name": task.key.name,
        "phase": status.phase,
        "reason": waits.reason if waits is not None else status.reason,
        "message": waits.message if waits is not None else status.message,
        "position": queues.admission.position(task.key),
        "queue": queue_of(queue, queues),
    }


def queues_of(namespace: str, queues: Queues, cache: Cache) -> list[Json]:
    """The queues of a namespace, declared or not, by name."""
    declared = {QueueKey(*key) for key in cache.queues.entries}
    found = sorted(queue for queue in {*declared, *queues.admission} if queue.namespace == namespace)
    return [{**queue_of(queue, queues), "declared": queue in declared} for queue in found]


def queue_of(queue: QueueKey, queues: Queues) -> Json:
    """How full a queue is, and what it follows."""
    counts, spec = queues.admission.counts(queue), queues.spec(queue)
    return {
        "name": queue.queue,
        "queued": counts.queued,
        "running": counts.running,
        "oldest": counts.oldest.isoformat() if counts.oldest is not None else None,
        "spec": spec.to_wire(),
    }
