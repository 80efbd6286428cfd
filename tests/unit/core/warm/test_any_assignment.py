"""Whatever happens to waiting pods, in whatever order, with whatever lost: no attempt starts twice, no pod is shared.

The operator's own parts run against the simulated cluster and bucket; Hypothesis plays pods, messages, NATS, cluster
and users. An assignment may come late, twice or never; a pod claims as the runner does, by compare-and-set.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support.clock import Clock, wire
from tests.support.cluster import NAMESPACE, Cluster
from tests.support.crash import Fault
from tests.support.invariants import violations
from tests.support.objects import Raw
from tests.support.process import Process
from tests.support.profiles import examples

from celeriac.app.exit_code import ExitCode
from celeriac.wire.names import attempt_key, claim_key
from celeriac_operator.core import names
from celeriac_operator.core.facts import Key
from celeriac_operator.watch import WATCHED

TASKS = tuple(f"resize-{number}" for number in range(1, 6))
DEFINITION: Raw = {
    "container": {"image": "media:1.4", "command": ["python", "-m", "celeriac.run", "media:app", "resize"]},
    "isolation": "Warm",
    "warm": {"minReady": 2, "maxReady": 3},
    "defaults": {"retry": {"maxAttempts": 2, "backoff": {"initialSeconds": 0}}, "deadlines": {"startSeconds": 30}},
}
KILLED = 137


class AnyAssignment(RuleBasedStateMachine):
    """Some Tasks and the pods that wait for them."""

    definition: ClassVar[Raw] = DEFINITION

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.cluster = Cluster(self.clock)
        self.cluster.bucket.enabled = True
        self.process = Process(self.cluster)
        self.other: Process | None = None
        """A replica that has led before, with what it knew then."""
        self.runs: dict[str, tuple[str, int]] = {}
        """What each pod runs or ran, by its uid."""
        self.told = 0
        self.ran: set[tuple[str, int]] = set()
        """Whatever began."""
        self.said: dict[str, int] = {}
        """The exit code that each pod has recorded, by its uid."""

    @initialize(submission=st.booleans(), limit=st.sampled_from([None, 1, 2]))
    def begin(self, submission: bool, limit: int | None) -> None:
        self.cluster.add("taskdefinitions", {"metadata": {"name": "resize"}, "spec": self.definition})
        if limit is not None:
            self.cluster.add("taskqueues", {"metadata": {"name": "default"}, "spec": {"maxConcurrency": limit}})
        self.annotations = {"celeriac.dev/submission": "sha256:mine"} if submission else {}
        self.settle()

    def submit(self, name: str, *, made_here: bool = False) -> None:
        meta = {"name": name, "annotations": self.annotations}
        self.cluster.add("tasks", {"metadata": meta, "spec": {"definitionName": "resize"}})
        made = self.cluster.get("tasks", name)
        if made_here and made is not None:
            self.process.book.made(Key(NAMESPACE, name), made["metadata"]["uid"])

    # --- the operator and its world ---

    @rule(kinds=st.lists(st.sampled_from(list(WATCHED)), min_size=1, max_size=4))
    def watches_deliver(self, kinds: list[str]) -> None:
        for kind in kinds:
            self.process.hear(kind)

    @rule(times=st.integers(1, 6))
    def operator_works(self, times: int) -> None:
        for _ in range(times):
            self.process.work()

    @rule()
    def operator_works_off(self) -> None:
        """There is an end to it, whatever is away."""
        self.process.work_off()

    @rule(faults=st.lists(st.none() | st.sampled_from(Fault), min_size=1, max_size=3))
    def faults_to_come(self, faults: list[Fault | None]) -> None:
        self.cluster.faults = faults

    @rule(is_stopped=st.booleans())
    def operator_restarts(self, is_stopped: bool) -> None:
        """Whether it is killed, or stopped: then it writes first what it holds."""
        if is_stopped:
            self.process.leave()
        self.process.start()

    @rule(is_stopped=st.booleans())
    def another_replica_leads(self, is_stopped: bool) -> None:
        """One that has begun just now, or that has led before; whatever the last one did, it has given it up."""
        if is_stopped:
            self.process.leave()
        self.process, self.other = self.other or Process(self.cluster), self.process
        self.process.take_up()

    @rule(passed=st.sampled_from([0.2, 1, 2, 6, 31, 130]))
    def time_passes(self, passed: float) -> None:
        self.clock.advance(passed)

    @rule()
    def controllers_step(self) -> None:
        self.cluster.run_controllers()

    @rule(news=st.none() | st.integers(1, 2))
    def records_are_heard(self, news: int | None) -> None:
        self.process.hear_records(news)

    @rule(up=st.sampled_from([True, True, True, False]))
    def nats_comes_and_goes(self, up: bool) -> None:
        self.cluster.bucket.turn(up)

    @rule(settles=st.booleans())
    def everything_goes_well(self, settles: bool) -> None:
        if settles:
            self.settle()

    # --- users ---

    @rule(
        names=st.lists(st.sampled_from(TASKS), max_size=3),
        well=st.sampled_from([True, True, False]),
        made_here=st.sampled_from([True, True, False]),
    )
    def user_submits(self, names: list[str], well: bool, made_here: bool = True) -> None:
        """As a resource, or by a message of which this life of the operator makes the Task, or an earlier one has."""
        if well:
            self.settle()
        for name in [name for name in names if self.cluster.get("tasks", name) is None]:
            self.submit(name, made_here=made_here and bool(self.annotations))
            self.process.hear("tasks")
            self.process.work()

    @rule(name=st.sampled_from(TASKS), sure=st.sampled_from([False, True]))
    def user_cancels(self, name: str, sure: bool) -> None:
        if sure:
            self.cluster.edit("tasks", name, cancel={"reason": "no longer needed"})

    @rule(version=st.sampled_from(["1", "2"]), pod=st.sampled_from([False, False, False, True]))
    def author_changes_the_definition(self, version: str, pod: bool) -> None:
        isolation = "Pod" if pod else self.definition["isolation"]
        self.cluster.edit("taskdefinitions", "resize", version=version, isolation=isolation)

    @precondition(lambda self: self.pods())
    @rule(pick=st.integers(0, 5), evicted=st.booleans())
    def a_pod_is_killed(self, pick: int, evicted: bool) -> None:
        pod = self.pods()[pick % len(self.pods())]
        if evicted:
            self.cluster.kubelet(pod, "evicted")
        else:
            self.cluster.delete_pod(pod["metadata"]["name"])

    # --- the pods ---

    def pods(self) -> list[Raw]:
        return self.cluster.all("pods")

    def running(self) -> list[Raw]:
        return [pod for pod in self.pods() if pod["status"]["phase"] == "Running"]

    def starts(self, pod: Raw) -> None:
        self.cluster.kubelet(pod, "starts")
        labels, uid = pod["metadata"]["labels"], pod["metadata"]["uid"]
        now = self.cluster.get("pods", pod["metadata"]["name"])
        if names.TASK_LABEL in labels and uid not in self.runs and now and now["status"]["phase"] == "Running":
            owner = next(job for job in self.cluster.all("jobs") if job["metadata"]["uid"] == _owner(pod))
            self.runs[uid] = (_owner(owner), int(labels[names.ATTEMPT_LABEL]))
            self.ran.add(self.runs[uid])

    @precondition(lambda self: self.pods())
    @rule(pick=st.integers(0, 5))
    def a_pod_starts(self, pick: int) -> None:
        self.starts(self.pods()[pick % len(self.pods())])

    def waits(self, pod: Raw) -> bool:
        meta = pod["metadata"]
        waits = names.WARM_LABEL in meta["labels"] and meta["uid"] not in self.runs
        return waits and pod["status"]["phase"] == "Running" and "deletionTimestamp" not in meta

    @rule()
    def pods_say_that_they_wait(self) -> None:
        for pod in self.pods():
            if self.waits(pod) and self.cluster.bucket.up:
                self.process.warm.heard(NAMESPACE, pod["metadata"]["uid"])

    @precondition(lambda self: self.cluster.assignments)
    @rule(pick=st.sampled_from([0, 0, 1, 2, 5]))
    def an_assignment_arrives(self, pick: int) -> None:
        """Any that was ever sent, again too."""
        self.arrive(*self.cluster.assignments[-1 - pick % len(self.cluster.assignments)])

    def arrive(self, pod_uid: str, message: Raw) -> None:
        pod = next((pod for pod in self.pods() if pod["metadata"]["uid"] == pod_uid), None)
        if pod is None or not self.waits(pod) or not self.cluster.bucket.up:
            return
        if self.claims(pod_uid, message):
            self.runs[pod_uid] = (message["uid"], message["attempt"])
            self.cluster.pod_claims(pod_uid, *self.runs[pod_uid])
            self.ran.add(self.runs[pod_uid])

    def claims(self, pod_uid: str, message: Raw) -> bool:
        """By compare-and-set; whether it is this pod's now."""
        record = {
            "author": "Runner",
            "taskUid": message["uid"],
            "attempt": message["attempt"],
            "podUID": pod_uid,
            "time": wire(self.clock.now),
        }
        key = claim_key(NAMESPACE, message["uid"], message["attempt"])
        return self.cluster.bucket.put(key, json.dumps(record).encode(), message["expect"] or None)

    @precondition(lambda self: self.cluster.assignments)
    @rule(pick=st.sampled_from([0, 0, 1, 2, 5]))
    def a_pod_dies_as_its_claim_is_stored(self, pick: int) -> None:
        """The operator may hear of either first, and the function never began."""
        pod_uid, message = self.cluster.assignments[-1 - pick % len(self.cluster.assignments)]
        pod = next((pod for pod in self.running() if pod["metadata"]["uid"] == pod_uid), None)
        if pod is not None and self.cluster.bucket.up and "expect" in message and self.waits(pod):
            self.claims(pod_uid, message)
            self.cluster.kubelet(pod, "evicted")

    @precondition(lambda self: self.cluster.assignments)
    @rule(pick=st.integers(0, 5))
    def nobody_hears_an_assignment(self, pick: int) -> None:
        self.process.warm.unheard(self.cluster.assignments[-1 - pick % len(self.cluster.assignments)][0])

    @rule(name=st.sampled_from(TASKS), passed=st.sampled_from([0, 6]))
    def a_claim_and_a_revocation_meet(self, name: str, passed: float) -> None:
        """The pod has claimed, and the operator, which has not heard of it, gives it up."""
        self.user_submits([name], well=True)
        self.process.work_off()
        for pod_uid, message in self.cluster.assignments[self.told :]:
            self.arrive(pod_uid, message)
            self.process.warm.unheard(pod_uid)
        self.clock.advance(passed)
        self.process.work_off()

    @rule(
        name=st.sampled_from(TASKS),
        passed=st.sampled_from([0, 1.5]),
        deaf=st.booleans(),
        arrives=st.sampled_from(["before", "after", "never"]),
        pod=st.booleans(),
    )
    def the_operator_dies_when_it_has_told_a_pod(
        self, name: str, passed: float, deaf: bool, arrives: str, pod: bool
    ) -> None:
        """The status that names the pod may not be written yet, and the definition be another one by then."""
        self.user_submits([name], well=True)
        self.process.work_off()
        self.clock.advance(passed)
        self.process.work_off()
        if deaf:
            self.nobody_hears_what_was_told()
        told = self.cluster.assignments[self.told :]
        self.author_changes_the_definition("1", pod)
        for assignment in told if arrives == "before" else ():
            self.arrive(*assignment)
        self.process.start()
        self.process.work_off()
        for assignment in told if arrives == "after" else ():
            self.arrive(*assignment)

    def nobody_hears_what_was_told(self) -> None:
        """It is taken back, and given to whoever says then that he waits."""
        for pod_uid, _ in self.cluster.assignments[self.told :]:
            self.process.warm.unheard(pod_uid)
        self.process.work_off()
        self.pods_say_that_they_wait()
        self.process.work_off()

    @precondition(lambda self: self.running())
    @rule(pick=st.integers(0, 5), code=st.sampled_from([0, 0, 1, KILLED]), recorded=st.booleans(), exits=st.booleans())
    def a_task_ends(self, pick: int, code: int, recorded: bool, exits: bool) -> None:
        self.end(self.running()[pick % len(self.running())], code, recorded=recorded, exits=exits)

    def end(self, pod: Raw, code: int, *, recorded: bool, exits: bool) -> None:
        """A process exits with what it has recorded, unless it is killed."""
        uid = pod["metadata"]["uid"]
        run = self.runs.get(uid)
        if run is None:
            return
        if code != KILLED:
            code = self.said.get(uid, code)
        if recorded and self.cluster.bucket.up:
            record: Raw = {
                "author": "Runner",
                "taskUid": run[0],
                "attempt": run[1],
                "podUID": uid,
                "exitCode": code,
                "finishTime": wire(self.clock.now),
            }
            ended: Raw = {"failure": "AppError", "message": "ValueError: no"} if code else {"result": {"value": 7}}
            stands = self.cluster.bucket.put(attempt_key(NAMESPACE, *run), json.dumps({**record, **ended}).encode())
            code = self.said.setdefault(uid, code if stands else int(ExitCode.GIVEN_UP))
        if exits:
            self.cluster.kubelet(pod, "exits", code, "7")

    # --- what holds ---

    def statuses(self) -> list[Raw]:
        return [task.get("status") or {} for task in self.cluster.all("tasks")]

    @invariant()
    def the_facts_are_as_they_must_be(self) -> None:
        found = violations(self.cluster.facts)
        assert not found, found

    @invariant()
    def no_pod_has_two_tasks(self) -> None:
        given = [attempt["podUID"] for status in self.statuses() for attempt in _open(status) if "podUID" in attempt]
        assert len(given) == len(set(given)), f"two Tasks were given one pod: {given}"

    @invariant()
    def pods_that_are_only_there_to_be_read_are_told_apart(self) -> None:
        cache = self.process.cache
        pods = [pod for entry in cache.pods.entries.values() if (pod := entry.facts) is not None and pod.definition]
        read = {Key(NAMESPACE, pod.job_name) for pod in pods if pod.ended and pod.uid in cache.tasks_of_pods}
        found = [cache.ahead.definition_of(pod.uid) for pod in pods]
        assert read == {job for each in found if each is not None for job in cache.ahead.jobs_to_read(each)}
        assert len(pods) - len(read) == sum(len(cache.pods_ahead(each)) for each in cache.ahead)

    @invariant()
    def a_success_ran(self) -> None:
        for task in self.cluster.all("tasks"):
            status = task.get("status") or {}
            if status.get("phase") == "Succeeded":
                last = status["attempts"][-1]
                run = (task["metadata"]["uid"], last["number"])
                assert run in self.ran, f"{task['metadata']['name']} has succeeded and never ran"

    # --- the end ---

    def settle(self) -> None:
        """Everybody does what they should, and nothing fails."""
        self.cluster.faults = []
        self.cluster.bucket.turn(True)
        for _ in range(3):
            self.process.hear_records()
            for kind in WATCHED:
                self.process.hear(kind)
            self.process.work_off()
            self.cluster.run_controllers()
            for pod in self.pods():
                self.cluster.kubelet(pod, "stops", 143)
                self.starts(pod)
            self.pods_say_that_they_wait()
            for assignment in self.cluster.assignments[self.told :]:
                self.arrive(*assignment)
            self.told = len(self.cluster.assignments)

    def teardown(self) -> None:
        """When faults stop, all Tasks end, and then nothing is written any more."""
        self.cluster.edit("taskdefinitions", "resize", isolation=self.definition["isolation"])
        self.cluster.remove("taskqueues", "default")
        for _ in range(80):
            self.settle()
            for pod in self.running():
                self.end(pod, 0, recorded=True, exits=True)
            self.settle()
            if all(_finished(status) for status in self.statuses()):
                break
            timers = [when for key, when in self.process.queue.timers.items() if len(key) == 2]
            self.clock.now = max(self.clock.now + timedelta(seconds=1), min(timers, default=self.clock.now))
        assert all(_finished(status) for status in self.statuses()), f"they never end: {self.statuses()}"


def _owner(raw: Raw) -> str:
    uid: str = raw["metadata"]["ownerReferences"][0]["uid"]
    return uid


def _open(status: Raw) -> list[Any]:
    last = status.get("attempts", [])[-1:]
    return [] if _finished(status) else [attempt for attempt in last if "finishTime" not in attempt]


def _finished(status: Raw) -> bool:
    return any(each["type"] == "Finished" and each["status"] == "True" for each in status.get("conditions", ()))


TestAnyAssignment = AnyAssignment.TestCase
TestAnyAssignment.settings = examples(40)
