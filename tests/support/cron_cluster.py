"""The simulated cluster with CronTasks in it: their Tasks end when a test says so, and every create is checked."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from tests.support.clock import Clock, wire
from tests.support.cluster import Cluster
from tests.support.cron import CRON
from tests.support.objects import Raw
from tests.support.process import Process

from celeriac.cron.run import run_name
from celeriac_operator.core.cron.facts import CronKey
from celeriac_operator.kube.api import ApiError


class CronCluster(Cluster):
    """A cluster that takes note of every run."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.runs: Counter[str] = Counter()
        """How often each slot's Task was created, also after it was deleted."""
        self.one_at_a_time = False
        self.refusal: ApiError | None = None
        """What is said to a run that is to be created."""

    def add(self, plural: str, raw: Raw) -> Raw:
        if plural == "tasks" and raw["metadata"].get("ownerReferences"):
            if self.refusal is not None:
                raise self.refusal
            assert not (self.one_at_a_time and self.unfinished()), "two runs at once"
            self.runs[raw["metadata"]["name"]] += 1
        return super().add(plural, raw)

    def unfinished(self) -> list[str]:
        """Names of the runs that go on."""
        return [raw["metadata"]["name"] for raw in self.all("tasks") if not (raw.get("status") or {}).get("finishTime")]

    def schedule(self, schedule: str = "*/5 * * * *", **spec: Any) -> Raw:
        """A CronTask."""
        template = {"spec": {"container": {"image": "busybox:1.36"}}}
        spec = {"schedule": schedule, "taskTemplate": template, **spec}
        return self.add("crontasks", {"metadata": {"name": CRON}, "spec": spec})

    @property
    def cron_status(self) -> Raw:
        """The CronTask's status."""
        return (self.get("crontasks", CRON) or {}).get("status") or {}

    def end(self, name: str, outcome: str = "Succeeded") -> None:
        """A run comes to its end."""
        raw = self.get("tasks", name)
        if raw is None or (raw.get("status") or {}).get("finishTime"):
            return
        now = wire(self.clock.now)
        succeeded = "True" if outcome == "Succeeded" else "False"
        states = (("Finished", "True"), ("Succeeded", succeeded))
        conditions = [{"type": t, "status": s, "reason": outcome, "lastTransitionTime": now} for t, s in states]
        self.put("tasks", {**raw, "status": {"finishTime": now, "conditions": conditions}})

    def ran(self, slot: datetime) -> bool:
        """Was the slot's Task ever created?"""
        return self.runs[run_name(CRON, slot)] > 0


def hear(process: Process) -> None:
    """Both watches deliver all they have."""
    process.hear("tasks")
    process.hear("crons")


def work(process: Process, limit: int = 200) -> None:
    """All that there is to do for CronTasks now; the Tasks themselves are nobody's here."""
    for _ in range(limit):
        process.queue.wake(process.cluster.clock.now)
        for key in [key for key in process.queue.ready if not isinstance(key, CronKey)]:
            del process.queue.ready[key]
        if not process.queue.ready:
            return
        process.work()
    raise AssertionError(f"a hot loop at {process.cluster.clock.now}")
