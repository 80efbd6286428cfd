"""The history of a task: its events in NATS, which outlive it."""

from __future__ import annotations

import asyncio

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from pydantic import ValidationError

from celeriac import errors
from celeriac._nats import ANSWER_SECONDS, Nats
from celeriac._nats_options import NatsOptions
from celeriac._phase import Phase
from celeriac.wire.events import TaskEvent
from celeriac.wire.names import EVENTS_STREAM, event_kind, event_subject

MOST_ATTEMPTS = 100
"""The events of so many attempts are read, the last ones."""
TOGETHER = 50
PHASES = tuple(phase for phase in Phase if phase is not Phase.BACKLOGGED)


async def history(options: NatsOptions, namespace: str, task: str) -> list[TaskEvent]:
    """What happened to the task, in order; nothing, where nothing is known of it any more.

    Raises ConnectionFailed, Forbidden, NotInstalled: no operator has made the stream.
    """
    if not options.enabled:
        raise errors.ConnectionFailed(
            "The history of tasks is in NATS, and CELERIAC_NATS_URL is not set: set it, or use 'celeriac get' and "
            "'kubectl get events'."
        )
    connection = Nats(options)
    subject = f"$JS.API.DIRECT.GET.{EVENTS_STREAM}.{event_subject(namespace, task, '*')}"
    try:
        return await connection.call(lambda client: _read(client, namespace, task), subject)
    finally:
        await connection.close()


async def _read(client: Client, namespace: str, task: str) -> list[TaskEvent]:
    """Each is asked for by its subject, which users of one namespace may; a consumer of all would not be theirs."""
    js = client.jetstream(timeout=ANSWER_SECONDS)
    data = await _last(js, event_subject(namespace, task, "*"))
    if data is None:
        await _check(js)
        return []
    last = _parsed(data)
    found = [_parsed(each) for each in await _all(js, namespace, task, last.attempt or 0 if last is not None else 1)]
    known = [event for event in found if event is not None and (last is None or event.task_uid == last.task_uid)]
    return sorted(known, key=lambda event: event.time)


async def _all(js: JetStreamContext, namespace: str, task: str, attempts: int) -> list[bytes]:
    """The last event of each phase in each attempt, and of the progress that was reported."""
    numbers = [None, *range(max(attempts - MOST_ATTEMPTS, 0) + 1, attempts + 1)]
    kinds = [*(event_kind(phase, number) for number in numbers for phase in PHASES), "Progress"]
    found = list[bytes | None]()
    for start in range(0, len(kinds), TOGETHER):
        asked = (_last(js, event_subject(namespace, task, kind)) for kind in kinds[start : start + TOGETHER])
        found += await asyncio.gather(*asked)
    return [each for each in found if each is not None]


async def _last(js: JetStreamContext, subject: str) -> bytes | None:
    try:
        return (await js.get_last_msg(EVENTS_STREAM, subject, direct=True)).data or b""
    except nats.js.errors.NotFoundError:
        return None
    except nats.errors.NoRespondersError:
        await _check(js)
        raise


async def _check(js: JetStreamContext) -> None:
    try:
        await js.stream_info(EVENTS_STREAM)
    except nats.js.errors.NotFoundError:
        raise errors.NotInstalled(
            "NATS has no history of tasks: no operator of Celeriac is connected to it. Check CELERIAC_NATS_URL."
        ) from None


def _parsed(data: bytes) -> TaskEvent | None:
    """The event; others may write, too."""
    try:
        return TaskEvent.model_validate_json(data)
    except ValidationError:
        return None
