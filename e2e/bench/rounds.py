"""The protocol: what is measured after what."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from e2e.bench import stopwatch, workload
from e2e.bench.figures import Cost, Round, cost
from e2e.bench.stopwatch import BenchError
from e2e.bench.workload import Subject
from e2e.support.kube import JOBS, TASKS, Kube
from e2e.support.metrics import Samples
from e2e.support.predicates import finished

SETTLE_SECONDS = 4
"""Before the second scrape: Jobs complete, and the operator hears of it, after their Tasks have finished."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    alone: int
    burst: int

    @property
    def steps(self) -> int:
        """Samples in all, for a progress bar."""
        return self.rounds * 2 * (self.alone + 1)


@dataclass
class Bench:
    """One run in one namespace."""

    kube: Kube
    namespace: str
    metrics: Callable[[], Samples]
    told: Callable[[str], None]
    """Called before each sample with what it is."""
    count: int = 0

    def subjects(self) -> tuple[Subject, Subject]:
        """Both ways, after a Task and a Job to warm up; the Task shows which pod the operator makes."""
        self.told("warming up")
        name = self._name()
        self.kube.create(workload.task(name), self.namespace)
        self.kube.wait(TASKS, self.namespace, name, finished())
        made = self.kube.list(JOBS, self.namespace)
        if len(made) != 1:
            raise BenchError(f"The operator made {len(made)} Jobs of one Task in {self.namespace}")
        stopwatch.empty(self.kube, self.namespace)
        both = workload.tasks(), workload.jobs(made[0])
        stopwatch.alone(self.kube, self.namespace, both[1], self._name())
        return both

    def round(self, number: int, subjects: tuple[Subject, Subject], plan: Plan) -> Round:
        """One round; every other one begins with the Job, so that neither has the better place."""
        order = subjects if number % 2 else subjects[::-1]
        found = Round()
        for _ in range(plan.alone):
            for subject in order:
                self.told(f"round {number}: Tasks and Jobs alone, in turn")
                self._alone(subject, found)
        for subject in order:
            self.told(f"round {number}: {plan.burst} {subject.name}s at once")
            self._burst(subject, plan.burst, found)
        return found

    def _alone(self, subject: Subject, found: Round) -> None:
        before = self.metrics()
        found.alone[subject.name].append(stopwatch.alone(self.kube, self.namespace, subject, self._name()))
        if subject.kind is TASKS:
            found.alone_costs.append(self._cost(before, 1))

    def _burst(self, subject: Subject, size: int, found: Round) -> None:
        before = self.metrics()

        def then() -> None:
            time.sleep(SETTLE_SECONDS)
            if subject.kind is TASKS:
                found.burst_cost = self._cost(before, size)

        names = [self._name() for _ in range(size)]
        endings = stopwatch.Endings(self.kube, self.namespace, subject)
        found.burst[subject.name] = stopwatch.burst(endings, names, then).seconds
        stopwatch.empty(self.kube, self.namespace)

    def _cost(self, before: Samples, size: int) -> Cost:
        after = self.metrics()
        if after.total("process_start_time_seconds") != before.total("process_start_time_seconds"):
            raise BenchError("The operator was restarted while it was measured: start anew.")
        return cost(before, after, size)

    def _name(self) -> str:
        self.count += 1
        return f"noop-{self.count}"
