"""The protocol: what is measured after what."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from e2e.bench import stopwatch
from e2e.bench.functions import workload
from e2e.bench.functions.figures import Round
from e2e.bench.stopwatch import BenchError, Endings
from e2e.bench.workload import Subject
from e2e.support.kube import JOBS, QUEUES, TASKS
from e2e.support.manifests import queue
from e2e.support.namespaces import Namespace
from e2e.support.predicates import takes_messages

from celeriac import Client


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    alone: int
    messages: int

    @property
    def steps(self) -> int:
        """Samples in all, for a progress bar."""
        return self.rounds * 2 * (self.alone + 1) + 1


@dataclass
class Functions:
    """One run in one namespace."""

    namespace: Namespace
    client: Client
    told: Callable[[str], None]
    """Called before each sample with what it is."""
    count: int = 0

    def run(self, plan: Plan) -> list[Round]:
        """All rounds, after one of each to warm up."""
        self.told("warming up")
        self.namespace.define(workload.function())
        self._queue(queue("default"))
        jobs = self._jobs()
        return [self._round(number, jobs, plan) for number in range(1, plan.rounds + 1)]

    def _jobs(self) -> Subject:
        """Raw Jobs; a task shows which pod the operator makes."""
        kube, name = self.namespace.kube, self.namespace.name
        self.function()
        made = kube.list(JOBS, name)
        if len(made) != 1:
            raise BenchError(f"{len(made)} Jobs were made of one task: does another operator watch {name}?")
        self._empty()
        subject = workload.jobs(made[0])
        stopwatch.alone(kube, name, subject, self._name())
        return subject

    def _round(self, number: int, jobs: Subject, plan: Plan) -> Round:
        """Every other one begins with the other, so that neither has the better place."""
        found = Round()
        alone = [partial(self._function, number, found), partial(self._job, number, jobs, found)]
        sizes = number, plan.messages, found
        many = [partial(self._intake, *sizes), partial(self._created, *sizes)]
        for _ in range(plan.alone):
            for deed in alone if number % 2 else alone[::-1]:
                deed()
        for deed in many if number % 2 else many[::-1]:
            deed()
        return found

    def _function(self, number: int, found: Round) -> None:
        self.told(f"round {number}: a function alone")
        found.function.append(self.function())
        self._empty()

    def _job(self, number: int, jobs: Subject, found: Round) -> None:
        self.told(f"round {number}: a Job alone")
        found.job.append(stopwatch.alone(self.namespace.kube, self.namespace.name, jobs, self._name()))

    def function(self) -> float:
        """Seconds from the call until its result is there."""
        began = time.monotonic()
        self.client.submit(definition=workload.DEFINITION, params=workload.PARAMS).get(stopwatch.PATIENCE_SECONDS)
        return time.monotonic() - began

    def _intake(self, number: int, size: int, found: Round) -> None:
        """Tasks a second, from when the queue goes on until a watch has told of the last."""
        self.told(f"round {number}: intake of {size} messages")
        kube, space = self.namespace.kube, self.namespace.name
        self._queue(workload.intake_queue(size, held=True))
        done = self.client.submit_many(workload.message(number) for number in range(size))
        if failed := [one.error for one in done if one.error]:
            raise BenchError(f"{len(failed)} messages were not taken: {failed[0]}")
        names = [one.handle.name for one in done if one.handle]
        endings = Endings(kube, space, workload.created())
        endings.start(stopwatch.newest_version(kube, TASKS, space))
        began = time.monotonic()
        kube.apply(workload.intake_queue(size, held=False), space)
        found.intake = size / (max(endings.wait(names).values()) - began)
        self._empty()

    def _created(self, number: int, size: int, found: Round) -> None:
        """Tasks a second, from the first call until a watch has told of the last."""
        self.told(f"round {number}: {size} Tasks created by clients")
        self._queue(workload.intake_queue(size, held=False))
        endings = Endings(self.namespace.kube, self.namespace.name, workload.created())
        found.created = size / stopwatch.burst(endings, [self._name() for _ in range(size)]).seconds
        self._empty()

    def _queue(self, manifest: workload.Obj) -> None:
        """Apply it, and wait until the operator has just that, and takes messages."""
        applied = self.namespace.kube.apply(manifest, self.namespace.name)
        name, generation = manifest["metadata"]["name"], applied["metadata"]["generation"]
        self.namespace.kube.wait(QUEUES, self.namespace.name, name, takes_messages(generation))

    def _empty(self) -> None:
        stopwatch.empty(self.namespace.kube, self.namespace.name)

    def _name(self) -> str:
        self.count += 1
        return f"sample-{self.count}"
