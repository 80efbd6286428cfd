"""How many messages a queue takes in now. Pure.

JetStream holds the backlog. Task objects are those that run, and a window of those that wait.
"""

from __future__ import annotations

from celeriac.api.v1alpha1 import TaskQueueSpec

SMALLEST_WINDOW = 100
MOST_IN_HAND = 64
"""Messages of a queue that are in the operator's memory at once."""
LEAST_ROOM = 3
"""With less room nothing is asked for: one request is out for each band while a queue is empty, and all may deliver."""


def held(queue: TaskQueueSpec) -> bool:
    """Whether the queue is stopped: what waits stays in its stream."""
    return queue.stop_policy not in (None, "None")


def window(queue: TaskQueueSpec) -> int:
    """How many Task objects of the queue may wait."""
    return max(2 * (queue.max_concurrency or 0), SMALLEST_WINDOW)


def room(queue: TaskQueueSpec, waiting: int, in_hand: int) -> int:
    """How many messages may be asked for now.

    Args:
        waiting: Task objects of the queue that wait.
        in_hand: messages that were delivered and have not become Tasks yet.
    """
    if held(queue):
        return 0
    left = min(window(queue) - waiting, MOST_IN_HAND) - in_hand
    return left if left >= LEAST_ROOM else 0
