"""Which Task objects of a queue wait: the window of intake is counted by it. Pure.

A Task that came as a message and waits for anything counts, or messages with a far startTime, or suspended ones, would
all become Tasks. Of those that people created only the ones that ask for a slot do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from celeriac_operator.core.admission.standing import Asks, Holds, QueueKey, Standing
from celeriac_operator.core.facts import Key, TaskFacts


class Waiting:
    """Sets of Tasks by queue; each Task is told anew, so there is nothing to leak."""

    def __init__(self) -> None:
        self._queues: dict[Key, QueueKey] = {}
        self._counts: Counter[QueueKey] = Counter()

    def count(self, queue: QueueKey) -> int:
        """How many wait."""
        return self._counts[queue]

    def put(self, task: Key, queue: QueueKey | None) -> QueueKey | None:
        """Say where a Task waits; None: nowhere. The queue that has more room for it, if one has."""
        old = self._queues.pop(task, None)
        if queue is not None:
            self._queues[task] = queue
            self._counts[queue] += 1
        if old is None:
            return None
        self._counts[old] -= 1
        if not self._counts[old]:
            del self._counts[old]
        return old if old != queue else None

    def forget(self, ours: Callable[[str], bool]) -> None:
        """Forget these namespaces, before all of them is told again."""
        for task in [task for task in self._queues if ours(task.namespace)]:
            self.put(task, None)


def waits_in(task: TaskFacts | None, standing: Standing | None, queue: QueueKey) -> QueueKey | None:
    """The queue that the Task waits in, for the window; None where it does not.

    Args:
        standing: what its plan says.
        queue: the queue that it stands in, or would.
    """
    if isinstance(standing, Asks):
        return standing.queue
    if isinstance(standing, Holds) or task is None or task.finished or task.submission is None:
        return None
    return queue
