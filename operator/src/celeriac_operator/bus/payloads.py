"""Large params and results that nothing names any more are collected; ``core/payloads.py`` decides what can go."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from celeriac.wire.names import DEAD_STREAM, DELAYED_STREAM
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.pages import messages, stored_at
from celeriac_operator.bus.streams import list_queue_streams
from celeriac_operator.core.facts import TaskFacts
from celeriac_operator.core.payloads import GRACE, Marks, Stored, Waiting, judge, named_by_tasks, unnamed
from celeriac_operator.metrics import PAYLOADS_COLLECTED

NO_NAMESPACE = ""
"""Chunks do not say whose they are: one replica has them all."""


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
        return len(gone) + len(collected) + await self._collect_chunks({each.nuid for each in stored}, now)

    async def _objects(self) -> AsyncIterator[Stored]:
        async for found in messages(self._bus, self._stream, f"{self._prefix}M.>"):
            try:
                raw = json.loads(found.data or b"")
                stored = Stored(
                    raw["name"], raw.get("nuid", ""), found.seq or 0, stored_at(found), bool(raw.get("deleted"))
                )
            except (ValueError, KeyError, TypeError):
                continue  # it is no object of ours
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
        subject = await self._subject_of(stored)
        with self._permit(stored.namespace):
            if subject is not None:
                await self._bus.js.purge_stream(self._stream, subject=subject, seq=stored.sequence + 1)
            if stored.nuid:
                await self._bus.js.purge_stream(self._stream, subject=f"{self._prefix}C.{stored.nuid}")
        PAYLOADS_COLLECTED.inc()

    async def _collect_chunks(self, known: set[str], now: datetime) -> int:
        """Chunks without a description: of a put that was never ended, or that another one has replaced."""
        if not self._ours(NO_NAMESPACE):
            return 0
        info = await self._bus.js.stream_info(self._stream, subjects_filter=f"{self._prefix}C.>")
        orphans = [each for each in info.state.subjects or {} if each.rpartition(".")[2] not in known]
        gone = 0
        for subject in orphans:
            async for found in messages(self._bus, self._stream, subject):
                if now - stored_at(found) >= GRACE:
                    with self._permit(NO_NAMESPACE):
                        await self._bus.js.purge_stream(self._stream, subject=subject)
                    gone += 1
                break
        return gone

    async def _subject_of(self, stored: Stored) -> str | None:
        """Where its description is, if it still is there: names are encoded, in a way that is the client's own."""
        async for found in messages(self._bus, self._stream, f"{self._prefix}M.>", stored.sequence):
            return found.subject if found.seq == stored.sequence else None
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
