"""Tasks that wait for a free slot of a worker: who is next. Pure.

A Task is told anew each time that it was looked at, so there is nothing to leak. Who is called has a slot before those
that come later, until it was looked at.
"""

from __future__ import annotations

import heapq
from collections import Counter
from typing import NamedTuple

from celeriac_operator.core.admission.standing import Asks
from celeriac_operator.core.definition import DefinitionKey
from celeriac_operator.core.facts import Key, World


class Kind(NamedTuple):
    """Tasks that the same pods can take."""

    definition: DefinitionKey
    digest: str
    """Of the content that they were accepted with."""


class Crowd:
    """Those that wait, by what they wait for."""

    def __init__(self) -> None:
        self._kinds: dict[Key, Kind] = {}
        self._ranks: dict[Key, tuple[int, str]] = {}
        self._counts: Counter[Kind] = Counter()
        self._heaps: dict[Kind, list[tuple[tuple[int, str], Key]]] = {}
        self._called: dict[Kind, set[Key]] = {}

    def put(self, task: Key, kind: Kind, asked: Asks) -> None:
        """It waits: by priority, then age."""
        rank = (-asked.priority, asked.since.isoformat())
        called = task in self._called.get(kind, ())
        if not called and self._kinds.get(task) == kind and self._ranks.get(task) == rank:
            return
        self.drop(task)
        self._kinds[task], self._ranks[task] = kind, rank
        self._counts[kind] += 1
        heapq.heappush(self._heaps.setdefault(kind, []), (rank, task))

    def drop(self, task: Key) -> None:
        """It waits no more. What is left of it in the heap is passed over."""
        kind = self._kinds.pop(task, None)
        if kind is None:
            return
        del self._ranks[task]
        self._counts[kind] -= 1
        self._called.get(kind, set()).discard(task)
        if not self._counts[kind]:
            del self._counts[kind]
            self._heaps.pop(kind, None)
            self._called.pop(kind, None)

    def count(self, kind: Kind) -> int:
        """How many wait."""
        return self._counts[kind]

    def may_go(self, task: Key, kind: Kind, room: int) -> bool:
        """Whether a free slot is this Task's: it was called, or there are slots beyond those that others wait for."""
        return room > 0 and (
            task in self._called.get(kind, ()) or room > self._counts[kind] - (self._kinds.get(task) == kind)
        )

    def call(self, kind: Kind, room: int) -> list[Key]:
        """Who is next, where so many slots are free."""
        heap, called = self._heaps.get(kind, []), self._called.setdefault(kind, set())
        found = []
        while heap and len(called) < room:
            rank, task = heapq.heappop(heap)
            if self._kinds.get(task) == kind and self._ranks[task] == rank and task not in called:
                called.add(task)
                found.append(task)
        if not called:
            del self._called[kind]
        return found

    def kinds_of(self, definition: DefinitionKey) -> list[Kind]:
        """What Tasks of a TaskDefinition wait for."""
        return [kind for kind in self._counts if kind.definition == definition]

    def all_of(self, kind: Kind) -> list[Key]:
        """Everybody who waits for it."""
        return [task for task, known in self._kinds.items() if known == kind]


def kind_of(world: World) -> Kind | None:
    """What a Task that is not over would wait for."""
    name, revision = world.task.spec.definition_name, world.pinned or world.live
    if name is None or revision is None or world.task.finished:
        return None
    return Kind(DefinitionKey(world.task.key.namespace, name), revision.digest)
