"""The protocol: what is measured after what."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from e2e.bench import stopwatch
from e2e.bench.functions import workload
from e2e.bench.stopwatch import BenchError, Endings
from e2e.bench.warm.celery_peer import POOLS, Celery
from e2e.bench.warm.figures import BESIDE, COLD, JOB, WARM, Round
from e2e.bench.workload import Subject
from e2e.cluster.images.catalogue import SDK_IMAGE
from e2e.support.kube import JOBS, PODS, QUEUES, Obj
from e2e.support.manifests import definition, queue
from e2e.support.namespaces import Namespace
from e2e.support.predicates import takes_messages

from celeriac import Client

SETTLE_SECONDS = 2.5
"""Between two samples: a pod or a process that was taken is replaced meanwhile."""
CALLS = 2
"""Calls in pods that waited, in a turn, while nothing of Celery runs; one more has its workers beside it."""
EVERY = 3
"""One of so many turns has a raw Job and a pod of its own, which take seconds each."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    turns: int
    bursts: int
    pods: int
    """Pods that wait, and processes of each of Celery's workers."""

    @property
    def steps(self) -> int:
        """For a progress bar."""
        return self.rounds * (self.turns + self.bursts) + 1


@dataclass
class Warm:
    """One run in one namespace."""

    namespace: Namespace
    client: Client
    celery: Celery | None
    told: Callable[[str], None]
    count: int = field(default=0, init=False)

    def run(self, plan: Plan) -> list[Round]:
        """All rounds, after one call of each to warm up."""
        self.told("warming up")
        everything = {"minReady": plan.pods, "maxReady": plan.pods}
        self.namespace.apply(queue("default"), _function(WARM, isolation="Warm", warm=everything), _function(COLD))
        self.namespace.kube.wait(QUEUES, self.namespace.name, "default", takes_messages(1))
        jobs = self._jobs()
        self._all_wait(plan.pods)
        self._call(WARM)
        return [self._round(number, jobs, plan) for number in range(1, plan.rounds + 1)]

    def _jobs(self) -> Subject:
        """Raw Jobs; a task with a pod of its own shows which pod the operator makes."""
        _, name = self._call(COLD)
        made = self.namespace.kube.get(JOBS, self.namespace.name, self._job_name(name))
        if made is None:
            raise BenchError(f"the Job of task {name} is gone")
        return workload.jobs(made)

    def _round(self, number: int, jobs: Subject, plan: Plan) -> Round:
        found = Round()
        for turn in range(plan.turns):
            self.told(f"round {number}: alone")
            self._alone(found, jobs, rare=turn % EVERY == 0)
        for _ in range(plan.bursts):
            self.told(f"round {number}: {plan.pods} at once")
            self._burst(found, jobs, plan.pods)
        return found

    def _alone(self, found: Round, jobs: Subject, *, rare: bool) -> None:
        """One call of each, in turn, each in quiet."""
        with self._quiet():
            for _ in range(CALLS):
                self._warm(found, WARM)
        if self.celery is not None:
            self._warm(found, BESIDE)
            for pool in POOLS:
                found.alone.setdefault(pool, []).append(self.celery.seconds(pool))
                time.sleep(SETTLE_SECONDS / 5)
        if rare:
            self._rare(found, jobs)

    def _rare(self, found: Round, jobs: Subject) -> None:
        with self._quiet():
            found.alone.setdefault(JOB, []).append(self._raw(jobs, 1))
            time.sleep(SETTLE_SECONDS)
            found.alone.setdefault(COLD, []).append(self._call(COLD)[0])
            time.sleep(SETTLE_SECONDS)

    def _quiet(self) -> AbstractContextManager[None]:
        """What is there only to be compared with is no part of what is measured."""
        return self.celery.stopped() if self.celery is not None else nullcontext()

    def _warm(self, found: Round, row: str) -> None:
        seconds, name = self._call(WARM)
        found.alone.setdefault(row, []).append(seconds)
        found.misses += "-w-" not in self._job_name(name)
        time.sleep(SETTLE_SECONDS)

    def _job_name(self, task: str) -> str:
        """As its status has it, which may be written later than its result is there."""
        self.namespace.wait(task)
        return self.namespace.job_name(task)

    def _burst(self, found: Round, jobs: Subject, count: int) -> None:
        self._all_wait(count)
        with self._quiet():
            found.burst.setdefault(WARM, []).append(self._at_once(count))
            found.burst.setdefault(JOB, []).append(self._raw(jobs, count))
        if self.celery is not None:
            time.sleep(SETTLE_SECONDS)
            for pool in POOLS:
                found.burst.setdefault(pool, []).append(self.celery.seconds(pool, count))
                time.sleep(SETTLE_SECONDS)

    def _call(self, name: str) -> tuple[float, str]:
        """Seconds from before the call until its result is there, and the Task's name."""
        began = time.monotonic()
        handle = self.client.submit(definition=name, params=workload.PARAMS)
        handle.get(stopwatch.PATIENCE_SECONDS)
        return time.monotonic() - began, handle.name

    def _at_once(self, count: int) -> float:
        began = time.monotonic()
        handles = [self.client.submit(definition=WARM, params=workload.PARAMS) for _ in range(count)]
        for handle in handles:
            handle.get(stopwatch.PATIENCE_SECONDS)
        return time.monotonic() - began

    def _raw(self, jobs: Subject, count: int) -> float:
        """So many raw Jobs, until the last is Complete; they are gone when this returns."""
        kube, space = self.namespace.kube, self.namespace.name
        names = [f"raw-{self.count + number}" for number in range(count)]
        self.count += count
        seconds = stopwatch.burst(Endings(kube, space, jobs), names).seconds
        for name in names:
            kube.delete(JOBS, space, name)
        gone = "job-name in ({})".format(",".join(names))
        stopwatch.until(lambda: not kube.any(PODS, space, labels=gone), "the pods of raw Jobs are left")
        return seconds

    def _all_wait(self, count: int) -> None:
        """Pods that run, and had the time to import and connect: the status tells of them too seldom."""
        kube, space = self.namespace.kube, self.namespace.name
        labels = f"celeriac.dev/warm,celeriac.dev/definition={WARM}"

        def wait() -> bool:
            return (
                sum(pod["status"].get("phase") == "Running" for pod in kube.list(PODS, space, labels=labels)) >= count
            )

        stopwatch.until(wait, f"not all of {count} pods wait")
        time.sleep(SETTLE_SECONDS)


def _function(name: str, **spec: object) -> Obj:
    fields = {
        "image": SDK_IMAGE,
        "command": ["python", "-m", "celeriac.run"],
        "env": [{"name": "CELERIAC_FUNCTION", "value": "fnmatch:translate"}],
        "resources": workload.RESOURCES,
    }
    return definition(name, container_fields=fields, **spec)
