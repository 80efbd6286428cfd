"""Where a Task stands with its queue, and what the queue answers. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


class QueueKey(NamedTuple):
    """Namespace and name of a TaskQueue, declared or not.

    The kind is part of it: a Task of the same name is another key, and tuples do not tell their classes apart.
    """

    namespace: str
    queue: str
    kind: str = "TaskQueue"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.queue}"


@dataclass(frozen=True, slots=True)
class Asks:
    """The Task could start an attempt now, and wants a slot."""

    queue: QueueKey
    priority: int
    since: datetime
    """t0, for retries too: who came first goes first."""
    concurrency_key: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """The Task's labels; fairness takes the tenant from one of them."""


@dataclass(frozen=True, slots=True)
class Holds:
    """The Task has a slot: an attempt is under way, or its Job is about to be created."""

    queue: QueueKey
    concurrency_key: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


Standing = Asks | Holds


@dataclass(frozen=True, slots=True)
class Unlimited:
    """Nothing in the queue holds this Task back, so it need not ask."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The Task holds a slot."""


@dataclass(frozen=True, slots=True)
class NotAsked:
    """The queue has a limit, and the Task has not asked for a slot yet."""


@dataclass(frozen=True, slots=True)
class Waits:
    """The Task has asked and has to wait."""

    reason: str
    message: str


Slot = Unlimited | Granted | NotAsked | Waits


@dataclass(frozen=True, slots=True)
class Grants:
    """Who gets a slot now."""

    tasks: tuple[str, ...] = ()
    """Names of Tasks, in order."""
    look_again: datetime | None = None
    """When the rate limit lets the next one start, where nothing else holds it back."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How full a queue is."""

    queued: int
    running: int
    oldest: datetime | None
    """t0 of the Task that has waited longest."""
