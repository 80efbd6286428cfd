"""A second admission, as short and as slow as it can be: it looks at everything each time. Tests compare with it."""

from __future__ import annotations

from datetime import datetime, timedelta

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.core.admission.standing import Asks, Holds, Standing


class NaiveQueue:
    """One queue's Tasks, in plain dicts."""

    def __init__(self, spec: TaskQueueSpec) -> None:
        self.spec = spec
        self.standings: dict[str, Standing] = {}
        self.granted: dict[str, Asks] = {}
        self.turns: dict[str, int] = {}
        self.arrival: datetime | None = None

    def configure(self, spec: TaskQueueSpec) -> None:
        if spec != self.spec and spec.stop_policy in ("Hold", "HoldAndDrain"):
            self.standings |= self.granted
            self.granted = {}
        self.spec = spec

    def set(self, task: str, standing: Standing | None) -> None:
        if task in self.granted and isinstance(standing, Asks):
            return
        self.granted.pop(task, None)
        self.standings.pop(task, None)
        if standing is not None:
            self.standings[task] = standing

    def held(self, **which: str | None) -> int:
        holders = [standing for standing in self.standings.values() if isinstance(standing, Holds)]
        if "key" in which:
            holders = [holder for holder in holders if holder.concurrency_key == which["key"]]
        if "tenant" in which:
            holders = [holder for holder in holders if self.tenant(holder) == which["tenant"]]
        return len(holders)

    def tenant(self, standing: Standing) -> str:
        return standing.labels.get(self.spec.fairness.by_label, "") if self.spec.fairness else ""

    def eligible(self) -> list[str]:
        """Who could have a slot now, but for the rate limit; the next first."""
        spec = self.spec
        if spec.stop_policy in ("Hold", "HoldAndDrain"):
            return []
        if spec.max_concurrency is not None and self.held() >= spec.max_concurrency:
            return []
        asking = {task: asks for task, asks in self.standings.items() if isinstance(asks, Asks)}
        return sorted((task for task, asks in asking.items() if self._key_has_room(asks)), key=self._rank)

    def _key_has_room(self, asks: Asks) -> bool:
        limit, key = self.spec.max_concurrency_per_key, asks.concurrency_key
        return limit is None or key is None or self.held(key=key) < limit

    def _rank(self, task: str) -> tuple[int, int, str, int, datetime, str]:
        asks = self.standings[task]
        assert isinstance(asks, Asks)
        tenant = self.tenant(asks)
        turn = self.turns.get(tenant, 0)
        return (self.held(tenant=tenant), turn, tenant, -asks.priority, asks.since, task)

    def token_time(self, now: datetime) -> datetime:
        limit = self.spec.rate_limit
        if limit is None:
            return now
        step = timedelta(seconds=limit.period_seconds) / limit.tasks
        self.arrival = min(max(self.arrival or now, now), now + step * limit.tasks)
        return self.arrival - step * (limit.tasks - 1)

    def grants(self, now: datetime) -> list[str]:
        given: list[str] = []
        while (ranked := self.eligible()) and self.token_time(now) <= now:
            task, limit = ranked[0], self.spec.rate_limit
            asks = self.standings[task]
            assert isinstance(asks, Asks)
            if limit is not None:
                step = timedelta(seconds=limit.period_seconds) / limit.tasks
                self.arrival = (self.arrival or now) + step
            tenant = self.tenant(asks)
            self.turns[tenant] = max(self.turns.values(), default=0) + 1
            self.standings[task] = Holds(asks.queue, asks.concurrency_key, asks.labels)
            self.granted[task] = asks
            given.append(task)
        return given
