"""One tenant's waiting Tasks, in lanes: one lane for each concurrency key, one for the Tasks without. Pure.

Only the first of a lane competes, and only while the lane's key is below its limit. So a Task whose key is at its limit
is never looked at, and stands in nobody's way.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sortedcontainers import SortedDict, SortedList

from celeriac_operator.core.admission.standing import Asks

Lane = str | None
"""A concurrency key, or None: the Tasks without one."""


class Place(NamedTuple):
    """The one documented order: higher priority first, then the oldest, then by name."""

    rank: int
    since: datetime
    task: str

    @classmethod
    def of(cls, task: str, asks: Asks) -> Place:
        """A Task's place."""
        return cls(-asks.priority, asks.since, task)


class Tenant:
    """Who shares a queue with others; without fairness, all Tasks are one tenant's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.held: set[str] = set()
        self.rank: tuple[int, int, str] | None = None
        """Its entry in the queue's order of tenants, while it has a Task that competes."""
        self._lanes: dict[Lane, SortedList[Place]] = {}
        self._heads: SortedDict[Place, Lane] = SortedDict()
        self._head_of: dict[Lane, Place] = {}

    def add(self, lane: Lane, place: Place, *, blocked: bool) -> None:
        """A Task waits."""
        self._lanes.setdefault(lane, SortedList()).add(place)
        self.refresh(lane, blocked=blocked)

    def remove(self, lane: Lane, place: Place, *, blocked: bool) -> None:
        """A Task waits no longer."""
        places = self._lanes[lane]
        places.remove(place)
        if not places:
            del self._lanes[lane]
        self.refresh(lane, blocked=blocked)

    def refresh(self, lane: Lane, *, blocked: bool) -> None:
        """Have the right Task of the lane compete, or none."""
        places = self._lanes.get(lane)
        wanted = places[0] if places and not blocked else None
        known = self._head_of.pop(lane, None)
        if known is not None:
            del self._heads[known]
        if wanted is not None:
            self._head_of[lane] = wanted
            self._heads[wanted] = lane

    @property
    def first(self) -> Place | None:
        """The Task that is next, of those that compete."""
        return self._heads.peekitem(0)[0] if self._heads else None

    def waits_in(self, lane: Lane) -> bool:
        """A Task of the lane waits."""
        return lane in self._lanes

    def before(self, place: Place, lane: Lane) -> int:
        """How many Tasks come before that place, those left out whose key is at its limit; but its own lane counts."""
        counted = {*self._head_of, lane}
        return sum(self._lanes[each].bisect_left(place) for each in counted if each in self._lanes)

    @property
    def competing(self) -> int:
        """How many Tasks wait in lanes that are not blocked."""
        return sum(len(self._lanes[lane]) for lane in self._head_of)

    @property
    def idle(self) -> bool:
        """It holds nothing and waits for nothing."""
        return not self.held and not self._lanes
