"""Several Tasks and messages at once, on servers that answer late, twice or never: what is promised holds.

The operator's own work queue, workers, watches, intake and admission run; Hypothesis says which of their requests is
carried out next, which answer is lost, what a watch swallows, and when the process dies, which may be at any await.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.support.cluster import NAMESPACE
from tests.support.door import message
from tests.support.invariants import unsettled, violations
from tests.support.jetstream import stream
from tests.support.objects import Raw
from tests.support.profiles import examples
from tests.support.stepped import Fate
from tests.support.world import QUEUE, World

from celeriac.wire.message import MSG_ID, encode, message_id
from celeriac.wire.names import DEAD_STREAM, DELAYED_STREAM, submit_subject
from celeriac_operator.watch import WATCHED

ROUNDS = 120
"""So often everybody does what they should before a Task counts as one that never ends."""

retries = st.sampled_from(
    [
        {},
        {"maxAttempts": 2, "backoff": {"initialSeconds": 0}},
        {"maxAttempts": 3, "maxDisruptions": 1, "backoff": {"initialSeconds": 5, "jitter": "None"}},
    ]
)
deadlines = st.sampled_from([{}, {}, {"runSeconds": 20}, {"totalSeconds": 60}, {"queueSeconds": 30, "graceSeconds": 2}])
specs = st.fixed_dictionaries(
    {"retry": retries, "deadlines": deadlines},
    optional={
        "priority": st.integers(-1, 1),
        "concurrencyKey": st.sampled_from(["a", "b"]),
        "startTime": st.sampled_from(["2026-03-01T11:00:00Z", "2026-03-01T12:00:30Z", "2026-03-01T12:05:00Z"]),
    },
)
queues = st.fixed_dictionaries(
    {},
    optional={
        "maxConcurrency": st.sampled_from([1, 1, 2]),
        "maxConcurrencyPerKey": st.just(1),
        "inlineContainers": st.just("Allow"),
        "backlog": st.sampled_from([{"maxAgeSeconds": 30}, {"maxAgeSeconds": 120}]),
    },
)
fates = st.sampled_from([*Fate, Fate.ANSWERED, Fate.ANSWERED, Fate.ANSWERED_LATE, Fate.REPLY_LOST])
kinds = st.lists(st.sampled_from(["tasks", "tasks", "pods", "pods", *WATCHED]), min_size=1, max_size=3)


class AnySchedule(RuleBasedStateMachine):
    """The operator among its servers."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.cluster.validates = False
        self.cluster, self.network, self.server = self.world.cluster, self.world.network, self.world.server
        self.messages: list[Raw] = []

    @initialize(spec=queues, tasks=st.lists(specs, max_size=2), first=st.booleans())
    def begin(self, spec: Raw, tasks: list[Raw], first: bool) -> None:
        self.slots = {"default": spec["maxConcurrency"]} if "maxConcurrency" in spec else {}
        self.cluster.add("taskqueues", {"metadata": {"name": QUEUE.queue}, "spec": spec})
        self.cluster.add("taskdefinitions", {"metadata": {"name": "resize"}, "spec": {"container": {"image": "m"}}})
        if first:
            self.world.start()
            self.world.flow()
        for task in tasks:
            self.somebody_creates_a_task(task)
        if not first:
            self.world.start()

    # --- users ---

    @precondition(lambda self: len(self.cluster.all("tasks")) < 6)
    @rule(spec=specs)
    def somebody_creates_a_task(self, spec: Raw) -> None:
        name = f"t-{len(self.cluster.facts)}"
        spec = {"container": {"image": "busybox:1.36"}, **spec}
        self.cluster.add("tasks", {"metadata": {"name": name}, "spec": spec})

    @precondition(lambda self: len(self.messages) < 4)
    @rule(spec=specs, container=st.sampled_from([False, False, True]), name=st.sampled_from(["a", "b", "c", None]))
    def somebody_sends_a_message(self, spec: Raw, container: bool, name: str | None) -> None:
        extra: Raw = {"container": {"image": "x"}} if container else {}
        self.messages.append(message(name, **spec, **extra))
        self.send(self.messages[-1])

    @precondition(lambda self: self.messages)
    @rule(pick=st.integers(0, 3))
    def somebody_sends_it_again(self, pick: int) -> None:
        self.send(self.messages[pick % len(self.messages)])

    def send(self, sent: Raw) -> None:
        if self.network.up["bus"]:
            headers = {MSG_ID: message_id(sent)} if "name" in sent else {}
            subject = submit_subject(NAMESPACE, QUEUE.queue, "n")
            self.server.publish(stream(), subject, encode(sent), headers)

    def pick_task(self, pick: int) -> str:
        tasks = self.cluster.all("tasks")
        return str(tasks[pick % len(tasks)]["metadata"]["name"])

    @precondition(lambda self: self.cluster.all("tasks"))
    @rule(pick=st.integers(0, 5))
    def somebody_cancels(self, pick: int) -> None:
        self.cluster.edit("tasks", self.pick_task(pick), cancel={"reason": "no longer needed"})

    @precondition(lambda self: self.cluster.all("tasks") and self.world.clock.now.second % 3 == 1)
    @rule(pick=st.integers(0, 5))
    def somebody_deletes_a_task(self, pick: int) -> None:
        self.cluster.remove("tasks", self.pick_task(pick))

    @precondition(lambda self: self.cluster.all("jobs"))
    @rule(pick=st.integers(0, 5), job=st.sampled_from([False, False, True]))
    def somebody_deletes_a_pod_or_a_job(self, pick: int, job: bool) -> None:
        there = self.cluster.all("jobs" if job else "pods")
        if there:
            name = there[pick % len(there)]["metadata"]["name"]
            (self.cluster.delete_job if job else self.cluster.delete_pod)(name)

    # --- the cluster ---

    @rule(starts=st.booleans(), hears=st.booleans())
    def controllers_step(self, starts: bool, hears: bool) -> None:
        self.cluster.run_controllers()
        for pod in self.cluster.all("pods") if starts else ():
            self.cluster.kubelet(pod, "stops", 143)
            self.cluster.kubelet(pod, "starts")
        if hears:
            self.world.hear("pods")

    @precondition(lambda self: self.cluster.all("pods"))
    @rule(
        pick=st.integers(0, 5),
        what=st.sampled_from(["exits", "exits", "exits", "evicted", "stops"]),
        code=st.sampled_from([0, 0, 1]),
    )
    def a_process_ends(self, pick: int, what: str, code: int) -> None:
        pods = self.cluster.all("pods")
        self.cluster.kubelet(pods[pick % len(pods)], "starts")
        self.cluster.kubelet(pods[pick % len(pods)], what, code, "7")

    @rule(passed=st.sampled_from([0.3, 1, 3, 6, 31, 70]))
    def time_passes(self, passed: float) -> None:
        self.world.loop.pass_time(passed)

    # --- what the operator hears, and what becomes of what it asks ---

    @rule(which=kinds, events=st.none() | st.integers(1, 2), swallowed=st.sampled_from([False, False, False, True]))
    def watches_deliver(self, which: list[str], events: int | None, swallowed: bool) -> None:
        for kind in which:
            self.world.hear(kind, events, swallowed=swallowed)

    @rule(news=st.none() | st.integers(1, 2))
    def records_are_heard(self, news: int | None) -> None:
        self.world.hear_records(news)

    @rule()
    def a_relist_begins(self) -> None:
        self.world.relist()

    @rule(picks=st.lists(st.integers(0, 7), min_size=1, max_size=6))
    def requests_are_carried_out(self, picks: list[int]) -> None:
        for pick in picks:
            self.world.go_on(pick)

    @precondition(lambda self: self.network.possible())
    @rule(pick=st.integers(0, 7), fate=fates)
    def a_request_meets_its_fate(self, pick: int, fate: Fate) -> None:
        self.world.go_on(pick, fate)

    @rule()
    def everything_is_answered(self) -> None:
        self.world.flow()

    @rule()
    def everything_goes_well(self) -> None:
        self.world.settle()

    @rule(in_flight=st.booleans())
    def the_operator_dies(self, in_flight: bool) -> None:
        self.world.die(in_flight=in_flight)

    @rule(up=st.sampled_from([False, True, True]))
    def nats_goes_or_comes_back(self, up: bool) -> None:
        self.world.turn_bus(up)

    @precondition(lambda self: self.world.clock.now.second % 4 == 3)
    @rule(full=st.sampled_from([(), (DEAD_STREAM,), (DELAYED_STREAM,)]))
    def a_stream_is_full(self, full: tuple[str, ...]) -> None:
        self.server.full = set(full)

    # --- what holds ---

    def teardown(self) -> None:
        """Faults stop; whatever was promised comes about, and nothing was done that must not be."""
        try:
            if hasattr(self, "slots"):
                self.come_to_rest()
                facts = self.cluster.facts
                found = [*violations(facts, self.slots), *unsettled(facts), *self.world.bugs]
                assert found == [], "\n".join([*found, "of the facts:", *(str(fact)[:300] for fact in facts)])
        finally:
            self.world.close()

    def come_to_rest(self) -> None:
        self.server.full = set()
        self.world.turn_bus(True)
        self.world.relist()
        for _ in range(ROUNDS):
            self.world.settle()
            for pod in self.cluster.all("pods"):
                self.cluster.kubelet(pod, "exits", 0, "7")
            if not self.left():
                return
            self.world.loop.pass_time(15)
            self.world.flow()

    def left(self) -> list[Any]:
        return [*unsettled(self.cluster.facts), *self.server.streams.get(stream(), ())]


TestAnySchedule = AnySchedule.TestCase
TestAnySchedule.settings = settings(examples(1000), stateful_step_count=30)


def test_a_copy_that_is_too_old_does_not_end_the_task_of_a_later_one() -> None:
    """Both are taken at once: it was buried, and its record ended the Task of the other, which ran."""
    state = AnySchedule()
    state.begin({"maxConcurrency": 1, "backlog": {"maxAgeSeconds": 30}}, [], first=False)
    state.somebody_sends_a_message({"retry": {}, "deadlines": {}}, container=False, name="a")
    state.nats_goes_or_comes_back(up=False)
    state.nats_goes_or_comes_back(up=True)
    state.time_passes(70)
    state.somebody_sends_it_again(0)
    state.teardown()
