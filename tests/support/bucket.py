"""A bucket of records for Hypothesis: it goes away and comes back, and its news come when a test says so."""

from __future__ import annotations

import json

from tests.support.crash import Faulty, with_fault
from tests.support.invariants import Recorded
from tests.support.objects import Raw

from celeriac_operator.bus.bucket import Entry
from celeriac_operator.bus.connection import BusDown


class FakeBucket:
    """As ``Bucket``: what was created is never created again, and an update has to know the revision.

    Args:
        where: has the faults that the operator meets.
    """

    def __init__(self, where: Faulty) -> None:
        self._where = where
        self.enabled = False
        self.up = True
        self.full = False
        """It takes nothing more, and answers what it is asked."""
        self.live = True
        """News come to the operator."""
        self.entries: dict[str, Entry] = {}
        self.log: list[tuple[str, Entry]] = []
        self.gets = 0

    @property
    def ready(self) -> bool:
        return self.enabled and self.up and self.live

    def turn(self, up: bool) -> None:
        """NATS goes, or comes back; news begin only later."""
        self.live = self.live and up
        self.up = up

    async def get(self, key: str) -> Entry | None:
        self._ask()
        self.gets += 1
        return self.entries.get(key)

    async def create(self, key: str, value: bytes) -> bool:
        return self._write("create record", key, value, None)

    async def update(self, key: str, value: bytes, revision: int) -> bool:
        return self._write("update record", key, value, revision)

    def _write(self, what: str, key: str, value: bytes, revision: int | None) -> bool:
        self._ask()
        if self.full:
            raise BusDown("maximum bytes exceeded")
        done = with_fault(self._where, what, lambda: self.put(key, value, revision), BusDown("it is restarting"))
        self._where.writes[what] -= not done
        return done

    def put(self, key: str, value: bytes, revision: int | None = None) -> bool:
        """What anybody does: create, or update where a revision is given."""
        known = self.entries.get(key)
        if (known.revision if known is not None else None) != revision:
            return False
        self.entries[key] = Entry(len(self.log) + 1, value)
        self.log.append((key, self.entries[key]))
        self._where.facts.append(Recorded(key, json.loads(value)))
        return True

    def _ask(self) -> None:
        if not self.ready:
            raise BusDown("NATS is away")

    def read(self, key: str) -> Raw | None:
        """The record under a key."""
        entry = self.entries.get(key)
        found: Raw | None = json.loads(entry.value) if entry is not None and entry.value is not None else None
        return found
