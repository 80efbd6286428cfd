"""What can be done with TaskQueues through the API server. The clients are thin covers of this module's functions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from celeriac import errors
from celeriac._api import Api
from celeriac._arguments import text
from celeriac._queue import Queue, parse_queue
from celeriac._watch import follow_one
from celeriac._wire import Call, queues_path
from celeriac.api.v1alpha1 import StopPolicy

MOST_REASON = 512


async def find(api: Api, namespace: str | None) -> tuple[Queue, ...]:
    """The queues that are declared, by name; of a namespace, or of all where it is None."""
    items, _ = await api.items(queues_path(namespace), ())
    return tuple(sorted(map(parse_queue, items), key=lambda queue: (queue.namespace, queue.name)))


async def get(api: Api, namespace: str, name: str) -> Queue:
    """The queue as it is now."""
    return parse_queue(await api.get(queues_path(namespace, name)))


async def stop(api: Api, namespace: str, name: str, policy: StopPolicy, reason: str) -> Queue:
    """Have the queue start nothing; with HoldAndDrain also stop what runs."""
    patch = {"spec": {"stopPolicy": policy, "stopReason": text("reason", reason)[:MOST_REASON] or None}}
    return parse_queue(await api.merge(queues_path(namespace, name), patch))


async def delete(api: Api, namespace: str, name: str) -> None:
    """Delete the queue. Raises UnknownQueue."""
    await api.send(Call("DELETE", queues_path(namespace, name)))


async def resume(api: Api, namespace: str, name: str) -> Queue:
    """Have the queue go on."""
    return parse_queue(
        await api.merge(queues_path(namespace, name), {"spec": {"stopPolicy": None, "stopReason": None}})
    )


async def drained(api: Api, queue: Queue) -> AsyncGenerator[Queue, None]:
    """The queue as it is, then as it changes; the one in which nothing runs any more is the last.

    Raises UnknownQueue where it is deleted before that, and RequestRejected where somebody has it go on.
    """
    yield queue
    if queue.drained:
        return
    async with aclosing(follow_one(api, queues_path(queue.namespace), queue.manifest)) as changes:
        async for change in changes:
            now = parse_queue(change.object)
            if change.deleted or now.uid != queue.uid:
                raise errors.UnknownQueue(f"TaskQueue {queue.namespace}/{queue.name} was deleted meanwhile.")
            if now.spec.stop_policy != "HoldAndDrain":
                raise errors.RequestRejected(
                    f"TaskQueue {queue.namespace}/{queue.name} was resumed by somebody else before it was drained."
                )
            yield now
            if now.drained:
                return
