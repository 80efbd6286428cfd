"""The fence: until when this process may write to a shard's namespaces. Every write of the API client passes it.

It is checked before a write is sent, and the write is given no more time than is left. What remains is a write that was
sent in time and lands late, out of anybody's hands. Status writes carry a resourceVersion, deletes a uid, and creates
have deterministic names: such a write is refused, or it is one that the next holder would make, too.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from celeriac_operator.core.shards import shard_of


class NotLeading(Exception):  # noqa: N818  it says how things are
    """This process does not hold the shard of the namespace that was to be written to, and has written nothing."""


def boot_time() -> float:
    """Seconds on a clock that nobody can set, and that goes on while the process is stopped or the machine sleeps.

    CLOCK_MONOTONIC would do for SIGSTOP but stands still while the machine is suspended, when leases expire elsewhere.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Fence:
    """Deadlines of the shards that this process holds. The election extends them, from its own thread.

    Args:
        shards: how many there are.
        clock: seconds, such as ``boot_time``.
        passed: is told, in a sentence, when a write comes too late: the process must end.
    """

    def __init__(self, shards: int, clock: Callable[[], float], passed: Callable[[str], object]) -> None:
        self._shards, self._clock, self._passed = shards, clock, passed
        self._until: dict[int, float] = {}
        self._writing: Counter[int] = Counter()
        self._idle: dict[int, asyncio.Event] = {}

    @property
    def held(self) -> Mapping[int, float]:
        """The shards whose fence was set and not taken away, and until when it lasts; that may be past."""
        return dict(self._until)

    def extend(self, shard: int, until: float) -> None:
        """Writes to the shard are allowed until then, on the clock of this fence."""
        self._until[shard] = max(until, self._until.get(shard, until))

    def close(self, shard: int) -> None:
        """No write to the shard begins from now on: it is about to be given away."""
        self._until.pop(shard, None)

    def overdue(self) -> list[int]:
        """Shards whose fence is past."""
        now = self._clock()
        return sorted(shard for shard, until in self.held.items() if now >= until)

    @contextmanager
    def permit(self, namespace: str) -> Iterator[float]:
        """Lasts while a write is under way; gives the seconds that it may take.

        Raises:
            NotLeading: it must not be made.
        """
        shard = shard_of(namespace, self._shards)
        left = self._left(shard, namespace)
        self._writing[shard] += 1
        try:
            yield left
        finally:
            self._writing[shard] -= 1
            if not self._writing[shard] and shard in self._idle:
                self._idle[shard].set()

    def _left(self, shard: int, namespace: str) -> float:
        until = self._until.get(shard)
        if until is None:
            raise NotLeading(f"shard {shard}, namespace {namespace}, is not held: nothing was written")
        left = until - self._clock()
        if left <= 0:
            sentence = f"the lease of shard {shard} was not renewed in time: nothing was written to {namespace}"
            self._passed(sentence)
            raise NotLeading(sentence)
        return left

    async def drained(self, shard: int, patience: float) -> bool:
        """Wait until no write to the shard is under way.

        Args:
            patience: seconds at most.
        """
        if self._writing[shard]:
            idle = self._idle.setdefault(shard, asyncio.Event())
            idle.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(idle.wait(), patience)
        return not self._writing[shard]
