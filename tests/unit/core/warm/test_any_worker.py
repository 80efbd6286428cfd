"""Whatever happens to workers, in whatever order, with whatever lost: no attempt starts twice, no slot is shared."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from tests.support.clock import wire
from tests.support.cluster import NAMESPACE
from tests.support.objects import Raw
from tests.support.profiles import examples
from tests.unit.core.warm.test_any_assignment import DEFINITION, AnyAssignment, _open

from celeriac.wire.names import WORKER_LABEL, attempt_key

SLOTS, TASKS = 2, 3
Run = tuple[str, int]


class AnyWorker(AnyAssignment):
    """Some Tasks and workers for them."""

    definition: ClassVar[Raw] = {
        **DEFINITION,
        "isolation": "Worker",
        "worker": {"minPods": 1, "maxPods": 2, "slotsPerPod": SLOTS, "tasksPerPod": TASKS},
    }

    def __init__(self) -> None:
        super().__init__()
        self.processes: dict[str, list[Run]] = {}
        """What each worker runs, by its uid."""
        self.taken: Counter[str] = Counter()

    # --- the pods ---

    def waits(self, pod: Raw) -> bool:
        meta = pod["metadata"]
        alive = pod["status"]["phase"] == "Running" and "deletionTimestamp" not in meta
        return WORKER_LABEL in meta["labels"] and alive and self.taken[meta["uid"]] < TASKS

    @rule()
    def pods_say_that_they_wait(self) -> None:
        """And when they have had enough."""
        for pod in self.running() if self.cluster.bucket.up else ():
            uid, meta = pod["metadata"]["uid"], pod["metadata"]
            if WORKER_LABEL in meta["labels"] and "deletionTimestamp" not in meta:
                self.process.warm.heard(NAMESPACE, uid, TASKS - self.taken[uid])

    def arrive(self, pod_uid: str, message: Raw) -> None:
        pod = next((pod for pod in self.running() if pod["metadata"]["uid"] == pod_uid), None)
        if pod is None or not self.cluster.bucket.up:
            return
        run = (message["uid"], message["attempt"])
        if "stop" in message:
            if run in self.processes.get(pod_uid, ()):
                self.process_ends(pod, run, 143, message["stop"]["failure"])
        elif self.waits(pod) and len(self.processes.get(pod_uid, ())) < SLOTS:
            self.begin_it(pod_uid, run, message)

    def begin_it(self, pod_uid: str, run: Run, message: Raw) -> None:
        if self.claims(pod_uid, message):
            self.processes.setdefault(pod_uid, []).append(run)
            self.taken[pod_uid] += 1
            self.ran.add(run)
            self.cluster.pod_claims(pod_uid, *run)

    def end(self, pod: Raw, code: int, *, recorded: bool, exits: bool) -> None:
        """Of a worker all that it runs ends; what it does not record has not ended."""
        if WORKER_LABEL not in pod["metadata"]["labels"]:
            super().end(pod, code, recorded=recorded, exits=exits)
            return
        for run in tuple(self.processes.get(pod["metadata"]["uid"], ())):
            if recorded and self.cluster.bucket.up:
                self.process_ends(pod, run, code)
        if exits:
            self.pod_had_enough(pod)

    def process_ends(self, pod: Raw, run: Run, code: int, failure: str = "AppError") -> None:
        """A failure is recorded once its process has ended."""
        uid = pod["metadata"]["uid"]
        self.processes[uid].remove(run)
        self.cluster.process_ends(uid, *run, code)
        record: Raw = {
            "author": "Runner",
            "taskUid": run[0],
            "attempt": run[1],
            "podUID": uid,
            "exitCode": code,
            "finishTime": wire(self.clock.now),
        }
        ended: Raw = {"failure": failure, "message": "no"} if code else {"result": {"value": 7}}
        self.cluster.bucket.put(attempt_key(NAMESPACE, *run), json.dumps({**record, **ended}).encode())

    def pod_had_enough(self, pod: Raw) -> None:
        uid = pod["metadata"]["uid"]
        if self.taken[uid] >= TASKS and not self.processes.get(uid):
            self.cluster.kubelet(pod, "exits", 0)

    @precondition(lambda self: any(self.processes.values()))
    @rule(pick=st.integers(0, 5), code=st.sampled_from([0, 0, 1, 137]))
    def a_process_ends(self, pick: int, code: int) -> None:
        going = [(pod, run) for pod in self.running() for run in self.processes.get(pod["metadata"]["uid"], ())]
        if going and self.cluster.bucket.up:
            self.process_ends(*going[pick % len(going)], code)

    # --- what holds ---

    @invariant()
    def no_pod_has_two_tasks(self) -> None:
        """But for workers, which have their slots."""
        given: Counter[Any] = Counter()
        for status in self.statuses():
            given.update(attempt["podUID"] for attempt in _open(status) if "podUID" in attempt)
        assert max(given.values(), default=0) <= SLOTS, given


TestAnyWorker = AnyWorker.TestCase
TestAnyWorker.settings = examples(40)
