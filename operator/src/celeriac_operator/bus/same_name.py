"""Messages of one name are taken one after the other, whatever queue they were sent to: the next is judged by what
became of the last. Two at once would each find that there is no Task, and one be buried while the other runs.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from weakref import WeakValueDictionary

from celeriac_operator.core.facts import Key
from celeriac_operator.core.intake.arrival import Arrival


class SameName:
    """Whose turn it is. For all queues."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    def turn(self, arrival: Arrival) -> AbstractAsyncContextManager[None]:
        """Wait until no other of its name is in hand, and have it."""
        if arrival.name is None:  # it can become no Task
            return nullcontext()
        return self._locks.setdefault(Key(arrival.queue.namespace, arrival.name), asyncio.Lock())
