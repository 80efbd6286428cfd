"""The protocol: bursts of Tasks and of Jobs in turn, and one large burst of Tasks at the end."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from e2e.bench import stopwatch, workload
from e2e.bench.figures import cost
from e2e.bench.progress import Told
from e2e.bench.scale import usage
from e2e.bench.scale.figures import Round, Sample, spent
from e2e.bench.scale.workload import definition, tasks
from e2e.bench.stopwatch import BenchError, Endings
from e2e.bench.workload import Subject
from e2e.support.kube import JOBS
from e2e.support.metrics import Samples
from e2e.support.namespaces import Namespace
from e2e.support.operator import LocalOperator

SLOWEST_RATE = 8.0
"""Objects a second; what is slower than that is given up."""
SETTLE_SECONDS = 3
"""Before the second reading: Events, and what the operator hears of Jobs, come after the Jobs are complete."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    tasks: int
    live: int

    @property
    def steps(self) -> int:
        """Bursts in all, for a progress bar."""
        return 2 * self.rounds + bool(self.live) + 1


@dataclass(frozen=True)
class Look:
    """What can be seen of the cost at one moment."""

    all: usage.Reading
    operator: Samples
    memory: usage.Memory


@dataclass
class Scale:
    """One run in one namespace."""

    namespace: Namespace
    operator: LocalOperator
    pids: Mapping[str, int]
    told: Told
    count: int = 0

    def run(self, plan: Plan) -> tuple[list[Round], Sample | None]:
        """All rounds, every other one beginning with the Job, and the large burst last."""
        subjects = self._subjects()
        rounds: list[Round] = []
        for number in range(1, plan.rounds + 1):
            order = subjects if number % 2 else subjects[::-1]
            rounds.append({each.name: self._tidied(each, plan.tasks, f"round {number}") for each in order})
        return rounds, self._burst(subjects[0], plan.live, "at last") if plan.live else None

    def _subjects(self) -> tuple[Subject, Subject]:
        """Both ways, after one of each to warm up; the Task shows which pod the operator makes."""
        self.told("warming up")
        space, kube, ways = self.namespace, self.namespace.kube, tasks()
        space.define(definition())
        space.submit(ways.manifest("warm-up"))
        space.wait("warm-up")
        made = kube.list(JOBS, space.name)
        if len(made) != 1:
            raise BenchError(f"{len(made)} Jobs were made of one Task: does another operator watch {space.name}?")
        stopwatch.empty(kube, space.name)
        both = ways, workload.jobs(made[0])
        stopwatch.alone(kube, space.name, both[1], "warm-up")
        return both

    def _tidied(self, subject: Subject, size: int, when: str) -> Sample:
        """A burst that leaves nothing behind; the last one goes with its namespace."""
        found = self._burst(subject, size, when)
        stopwatch.empty(self.namespace.kube, self.namespace.name)
        return found

    def _burst(self, subject: Subject, size: int, when: str) -> Sample:
        self.told(f"{when}: {size} {subject.name}s at once")
        kube, name, patience = self.namespace.kube, self.namespace.name, 60 + size / SLOWEST_RATE
        endings = Endings(kube, name, subject, patience, lambda count: self.told.ended(count, size))
        names = [f"{subject.name.lower()}-{self.count + number}" for number in range(size)]
        self.count += size
        looks, complete, began = [self._look()], [0.0], time.monotonic()

        def then() -> None:
            self._wait_for_jobs(patience)
            complete[0] = time.monotonic() - began
            time.sleep(SETTLE_SECONDS)
            looks.append(self._look())

        burst = stopwatch.burst(endings, names, then)
        before, after = looks
        costs = cost(before.operator, after.operator, size)
        sample = Sample(size, burst, complete[0], spent(before.all, after.all, size), costs, after.memory)
        self.told.found(f"  {sample.rate:.1f} {subject.name}s/s, {sample.spent.total_ms:.0f} ms of CPU each")
        return sample

    def _wait_for_jobs(self, patience: float) -> None:
        kube, name = self.namespace.kube, self.namespace.name
        stopwatch.until(
            lambda: not kube.any(JOBS, name, fields="status.successful!=1"),
            "There are Jobs that are not complete",
            patience,
            every=1,
        )

    def _look(self) -> Look:
        api_metrics = self.namespace.kube.text("/metrics")
        return Look(usage.read(self.pids, api_metrics), self.operator.metrics(), usage.memory(self.operator.pid))
