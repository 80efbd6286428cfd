"""The streams and buckets that all queues share: dead letters, delayed messages, events, records and large values."""

from __future__ import annotations

from typing import Any

import structlog
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, KeyValueConfig, ObjectStoreConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, BadRequestError, NotFoundError

from celeriac.wire import names as wire
from celeriac_operator.bus.room import Bounds

log = structlog.get_logger()

DAY = 24 * 3600.0
EVENT_SECONDS = 7 * DAY


async def share(js: JetStreamContext, bounds: Bounds, replicas: int) -> None:
    """Make what is not there; each replica may."""
    for config in shared_streams(bounds, replicas):
        await _ensure(js, config)
    if await _found(js, f"KV_{wire.RESULTS_BUCKET}") is None:
        bucket = KeyValueConfig(bucket=wire.RESULTS_BUCKET, history=1, replicas=replicas, direct=True)
        await js.create_key_value(bucket)
    if await _found(js, f"OBJ_{wire.PAYLOADS_BUCKET}") is None:
        store = ObjectStoreConfig(bucket=wire.PAYLOADS_BUCKET, replicas=replicas)
        await js.create_object_store(wire.PAYLOADS_BUCKET, config=store)


def shared_streams(bounds: Bounds, replicas: int) -> tuple[StreamConfig, ...]:
    """Dead letters, delayed messages and events. Of the first two nothing goes by itself."""
    kept: dict[str, Any] = {
        "retention": RetentionPolicy.LIMITS,
        "storage": StorageType.FILE,
        "discard": DiscardPolicy.NEW,
        "num_replicas": replicas,
    }
    dead = {**kept, "max_bytes": bounds.dead_bytes, "duplicate_window": DAY}
    delayed = {**kept, "max_bytes": bounds.delayed_bytes, "duplicate_window": 3600}
    # Read by subject, as users of one namespace may: any other read would be of all namespaces.
    events = {**kept, "discard": DiscardPolicy.OLD, "max_age": EVENT_SECONDS, "allow_direct": True}
    return (
        StreamConfig(name=wire.DEAD_STREAM, subjects=["celeriac.dead.>"], **dead),
        StreamConfig(name=wire.DELAYED_STREAM, subjects=["celeriac.delayed.>"], **delayed),
        StreamConfig(name=wire.EVENTS_STREAM, subjects=["celeriac.events.>"], **events),
    )


async def _ensure(js: JetStreamContext, config: StreamConfig) -> None:
    """One that is there gets the bound that the settings say; the rest of it is the administrator's."""
    found = await _found(js, config.name or "")
    if found is None:
        try:
            await js.add_stream(config)
        except BadRequestError:
            if await _found(js, config.name or "") is None:  # another replica may have made it just now
                raise
    elif config.max_bytes is not None and found.max_bytes != config.max_bytes:
        await _bound(js, found, config.max_bytes)


async def _bound(js: JetStreamContext, found: StreamConfig, most: int) -> None:
    """Where there is no storage left for the bound, it stays as it was, and everything goes on."""
    try:
        await js.update_stream(found.evolve(max_bytes=most))
    except APIError as error:
        log.warning("the bound of a stream cannot be changed", stream=found.name, bytes=most, error=str(error))


async def _found(js: JetStreamContext, stream: str) -> StreamConfig | None:
    try:
        return (await js.stream_info(stream)).config
    except NotFoundError:
        return None
