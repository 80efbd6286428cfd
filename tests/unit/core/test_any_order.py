"""Whatever happens, in whatever order, seen however late, with whatever lost: the invariants of the design hold.

The operator's own cache, observe, decide and apply run against a simulated cluster; Hypothesis plays users, Job
controller, kubelet, network and time. Invariants of single writes are checked where the write arrives (FakeKube).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support import invariants
from tests.support.clock import Clock
from tests.support.cluster import Cluster
from tests.support.crash import Fault
from tests.support.objects import Raw
from tests.support.process import Process
from tests.support.profiles import examples

from celeriac.api.v1alpha1 import TaskSpec
from celeriac_operator.watch import WATCHED

TASK = "resize-42"
DEFINITION: Raw = {
    "container": {"image": "media:1.4"},
    "resultSchema": {"type": "integer"},
    "defaults": {"retry": {"maxAttempts": 2}},
}

seconds = st.none() | st.sampled_from([1, 2, 5, 30, 400])
deadlines = st.fixed_dictionaries(
    {},
    optional={
        "queueSeconds": seconds,
        "startSeconds": seconds,
        "runSeconds": seconds,
        "totalSeconds": seconds,
        "graceSeconds": st.sampled_from([0, 2, 30]),
    },
)
rules = st.lists(
    st.sampled_from(
        [
            {"onFailures": ["PodDeleted", "Evicted"], "action": "Fail"},
            {"onFailures": ["InvalidPod", "ResultInvalid"], "action": "Retry"},
            {"onExitCodes": {"operator": "In", "values": [1]}, "action": "Fail"},
        ]
    ),
    max_size=2,
)
retry = st.fixed_dictionaries(
    {"maxAttempts": st.sampled_from([1, 2, 3, 3]), "maxDisruptions": st.integers(0, 2)},
    optional={
        "rules": rules,
        "backoff": st.fixed_dictionaries(
            {"initialSeconds": st.sampled_from([0, 1, 10])}, optional={"jitter": st.sampled_from(["None", "Full"])}
        ),
    },
)
specs = st.fixed_dictionaries(
    {"retry": retry},
    optional={
        "deadlines": deadlines.map(lambda d: {key: value for key, value in d.items() if value is not None}),
        "suspend": st.booleans(),
        "startTime": st.sampled_from(["2026-03-01T11:00:00Z", "2026-03-01T12:00:07Z", "2026-03-01T12:02:00Z"]),
        "ttlSecondsAfterFinished": st.just(100_000),
    },
)
outputs = st.sampled_from(
    ["", "7", '{"a": null}', "text", "1e999", "[" * 500, "\x1b[2J" * 1000, "x" * 4096, '"\\ud800"']
)
QUEUES: list[Raw | None] = [
    None,
    {},
    {"maxConcurrency": 1},
    {"stopPolicy": "Hold", "stopReason": "upgrade"},
    {"stopPolicy": "HoldAndDrain"},
    {"rateLimit": {"tasks": 1, "periodSeconds": 30}},
    {"kueueQueueName": "team-a"},
    {"inlineContainers": "Deny"},
]


class AnyOrder(RuleBasedStateMachine):
    """One Task's life."""

    definition: ClassVar[Raw] = DEFINITION
    promises: ClassVar[tuple[invariants.Rule, ...]] = (invariants.a_recorded_attempt_gets_no_job,)
    """Of the checker's rules, those that hold whatever nodes and controllers do."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.cluster = Cluster(self.clock)
        self.process = Process(self.cluster)

    @initialize(spec=specs, named=st.sampled_from([False, False, True]), first=st.booleans(), slow=st.booleans())
    def submit(self, spec: Raw, named: bool, first: bool, slow: bool) -> None:
        self.create_task(spec, {"image": "busybox:1.36"}, {}, named=named, first=first, slow=slow)

    def create_task(self, spec: Raw, container: Raw, annotations: Raw, *, named: bool, first: bool, slow: bool) -> None:
        spec = {**spec, **({"definitionName": "resize"} if named else {"container": container})}
        TaskSpec.model_validate(spec)
        self.named = named
        if named and first:
            self.define()
        self.cluster.add("tasks", {"metadata": {"name": TASK, "annotations": annotations}, "spec": spec})
        if not slow:
            self.process.hear("definitions")
            self.process.hear("tasks")
            self.process.work_off()

    def define(self) -> None:
        if self.cluster.get("taskdefinitions", "resize") is None:
            self.cluster.add("taskdefinitions", {"metadata": {"name": "resize"}, "spec": self.definition})

    # --- the operator and its world ---

    @rule(kinds=st.lists(st.sampled_from(list(WATCHED)), min_size=1, max_size=4), events=st.none() | st.integers(1, 3))
    def watches_deliver(self, kinds: list[str], events: int | None) -> None:
        for kind in kinds:
            self.process.hear(kind, events)

    @rule(passed=st.sampled_from([0, 0, 1, 12]))
    def everything_goes_well(self, passed: int) -> None:
        self.clock.advance(passed)
        self.settle_once()

    @precondition(lambda self: not self.pods())
    @rule(passed=st.sampled_from([0, 3, 30]))
    def an_attempt_starts(self, passed: int) -> None:
        self.clock.advance(passed)
        self.settle_once()

    @rule(times=st.integers(1, 4))
    def operator_works(self, times: int) -> None:
        for _ in range(times):
            self.process.work()

    @rule(faults=st.lists(st.none() | st.sampled_from(Fault), min_size=1, max_size=3))
    def faults_to_come(self, faults: list[Fault | None]) -> None:
        self.cluster.faults = faults

    @rule()
    def operator_restarts(self) -> None:
        self.process.start()

    @rule(passed=st.sampled_from([0.2, 0.9, 1, 3, 6, 31, 150, 700]))
    def time_passes(self, passed: float) -> None:
        self.clock.advance(passed)

    @rule(second=st.sampled_from([False, False, False, True]))
    def controllers_step(self, second: bool) -> None:
        self.cluster.run_controllers(second_pod=second)

    @rule(on=st.booleans(), what=st.sampled_from(["quota_on_pods", "quota_on_jobs", "policy_on_pods"]))
    def quota_changes(self, on: bool, what: str) -> None:
        setattr(self.cluster, what, on)

    # --- the node ---

    def pods(self) -> list[Raw]:
        return self.cluster.all("pods")

    @precondition(lambda self: self.pods())
    @rule(pick=st.integers(0, 3), code=st.sampled_from([0, 0, 1, 42, 143]), output=outputs)
    def process_ends(self, pick: int, code: int, output: str) -> None:
        pod = self.pods()[pick % len(self.pods())]
        self.cluster.kubelet(pod, "starts")
        self.cluster.kubelet(pod, "exits", code, output)

    @precondition(lambda self: self.pods())
    @rule(code=st.sampled_from([1, 0]))
    def the_job_tells_its_end_before_the_pod(self, code: int) -> None:
        self.cluster.kubelet(self.pods()[-1], "starts")
        self.cluster.kubelet(self.pods()[-1], "exits", code, "7")
        self.cluster.run_controllers()
        self.process.hear("tasks")
        self.clock.advance(3)
        self.process.work_off()

    @precondition(lambda self: self.pods())
    @rule(code=st.sampled_from([1, 1, 143, 0]), evicted=st.booleans())
    def the_last_process_ends_and_is_seen(self, code: int, evicted: bool) -> None:
        self.cluster.kubelet(self.pods()[-1], "starts")
        self.cluster.kubelet(self.pods()[-1], "evicted" if evicted else "exits", code, "7")
        self.process.hear("pods")
        self.process.work_off()

    @precondition(lambda self: self.pods())
    @rule(
        pick=st.integers(0, 3),
        what=st.sampled_from(["starts", "starts", "evicted", "stops"]),
        code=st.sampled_from([0, 143]),
    )
    def node_acts(self, pick: int, what: str, code: int) -> None:
        self.cluster.kubelet(self.pods()[pick % len(self.pods())], what, code, "")

    @precondition(lambda self: self.pods())
    @rule(
        reason=st.sampled_from(["ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError", "InvalidImageName"])
    )
    def container_waits(self, reason: str) -> None:
        if not self.pods()[0]["status"].get("containerStatuses"):
            self.cluster.kubelet(self.pods()[0], "waits", message=reason)

    # --- users ---

    @rule(fields=st.sampled_from([{"suspend": True}, {"suspend": False}, {"priority": 7}]))
    def user_edits(self, fields: dict[str, Any]) -> None:
        self.cluster.edit("tasks", TASK, **fields)

    @precondition(lambda self: self.status.get("attemptCount") or self.clock.now.second % 3 == 2)
    @rule(sure=st.sampled_from([False, False, True]))
    def user_cancels(self, sure: bool) -> None:
        if sure:
            self.cluster.edit("tasks", TASK, cancel={"reason": "no longer needed"})

    @precondition(lambda self: self.named)
    @rule(there=st.booleans())
    def user_changes_the_definition(self, there: bool) -> None:
        if there:
            self.define()
            self.cluster.edit("taskdefinitions", "resize", version=f"v{self.clock.now:%M%S}")
        else:
            self.cluster.remove("taskdefinitions", "resize")

    @precondition(lambda self: self.pods())
    @rule(pick=st.integers(0, 3))
    def user_deletes_a_pod(self, pick: int) -> None:
        self.cluster.delete_pod(self.pods()[pick % len(self.pods())]["metadata"]["name"])

    @precondition(lambda self: self.cluster.all("jobs"))
    @rule()
    def user_deletes_a_job(self) -> None:
        self.cluster.delete_job(self.cluster.all("jobs")[-1]["metadata"]["name"])

    @precondition(lambda self: self.clock.now.second % 7 == 4)
    @rule(sure=st.sampled_from([False, False, False, True]))
    def user_deletes_the_task(self, sure: bool) -> None:
        if sure:
            self.cluster.remove("tasks", TASK)

    @rule(spec=st.sampled_from(QUEUES))
    def admin_changes_the_queue(self, spec: Raw | None) -> None:
        self.cluster.remove("taskqueues", "default")
        if spec is not None:
            self.cluster.add("taskqueues", {"metadata": {"name": "default"}, "spec": spec})

    @precondition(lambda self: any("suspend" in job["spec"] for job in self.cluster.all("jobs")))
    @rule(suspend=st.sampled_from([False, False, True]))
    def kueue_acts(self, suspend: bool) -> None:
        for job in self.cluster.all("jobs"):
            if "suspend" in job["spec"]:
                self.cluster.suspend_job(job["metadata"]["name"], suspend)

    # --- what holds ---

    @property
    def status(self) -> Raw:
        return (self.cluster.get("tasks", TASK) or {}).get("status") or {}

    @invariant()
    def the_facts_are_as_they_must_be(self) -> None:
        found = [wrong for rule in self.promises for wrong in rule(self.cluster.facts)]
        assert not found, found

    def settle_once(self) -> None:
        """Everybody does what they should, and nothing fails."""
        self.cluster.faults = []
        self.cluster.bucket.turn(True)
        self.cluster.bucket.full = False
        self.process.hear_records()
        for kind in WATCHED:
            self.process.hear(kind)
        self.process.work_off()
        self.cluster.run_controllers()
        for pod in self.pods():
            self.cluster.kubelet(pod, "stops", 143)
            self.cluster.kubelet(pod, "starts")
        self.process.hear_records()
        for kind in WATCHED:
            self.process.hear(kind)
        self.process.work_off()

    def teardown(self) -> None:
        """When faults stop, the Task ends, and then nothing is written any more."""
        self.cluster.quota_on_pods = self.cluster.quota_on_jobs = self.cluster.policy_on_pods = False
        self.cluster.edit("tasks", TASK, suspend=False)
        self.cluster.remove("taskqueues", "default")
        for _ in range(60):
            for job in self.cluster.all("jobs"):
                self.cluster.suspend_job(job["metadata"]["name"], False)
            self.settle_once()
            for pod in self.pods():
                self.cluster.kubelet(pod, "exits", 0, "7")
            self.settle_once()
            timers = list(self.process.queue.timers.values())
            if not timers:
                break
            if self.ended():
                break
            self.clock.now = max(self.clock.now + timedelta(seconds=1), min(timers))
        if self.cluster.get("tasks", TASK) is None:
            return
        assert self.ended(), f"it never ends: {self.status}"
        self.nothing_is_left_to_do()

    def ended(self) -> bool:
        return any(c["type"] == "Finished" and c["status"] == "True" for c in self.status.get("conditions", ()))

    def nothing_is_left_to_do(self) -> None:
        for _ in range(3):
            self.clock.advance(61)
            self.settle_once()
        before = self.cluster.writes.copy()
        for _ in range(3):
            self.clock.advance(61)
            self.process.start()
            self.settle_once()
        written = self.cluster.writes - before
        assert set(written) <= {"delete tasks"}, f"a settled world is written to, its TTL apart: {written}"
        running = [pod["metadata"]["name"] for pod in self.pods() if pod["status"]["phase"] == "Running"]
        assert not running, f"a finished Task has pods that run on: {running}"


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = examples(60)
