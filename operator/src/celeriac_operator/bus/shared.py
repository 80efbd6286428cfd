"""The streams and buckets that all queues share: dead letters, delayed messages, events, records and large values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, BadRequestError, NotFoundError

from celeriac.wire import names as wire
from celeriac_operator.bus.room import Bounds

log = structlog.get_logger()

DAY = 24 * 3600.0
EVENT_SECONDS = 7 * DAY


KEPT_IN_LINE = ("max_bytes", "allow_rollup_hdrs", "max_msgs_per_subject")
"""What of an existing stream is brought in line; the rest is the administrator's."""


async def share(js: JetStreamContext, bounds: Bounds, replicas: int) -> None:
    """Make what is not there; each replica may."""
    for config in (*shared_streams(bounds, replicas), *buckets(replicas)):
        await _ensure(js, config)


def buckets(replicas: int) -> tuple[StreamConfig, ...]:
    """Records and large values. A roll-up, one header of whoever may write one subject, would empty all of them."""
    bucket: dict[str, Any] = {
        "storage": StorageType.FILE,
        "discard": DiscardPolicy.NEW,
        "max_msgs_per_subject": 1,
        "allow_rollup_hdrs": False,
        "allow_direct": True,
        "num_replicas": replicas,
    }
    records, payloads = wire.RESULTS_BUCKET, wire.PAYLOADS_BUCKET
    parts = [f"$O.{payloads}.C.>", f"$O.{payloads}.M.>"]
    return (
        StreamConfig(name=f"KV_{records}", subjects=[f"$KV.{records}.>"], deny_delete=True, **bucket),
        StreamConfig(name=wire.PAYLOADS_STREAM, subjects=parts, **bucket),
    )


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
    found = await _found(js, config.name or "")
    if found is None:
        try:
            await js.add_stream(config)
        except BadRequestError:
            if await _found(js, config.name or "") is None:  # another replica may have made it just now
                raise
        return
    wanted = {field: getattr(config, field) for field in KEPT_IN_LINE if getattr(config, field) is not None}
    if change := {field: value for field, value in wanted.items() if (getattr(found, field) or 0) != value}:
        await _change(js, found, change)


async def _change(js: JetStreamContext, found: StreamConfig, change: Mapping[str, Any]) -> None:
    """Where there is no storage left for a bound, say, it stays as it was, and everything goes on."""
    try:
        await js.update_stream(found.evolve(**change))
    except APIError as error:
        log.warning("a stream cannot be changed", stream=found.name, fields=sorted(change), error=str(error))


async def _found(js: JetStreamContext, stream: str) -> StreamConfig | None:
    try:
        return (await js.stream_info(stream)).config
    except NotFoundError:
        return None
