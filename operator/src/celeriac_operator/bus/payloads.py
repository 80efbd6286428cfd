"""Large params and results that nothing names any more are collected; ``core/payloads.py`` decides what can go."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from nats.js.api import RawStreamMsg

from celeriac.wire.names import DEAD_STREAM, DELAYED_STREAM, chunk_subject, object_subject
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.pages import is_one, messages, stored_at
from celeriac_operator.bus.streams import api_request, list_queue_streams
from celeriac_operator.core.facts import TaskFacts
from celeriac_operator.core.payloads import GRACE, Marks, Stored, Waiting, judge, named_by_tasks, unnamed
from celeriac_operator.metrics import PAYLOADS_COLLECTED

CHUNK_TOKENS = 6
"""Of a chunk's subject."""


class Payloads:
    """Collects the objects of a bucket.

    Args:
        tasks: all Tasks there are.
        ours: whether this replica works on a namespace.
        permit: is asked before each write; see ``fence.py``.
        retention: how long the record of a finished task is kept.
    """

    def __init__(
        self,
        bus: Bus,
        bucket: str,
        tasks: Callable[[], Iterable[TaskFacts]],
        ours: Callable[[str], bool],
        permit: Callable[[str], AbstractContextManager[float]],
        retention: timedelta,
    ) -> None:
        self._bus, self._stream, self._prefix = bus, f"OBJ_{bucket}", f"$O.{bucket}."
        self._tasks, self._ours, self._permit, self._retention = tasks, ours, permit, retention
        self._marks = Marks()

    async def collect(self, now: datetime) -> int:
        """Delete what can go; how many objects that were.

        The order matters: a message on its way from one place to another is seen in one of them, now or next time.

        Raises:
            nats.errors.Error, OSError, BusDown: NATS does not answer.
            NotLeading: another replica works on a namespace.
        """
        stored = [each async for each in self._objects()]
        objects = [each for each in stored if self._ours(each.namespace)]
        before = await self._waiting() if self._marks else {}
        names, uids = named_by_tasks(self._tasks())
        gone, params = unnamed(objects, names, uids, now, self._retention)
        waits = await self._named_by_messages({each.namespace for each in params})
        left = [each for each in params if each.name not in waits]
        after = await self._waiting() if left else {}
        self._marks, collected = judge(self._marks, left, before, after)
        for each in (*gone, *collected):
            await self._delete(each)
        chunks = await self._collect_chunks({(each.namespace, each.nuid) for each in stored}, now)
        return len(gone) + len(collected) + chunks

    async def _objects(self) -> AsyncIterator[Stored]:
        async for found in messages(self._bus, self._stream, f"{self._prefix}M.>"):
            stored = _stored(found)
            if stored is not None:
                yield stored

    async def _waiting(self) -> dict[str, dict[str, Waiting]]:
        """The streams of all queues, by namespace."""
        found: dict[str, dict[str, Waiting]] = {}
        for queue, listed in (await list_queue_streams(self._bus.client)).items():
            stream = f"{queue.queue}.{listed.created.isoformat()}"  # one that was made anew counts from 1 again
            found.setdefault(queue.namespace, {})[stream] = Waiting(listed.first, listed.last)
        return found

    async def _named_by_messages(self, namespaces: set[str]) -> set[str]:
        """Names that delayed messages and dead letters of these namespaces have."""
        names = set[str]()
        for namespace in namespaces:
            for stream, subject in ((DELAYED_STREAM, "delayed"), (DEAD_STREAM, "dead")):
                async for found in messages(self._bus, stream, f"celeriac.{subject}.{namespace}.>"):
                    if (key := _params_key(found.data or b"")) is not None:
                        names.add(key)
        return names

    async def _delete(self, stored: Stored) -> None:
        """Its description first, unless it was put anew meanwhile; then the chunks of that put: each has its own."""
        with self._permit(stored.namespace):
            await self._purge(object_subject(stored.name), stored.sequence + 1)
            await self._purge(chunk_subject(stored.namespace, stored.nuid, ">"))
        PAYLOADS_COLLECTED.inc()

    async def _purge(self, subject: str, before: int | None = None) -> None:
        await self._bus.js.purge_stream(self._stream, subject=subject, seq=before)

    async def _collect_chunks(self, known: set[tuple[str, str]], now: datetime) -> int:
        """Chunks without a description: of a put that was never ended, or that another one has replaced."""
        gone = 0
        for namespace, nuid in sorted(await self._puts() - known):
            subject = chunk_subject(namespace, nuid, ">")
            async for found in messages(self._bus, self._stream, subject):
                if self._ours(namespace) and now - stored_at(found) >= GRACE:
                    with self._permit(namespace):
                        await self._purge(subject)
                    gone += 1
                break
        return gone

    async def _puts(self) -> set[tuple[str, str]]:
        """Namespace and nuid of each put that there are chunks of."""
        puts, offset = set[tuple[str, str]](), 0
        while True:
            ask = {"subjects_filter": f"{self._prefix}C.>", "offset": offset}
            page = await api_request(self._bus.client, f"STREAM.INFO.{self._stream}", ask)
            subjects = page["state"].get("subjects") or {}
            for parts in (each.split(".") for each in subjects if is_one(each)):
                if len(parts) == CHUNK_TOKENS:
                    puts.add((parts[3], parts[4]))
            offset += len(subjects)
            if not subjects or offset >= page.get("total", 0):
                return puts


def _stored(found: RawStreamMsg) -> Stored | None:
    """The object; None where it is none of ours. Anybody may write of their own namespace, and of no other's chunks."""
    try:
        raw = json.loads(found.data or b"")
        name, nuid = raw["name"], raw["nuid"]
        if found.subject != object_subject(name) or not (nuid.isascii() and nuid.isalnum()):
            return None
        return Stored(name, nuid, found.seq or 0, stored_at(found), bool(raw.get("deleted")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _params_key(data: bytes) -> str | None:
    """The object that a message names; whatever else it is, it names none."""
    if b"paramsRef" not in data:
        return None
    try:
        key = json.loads(data)["spec"]["paramsRef"]["key"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return key if isinstance(key, str) else None
