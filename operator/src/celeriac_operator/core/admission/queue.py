"""The admission of one queue's Tasks: who holds a slot, who waits, and who is next. Pure, incremental.

Everything is derived from where each Task stands, and counts are sizes of sets, so nothing can leak: telling the same
twice changes nothing. A change costs O(log n). Only a change of the queue's own spec builds everything anew, and where
tenants share a concurrency key, its reaching its limit or leaving it costs a step for each tenant that waits on it.
"""

from __future__ import annotations

from datetime import datetime

from sortedcontainers import SortedList

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.core.admission.rate import bounded, next_token, taken
from celeriac_operator.core.admission.standing import Asks, Counts, Grants, Holds, Standing
from celeriac_operator.core.admission.tenant import Place, Tenant

MOST_TURNS = 10_000
"""So many tenants' last turns are remembered: beyond them, the one whose turn is longest ago counts as never."""


class QueueAdmission:
    """One queue. Tasks are named without their namespace, which is the queue's."""

    def __init__(self, spec: TaskQueueSpec, arrival: datetime | None = None) -> None:
        self.spec, self.arrival = spec, arrival
        self._turns: dict[str, int] = {}
        self._turn = 0
        self._granted: dict[str, Asks] = {}
        """What those asked for who were given a slot and have not said yet that they use it."""
        self._build({})

    def _build(self, standings: dict[str, Standing]) -> None:
        self.standings: dict[str, Standing] = {}
        self._held: set[str] = set()
        self._held_by_key: dict[str, set[str]] = {}
        self._tenants: dict[str, Tenant] = {}
        self._ranked: SortedList[tuple[int, int, str]] = SortedList()
        self._waiting_on: dict[str, set[str]] = {}
        """Concurrency key to the tenants that wait on it."""
        self._by_age: SortedList[tuple[datetime, str]] = SortedList()
        for task, standing in standings.items():
            self._enter(task, standing)

    # --- what changes ---

    def configure(self, spec: TaskQueueSpec) -> bool:
        """Have the queue follow this spec from now on; whether it is another than before."""
        if spec is self.spec or spec == self.spec:
            return False
        self.spec = spec
        if self.stopped:  # who has not started yet waits again
            self.standings |= self._granted
            self._granted.clear()
        self._build(self.standings)
        return True

    def set(self, task: str, standing: Standing | None) -> None:
        """Say where a Task stands. None: it has no slot and wants none."""
        if task in self._granted and isinstance(standing, Asks):
            return  # it asked before it knew of its slot, and learns of it when it is looked at next
        self._granted.pop(task, None)
        known = self.standings.get(task)
        if known == standing:
            return
        if known is not None:
            self._leave(task, known)
        if standing is not None:
            self._enter(task, standing)

    def grants(self, now: datetime) -> Grants:
        """Give out the slots that there are."""
        tasks: list[str] = []
        while (place := self._next()) is not None:
            limit = self.spec.rate_limit
            if limit is not None:
                self.arrival = bounded(
                    limit, self.arrival, now
                )  # kept, or a clock that jumped back would do it for ever
                token = next_token(limit, self.arrival)
                if token > now:
                    return Grants(tuple(tasks), token)
                self.arrival = taken(limit, self.arrival, now)
            self._grant(place.task)
            tasks.append(place.task)
        return Grants(tuple(tasks))

    # --- what can be asked ---

    @property
    def stopped(self) -> bool:
        """No attempt starts."""
        return self.spec.stop_policy not in (None, "None")

    @property
    def full(self) -> bool:
        """maxConcurrency is reached."""
        return self.spec.max_concurrency is not None and len(self._held) >= self.spec.max_concurrency

    def key_full(self, key: str | None) -> bool:
        """maxConcurrencyPerKey is reached for the key."""
        limit = self.spec.max_concurrency_per_key
        return limit is not None and key is not None and len(self._held_by_key.get(key, ())) >= limit

    def limits(self, key: str | None) -> bool:
        """A Task with that concurrency key has to ask for a slot."""
        per_key = key is not None and self.spec.max_concurrency_per_key is not None
        bounds = (self.spec.max_concurrency, self.spec.rate_limit)
        return self.stopped or per_key or any(bound is not None for bound in bounds)

    @property
    def counts(self) -> Counts:
        """How full it is."""
        oldest = self._by_age[0][0] if self._by_age else None
        return Counts(len(self._by_age), len(self._held), oldest)

    def position(self, task: str) -> int | None:
        """A waiting Task's place in the order as things stand now, from 1; None where it does not wait."""
        asks = self.standings.get(task)
        if not isinstance(asks, Asks):
            return None
        mine = self._tenants[self._tenant_of(asks)]
        ahead = mine.before(Place.of(task, asks), asks.concurrency_key)
        level = len(mine.held) + ahead
        for other in self._tenants.values():
            if other is not mine:
                first = self._before_at_a_level(other) < self._before_at_a_level(mine)
                ahead += min(max(level - len(other.held) + first, 0), other.competing)
        return ahead + 1

    def _before_at_a_level(self, tenant: Tenant) -> tuple[int, int, str]:
        """Who is first of the tenants that hold equally many, once they do: whoever held more had its turn before."""
        return (-len(tenant.held), self._turns.get(tenant.name, 0), tenant.name)

    @property
    def idle(self) -> bool:
        """No Task stands anywhere in it."""
        return not self.standings

    # --- the structure ---

    def _next(self) -> Place | None:
        """The Task that the next slot is for, but for the rate limit."""
        if self.stopped or self.full or not self._ranked:
            return None
        return self._tenants[self._ranked[0][2]].first

    def _grant(self, task: str) -> None:
        asks = self.standings[task]
        assert isinstance(asks, Asks)  # noqa: S101  only those who ask compete
        self._leave(task, asks)
        name = self._tenant_of(asks)
        self._turn += 1
        self._turns.pop(name, None)
        self._turns[name] = self._turn
        if len(self._turns) > MOST_TURNS:
            del self._turns[next(iter(self._turns))]
        self._enter(task, Holds(asks.queue, asks.concurrency_key, asks.labels))
        self._granted[task] = asks

    def _tenant_of(self, standing: Standing) -> str:
        return standing.labels.get(self.spec.fairness.by_label, "") if self.spec.fairness else ""

    def _enter(self, task: str, standing: Standing) -> None:
        name = self._tenant_of(standing)
        tenant = self._tenants.setdefault(name, Tenant(name))
        key = standing.concurrency_key
        if isinstance(standing, Asks):
            tenant.add(key, Place.of(task, standing), blocked=self.key_full(key))
            self._by_age.add((standing.since, task))
            if key is not None:
                self._waiting_on.setdefault(key, set()).add(name)
        else:
            tenant.held.add(task)
            self._held.add(task)
            if key is not None:
                self._hold_key(key, task, holds=True)
        self.standings[task] = standing
        self._rank(tenant)

    def _leave(self, task: str, standing: Standing) -> None:
        tenant = self._tenants[self._tenant_of(standing)]
        key = standing.concurrency_key
        if isinstance(standing, Asks):
            tenant.remove(key, Place.of(task, standing), blocked=self.key_full(key))
            self._by_age.remove((standing.since, task))
            if key is not None and not tenant.waits_in(key):
                _discard(self._waiting_on, key, tenant.name)
        else:
            tenant.held.discard(task)
            self._held.discard(task)
            if key is not None:
                self._hold_key(key, task, holds=False)
        del self.standings[task]
        self._rank(tenant)
        if tenant.idle:
            del self._tenants[tenant.name]

    def _hold_key(self, key: str, task: str, *, holds: bool) -> None:
        """Count a holder of the key, and have its lanes compete or not where that fills or frees it."""
        was_full = self.key_full(key)
        if holds:
            self._held_by_key.setdefault(key, set()).add(task)
        else:
            _discard(self._held_by_key, key, task)
        full = self.key_full(key)
        if full != was_full:
            for tenant in [self._tenants[name] for name in self._waiting_on.get(key, ())]:
                tenant.refresh(key, blocked=full)
                self._rank(tenant)

    def _rank(self, tenant: Tenant) -> None:
        """The tenant that holds the fewest slots is next, then the one whose turn is longest ago, then by name."""
        if tenant.rank is not None:
            self._ranked.remove(tenant.rank)
        waits = tenant.first is not None
        tenant.rank = (len(tenant.held), self._turns.get(tenant.name, 0), tenant.name) if waits else None
        if tenant.rank is not None:
            self._ranked.add(tenant.rank)


def _discard(index: dict[str, set[str]], key: str, value: str) -> None:
    values = index.get(key, set())
    values.discard(value)
    if not values:
        index.pop(key, None)
