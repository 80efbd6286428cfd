"""Records that have had their time are deleted: oldest first, some at a time, so that it costs little."""

from __future__ import annotations

from collections.abc import Callable, Set
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from nats.js.api import RawStreamMsg

from celeriac_operator.bus.bucket import entry_of
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.pages import messages, stored_at
from celeriac_operator.core.expiry import expired, task_of
from celeriac_operator.metrics import RECORDS_EXPIRED

AT_ONCE = 2_000
"""Records that are looked at in one go."""


class Expiry:
    """Deletes the expired records of a bucket, without leaving a note of each, as KV's own delete does.

    Args:
        ours: whether this replica works on a namespace.
        permit: is asked before each write; see ``fence.py``.
        retention: how long what says no time is kept.
        tasks: the uids of all Tasks there are.
    """

    def __init__(
        self,
        bus: Bus,
        bucket: str,
        ours: Callable[[str], bool],
        permit: Callable[[str], AbstractContextManager[float]],
        retention: timedelta,
        tasks: Callable[[], Set[str]],
    ) -> None:
        self._bus, self._stream, self._prefix = bus, f"KV_{bucket}", f"$KV.{bucket}."
        self._ours, self._permit, self._retention, self._tasks = ours, permit, retention, tasks
        self._next = 1

    async def sweep(self, now: datetime, at_once: int = AT_ONCE) -> int:
        """Delete what has expired of the next records; how many that were.

        Raises:
            nats.errors.Error, OSError, BusDown: NATS does not answer.
            NotLeading: another replica works on a namespace.
        """
        gone, seen, there = 0, 0, self._tasks()
        async for found in messages(self._bus, self._stream, f"{self._prefix}>", self._next):
            key = self._key(found)
            stays = task_of(key) in there
            is_over = not stays and expired(key, entry_of(found).value, stored_at(found), now, self._retention)
            if stored_at(found) + self._retention > now and not is_over:
                break  # what comes after it was written later
            gone += is_over and await self._deleted(found)
            seen += 1
            self._next = (found.seq or 0) + 1
            if seen >= at_once:
                return gone
        self._next = 1
        return gone

    def _key(self, found: RawStreamMsg) -> str:
        return (found.subject or "").removeprefix(self._prefix)

    async def _deleted(self, found: RawStreamMsg) -> bool:
        """Delete just that revision: a newer one has a higher sequence."""
        namespace = self._key(found).partition(".")[0]
        if not self._ours(namespace):
            return False
        with self._permit(namespace):
            await self._bus.js.purge_stream(self._stream, subject=found.subject, seq=(found.seq or 0) + 1)
        RECORDS_EXPIRED.inc()
        return True
