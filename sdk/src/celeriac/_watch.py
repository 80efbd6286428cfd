"""Following one object as it changes: a list, then a watch, again after every end of the connection.

Apart from the clients, because Tasks and pods are followed in the same way, and because nothing here ever polls.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from celeriac import errors
from celeriac._api import Api, pauses, unreachable
from celeriac._wire import Call, Query, Unreachable

WATCH_SECONDS = "300"
"""The server ends a watch after so long, so that a connection that has silently died is noticed."""

GIVE_UP_SECONDS = 300.0
"""A server that has not answered for so long will not."""


@dataclass(frozen=True)
class Change:
    """An object as it is now, or as it was when it was deleted."""

    object: Mapping[str, Any]
    deleted: bool = False


class _Relist(Exception):  # noqa: N818 -- a turn in the road, not an error
    """The watch cannot go on from where it is."""


async def follow(
    api: Api, path: str, query: Query = (), seen: Sequence[Mapping[str, Any]] = ()
) -> AsyncGenerator[Change, None]:
    """The objects of a collection as they are, then every change, for ever; repeats are possible.

    An object that went unobserved, among them those ``seen`` before, is reported as deleted, in the state last seen.
    """
    known = {_uid(item): item for item in seen}
    for pause in pauses():
        objects, version = await _list(api, path, query)
        for change in _differences(known, objects):
            yield change
        known = objects
        try:
            async with aclosing(_watch(api, path, query, version)) as changes:
                async for change in changes:
                    _remember(known, change)
                    yield change
        except _Relist:
            await asyncio.sleep(pause)


def follow_one(api: Api, path: str, seen: Mapping[str, Any]) -> AsyncGenerator[Change, None]:
    """The object that was ``seen`` in the collection as it is, then every change of it, and its deletion."""
    return follow(api, path, (("fieldSelector", f"metadata.name={seen['metadata']['name']}"),), [seen])


def _uid(manifest: Mapping[str, Any]) -> str:
    return str(manifest["metadata"]["uid"])


def _remember(known: dict[str, Mapping[str, Any]], change: Change) -> None:
    if change.deleted:
        known.pop(_uid(change.object), None)
    else:
        known[_uid(change.object)] = change.object


def _differences(known: dict[str, Mapping[str, Any]], objects: dict[str, Mapping[str, Any]]) -> list[Change]:
    gone = [Change(old, deleted=True) for uid, old in known.items() if uid not in objects]
    return gone + [Change(new) for new in objects.values()]


async def _list(api: Api, path: str, query: Query) -> tuple[dict[str, Mapping[str, Any]], str]:
    items, version = await api.items(path, query)
    return {_uid(item): item for item in items}, version


async def _watch(api: Api, path: str, query: Query, version: str) -> AsyncGenerator[Change, None]:
    """Changes since ``version``, over as many connections as it takes; _Relist where the server forgot that version."""
    delays, silent_since = pauses(), time.monotonic()
    while True:
        try:
            async with api.stream(_watch_call(path, query, version)) as events:
                async for line in events:
                    event = json.loads(line)
                    version = _version_of(event)
                    delays, silent_since = pauses(), time.monotonic()
                    if event["type"] != "BOOKMARK":
                        yield Change(event["object"], deleted=event["type"] == "DELETED")
        except errors.RequestRejected as error:
            raise _Relist if error.status == 410 else error from None
        except (Unreachable, ValueError) as error:
            if time.monotonic() - silent_since > GIVE_UP_SECONDS:
                raise unreachable(Unreachable(str(error))) from error
            await asyncio.sleep(next(delays))
        else:
            silent_since = time.monotonic()
            await asyncio.sleep(next(delays))


def _watch_call(path: str, query: Query, version: str) -> Call:
    more = (("watch", "true"), ("resourceVersion", version), ("allowWatchBookmarks", "true"))
    return Call("GET", path, (*query, *more, ("timeoutSeconds", WATCH_SECONDS)))


def _version_of(event: Mapping[str, Any]) -> str:
    """Where the watch stands after the event."""
    if event["type"] == "ERROR":
        raise _Relist
    return str(event["object"]["metadata"]["resourceVersion"])
