"""The admission of all Tasks, queue by queue. Pure: no client, no clock; ``now`` is given.

Who may start is known only once every Task is: after a start, no slot of a namespace is given out before each of its
Tasks was looked at once, so that the order is right and no holder is overlooked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.core.admission.queue import QueueAdmission
from celeriac_operator.core.admission.standing import (
    Asks,
    Counts,
    Granted,
    Grants,
    Holds,
    NotAsked,
    QueueKey,
    Slot,
    Standing,
    Unlimited,
    Waits,
)
from celeriac_operator.core.admission.why import why
from celeriac_operator.core.facts import Key


class Admission:
    """Every queue that a Task stands in or that is declared.

    Args:
        defaults: the spec of queues that nobody declared.
    """

    def __init__(self, defaults: TaskQueueSpec) -> None:
        self.defaults = defaults
        self._queues: dict[QueueKey, QueueAdmission] = {}
        self._queue_of: dict[Key, QueueKey] = {}
        self._unseen: dict[str, set[str]] = {}

    # --- what changes ---

    def configure(self, queue: QueueKey, spec: TaskQueueSpec | None) -> bool:
        """Have the queue follow this spec; None: nobody declares it, so the defaults count. Whether that is news."""
        return self._queue(queue).configure(spec or self.defaults)

    def set(self, task: Key, standing: Standing | None) -> tuple[QueueKey, ...]:
        """Say where a Task stands; the queues that this may have made room in or filled."""
        queue, before = standing.queue if standing is not None else None, self._queue_of.get(task)
        if before is not None and before != queue:
            self._queues[before].set(task.name, None)
            del self._queue_of[task]
        if queue is not None:
            self._queue(queue).set(task.name, standing)
            self._queue_of[task] = queue
        return tuple({each for each in (before, queue) if each is not None})

    def grants(self, queue: QueueKey, now: datetime) -> Grants:
        """Give out the slots that the queue has."""
        found = self._queues.get(queue)
        if found is None or not self.knows(queue.namespace):
            return Grants()
        return found.grants(now)

    # --- starting up ---

    def begin(self, namespace: str, tasks: Iterable[Key]) -> None:
        """Forget a namespace, and give out nothing there before these Tasks were looked at."""
        for queue in [queue for queue in self._queues if queue.namespace == namespace]:
            del self._queues[queue]
        for task in [task for task in self._queue_of if task.namespace == namespace]:
            del self._queue_of[task]
        self._unseen[namespace] = {task.name for task in tasks}

    def looked_at(self, task: Key) -> bool:
        """A Task was looked at, whatever came of it. Whether it was the last that its namespace waited for."""
        unseen = self._unseen.get(task.namespace)
        if unseen is None:
            return False
        unseen.discard(task.name)
        if unseen:
            return False
        del self._unseen[task.namespace]
        return True

    def knows(self, namespace: str) -> bool:
        """Whether every Task of the namespace was looked at."""
        return not self._unseen.get(namespace)

    def replay(self, queue: QueueKey, arrival: datetime | None) -> None:
        """Take the rate limit up where it was left."""
        self._queue(queue).arrival = arrival

    # --- what can be asked ---

    def slot(self, task: Key, queue: QueueKey, concurrency_key: str | None) -> Slot:
        """What the queue answers to a Task that could start an attempt."""
        found = self._queue(queue)
        if not found.limits(concurrency_key):
            return Unlimited()
        standing = found.standings.get(task.name)
        if standing is None:
            return NotAsked()
        if isinstance(standing, Holds) and not found.stopped:
            return Granted()
        return self._waits(found, standing)  # in a stopped queue, a slot is good only for an attempt under way

    def why(self, task: Key) -> Waits | None:
        """Why a Task waits for a slot; None where it does not."""
        queue = self._queue_of.get(task)
        standing = self._queues[queue].standings.get(task.name) if queue is not None else None
        return self._waits(self._queues[standing.queue], standing) if isinstance(standing, Asks) else None

    def position(self, task: Key) -> int | None:
        """A waiting Task's place in the order as things stand now, from 1; None where it does not wait."""
        queue = self._queue_of.get(task)
        return self._queues[queue].position(task.name) if queue is not None else None

    def counts(self, queue: QueueKey) -> Counts:
        """How full a queue is."""
        found = self._queues.get(queue)
        return found.counts if found is not None else Counts(0, 0, None)

    def arrival(self, queue: QueueKey) -> datetime | None:
        """The one timestamp of the queue's rate limit."""
        found = self._queues.get(queue)
        return found.arrival if found is not None else None

    def spec(self, queue: QueueKey) -> TaskQueueSpec:
        """The spec that the queue follows."""
        found = self._queues.get(queue)
        return found.spec if found is not None else self.defaults

    def standing_in(self, queue: QueueKey) -> list[Key]:
        """The Tasks that hold a slot of the queue or wait for one."""
        found = self._queues.get(queue)
        return [Key(queue.namespace, task) for task in found.standings] if found is not None else []

    def forget_idle(self, now: datetime) -> None:
        """Forget queues that nothing stands in and whose rate limit has nothing to remember."""
        for queue, found in list(self._queues.items()):
            if found.idle and (found.arrival is None or found.arrival <= now):
                del self._queues[queue]

    def __iter__(self) -> Iterator[QueueKey]:
        return iter(self._queues)

    def _queue(self, queue: QueueKey) -> QueueAdmission:
        found = self._queues.get(queue)
        if found is None:
            found = self._queues[queue] = QueueAdmission(self.defaults)
        return found

    def _waits(self, queue: QueueAdmission, standing: Standing) -> Waits:
        return why(queue, standing, starting=not self.knows(standing.queue.namespace))
