"""The admission of one queue: against a naive model for any sequence of changes, and case by case."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.support.clock import T0, at
from tests.support.naive_admission import NaiveQueue
from tests.support.profiles import examples

from celeriac.api.v1alpha1 import TaskQueueSpec
from celeriac_operator.core.admission import queue as module
from celeriac_operator.core.admission.queue import MOST_TURNS, QueueAdmission
from celeriac_operator.core.admission.standing import Asks, Counts, Grants, Holds, QueueKey

QUEUE = QueueKey("media", "default")


def spec(**fields: Any) -> TaskQueueSpec:
    return TaskQueueSpec.model_validate(fields)


def asks(priority: int = 0, since: float = 0, key: str | None = None, tenant: str | None = None) -> Asks:
    return Asks(QUEUE, priority, at(since), key, {"tenant": tenant} if tenant else {})


def holds(key: str | None = None, tenant: str | None = None) -> Holds:
    return Holds(QUEUE, key, {"tenant": tenant} if tenant else {})


# --- for any sequence of changes ---

TASKS = [f"t{number}" for number in range(8)]
limits = st.none() | st.integers(1, 3)
specs = st.builds(
    lambda limit, per_key, rate, stop, fair: TaskQueueSpec.model_validate(
        {
            key: value
            for key, value in {
                "maxConcurrency": limit,
                "maxConcurrencyPerKey": per_key,
                "rateLimit": rate,
                "stopPolicy": stop,
                "fairness": {"byLabel": fair} if fair else None,
            }.items()
            if value is not None
        }
    ),
    limits,
    limits,
    st.none() | st.fixed_dictionaries({"tasks": st.integers(1, 3), "periodSeconds": st.integers(1, 7)}),
    st.sampled_from([None, None, None, "None", "Hold", "HoldAndDrain"]),
    st.sampled_from([None, "tenant", "team"]),
)
keys = st.sampled_from([None, None, "k", "l"])
labels = st.fixed_dictionaries({}, optional={"tenant": st.sampled_from("abc"), "team": st.sampled_from("xy")})
waiting = st.builds(Asks, st.just(QUEUE), st.integers(-1, 1), st.integers(0, 5).map(at), keys, labels)
holding = st.builds(Holds, st.just(QUEUE), keys, labels)


class AnyChanges(RuleBasedStateMachine):
    """Whatever is said in whatever order, the quick structure does as the slow one."""

    def __init__(self) -> None:
        super().__init__()
        self.now = T0

    @initialize(first=specs)
    def begin(self, first: TaskQueueSpec) -> None:
        self.queue, self.naive = QueueAdmission(first), NaiveQueue(first)

    @rule(task=st.sampled_from(TASKS), standing=st.none() | waiting | waiting | holding)
    def a_task_stands_somewhere(self, task: str, standing: Any) -> None:
        for queue in (self.queue, self.naive):
            queue.set(task, standing)
            queue.set(task, standing)

    @rule(other=specs)
    def the_spec_changes(self, other: TaskQueueSpec) -> None:
        self.queue.configure(other)
        self.naive.configure(other)

    @rule(seconds=st.sampled_from([0, 0.3, 1, 5, 60, -3, -3600]))
    def time_passes_or_jumps_back(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def a_granted_task_starts(self) -> None:
        for task in list(self.naive.granted)[:1]:
            standing = self.naive.standings[task]
            for queue in (self.queue, self.naive):
                queue.set(task, standing)

    @rule()
    def slots_are_given_out(self) -> None:
        keys = {standing.concurrency_key for standing in self.naive.standings.values()}
        over = {key: self.naive.held(key=key) for key in keys}
        before = self.naive.held()
        expected = self.naive.grants(self.now)
        given = self.queue.grants(self.now)

        assert expected == list(given.tasks)
        self.limits_are_kept(before, over)
        self.no_slot_is_left(given)

    def limits_are_kept(self, before: int, over: dict[str | None, int]) -> None:
        """Nothing is given beyond a limit, though more may be held: a limit was lowered, or slots were adopted."""
        limit, per_key = self.naive.spec.max_concurrency, self.naive.spec.max_concurrency_per_key
        held = self.queue.counts.running
        assert limit is None or held <= max(limit, before)
        for key, was in over.items():
            assert key is None or per_key is None or self.naive.held(key=key) <= max(per_key, was)

    def no_slot_is_left(self, given: Grants) -> None:
        """Work-conserving: who could run does, or the time of the next token is known."""
        if not self.naive.eligible():
            assert given.look_again is None
            return
        limit = self.naive.spec.rate_limit
        assert limit is not None, "a free slot was left while somebody asks"
        assert given.look_again == self.naive.token_time(self.now)
        assert self.now < given.look_again <= self.now + timedelta(seconds=limit.period_seconds)

    @invariant()
    def both_know_the_same(self) -> None:
        if not hasattr(self, "queue"):
            return
        assert self.naive.standings == self.queue.standings
        since = [standing.since for standing in self.naive.standings.values() if isinstance(standing, Asks)]
        assert Counts(len(since), self.naive.held(), min(since, default=None)) == self.queue.counts

    @rule()
    def nobody_starves(self) -> None:
        """While the queue goes on and holders end, everybody who waits gets a slot in a bounded number of steps."""
        for queue in (self.queue, self.naive):
            queue.configure(self.naive.spec.model_copy(update={"stop_policy": None, "stop_reason": None}))
        asking = sum(isinstance(standing, Asks) for standing in self.naive.standings.values())
        for _ in range(2 * asking + 1):
            for task in [task for task, standing in self.naive.standings.items() if isinstance(standing, Holds)]:
                self.queue.set(task, None)
                self.naive.set(task, None)
            self.now += timedelta(seconds=60)
            self.slots_are_given_out()
        assert not any(isinstance(standing, Asks) for standing in self.queue.standings.values())


TestAnyChanges = AnyChanges.TestCase
TestAnyChanges.settings = examples(100)


# --- case by case ---

ORDERS: dict[str, tuple[dict[str, Asks], list[str]]] = {
    "higher priority goes first": ({"low": asks(0), "high": asks(5)}, ["high", "low"]),
    "of equal priority the oldest goes first": ({"b": asks(since=1), "a": asks(since=2)}, ["b", "a"]),
    "of equal age the name decides": ({"b": asks(), "a": asks()}, ["a", "b"]),
    "an old retry goes before a new task": ({"new": asks(since=100), "retry": asks(since=0)}, ["retry", "new"]),
}


@pytest.mark.parametrize(("waiting", "expected"), ORDERS.values(), ids=list(ORDERS))
def test_there_is_one_order(waiting: dict[str, Asks], expected: list[str]) -> None:
    queue = filled(spec(maxConcurrency=10), waiting)

    assert [queue.position(task) for task in expected] == list(range(1, len(expected) + 1))
    assert expected == list(queue.grants(T0).tasks)


def filled(of: TaskQueueSpec, standings: dict[str, Any]) -> QueueAdmission:
    queue = QueueAdmission(of)
    for task, standing in standings.items():
        queue.set(task, standing)
    return queue


def test_a_new_priority_counts_at_once() -> None:
    queue = filled(spec(maxConcurrency=1), {"a": asks(), "b": asks()})
    queue.set("b", asks(1))

    assert queue.grants(T0).tasks == ("b",)


def test_a_task_that_is_granted_a_slot_and_asks_again_keeps_it() -> None:
    """Its own look at the queue may be older than the grant."""
    queue = filled(spec(maxConcurrency=1), {"a": asks(), "b": asks()})
    queue.grants(T0)
    queue.set("a", asks())

    assert queue.grants(T0) == Grants()
    assert queue.counts == Counts(1, 1, T0)


def test_an_attempt_that_ended_and_asks_again_waits_for_its_turn() -> None:
    queue = filled(spec(maxConcurrency=1), {"a": asks(since=5), "b": asks()})
    queue.set("c", holds())
    queue.set("c", None)
    queue.set("c", asks(since=9))

    assert queue.grants(T0).tasks == ("b",)


def test_a_granted_slot_that_is_not_used_goes_to_the_next() -> None:
    queue = filled(spec(maxConcurrency=1), {"a": asks(), "b": asks()})
    queue.grants(T0)
    queue.set("a", None)

    assert queue.grants(T0).tasks == ("b",)


def test_a_full_key_is_overtaken_and_goes_on_when_it_is_free() -> None:
    queue = filled(spec(maxConcurrencyPerKey=1), {f"u{n}": asks(9, key="user") for n in range(3)} | {"other": asks()})

    assert queue.grants(T0).tasks == ("u0", "other")
    queue.set("u0", None)
    assert queue.grants(T0).tasks == ("u1",)


def test_ten_tasks_of_one_tenant_are_not_starved_by_a_thousand_of_another() -> None:
    many = {f"big{n:04}": asks(tenant="big") for n in range(1000)}
    few = {f"small{n}": asks(since=60, tenant="small") for n in range(10)}
    queue = filled(spec(maxConcurrency=4, fairness={"byLabel": "tenant"}), many | few)
    started: list[str] = []
    while not all(task in started for task in few):
        given = queue.grants(T0).tasks
        started += given
        for task in given:
            queue.set(task, None)

    assert len(started) <= 2 * len(few) + 4


def test_tenants_take_turns_though_none_holds_a_slot_when_one_is_free() -> None:
    standings = {f"{tenant}{n}": asks(tenant=tenant) for tenant in "ab" for n in range(2)}
    queue = filled(spec(maxConcurrency=1, fairness={"byLabel": "tenant"}), standings)
    order: list[str] = []
    for _ in range(4):
        (task,) = queue.grants(T0).tasks
        order.append(task)
        queue.set(task, None)

    assert order == ["a0", "b0", "a1", "b1"]


def test_tasks_without_the_label_are_one_tenant() -> None:
    standings = {"n0": asks(), "n1": asks(), "t0": asks(tenant="t")}
    queue = filled(spec(maxConcurrency=2, fairness={"byLabel": "tenant"}), standings)

    assert queue.grants(T0).tasks == ("n0", "t0")


def test_relabelling_a_holder_counts_at_once() -> None:
    standings = {"h": holds(tenant="a"), "a0": asks(tenant="a"), "b0": asks(tenant="b")}
    queue = filled(spec(maxConcurrency=2, fairness={"byLabel": "tenant"}), standings)
    queue.set("h", holds(tenant="b"))

    assert queue.grants(T0).tasks == ("a0",)


STOPS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a held queue starts nothing": ({"stopPolicy": "Hold"}, ()),
    "a queue that is drained starts nothing": ({"stopPolicy": "HoldAndDrain"}, ()),
    "a queue with stopPolicy None goes on": ({"stopPolicy": "None"}, ("a",)),
}


@pytest.mark.parametrize(("fields", "expected"), STOPS.values(), ids=list(STOPS))
def test_stops(fields: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert filled(spec(**fields), {"a": asks()}).grants(T0).tasks == expected


def test_a_slot_that_is_not_used_yet_is_taken_back_when_the_queue_is_held() -> None:
    queue = filled(spec(maxConcurrency=1), {"a": asks()})
    queue.grants(T0)
    queue.configure(spec(maxConcurrency=1, stopPolicy="Hold"))

    assert queue.counts == Counts(1, 0, T0)


def test_lowering_a_limit_takes_no_slot_away_but_gives_none_out() -> None:
    queue = filled(spec(maxConcurrency=3), {"a": holds(), "b": holds(), "c": asks()})
    queue.configure(spec(maxConcurrency=1))

    assert queue.grants(T0).tasks == ()
    assert queue.counts.running == 2


def test_the_rate_limit_lets_a_burst_start_and_then_one_at_a_time() -> None:
    queue = filled(spec(rateLimit={"tasks": 2, "periodSeconds": 10}), {f"t{n}": asks() for n in range(5)})

    assert queue.grants(T0) == Grants(("t0", "t1"), at(5))
    assert queue.grants(at(4)) == Grants((), at(5))
    assert queue.grants(at(5)) == Grants(("t2",), at(10))


def test_a_queue_at_its_limit_does_not_look_for_a_token() -> None:
    queue = filled(spec(maxConcurrency=1, rateLimit={"tasks": 1, "periodSeconds": 10}), {"a": holds(), "b": asks()})

    assert queue.grants(T0) == Grants()


POSITIONS: dict[str, tuple[dict[str, Any], dict[str, Any], str, int | None]] = {
    "who comes later in a tenant waits longer": ({}, {"a": asks(), "b": asks()}, "b", 2),
    "a full key in front does not count": (
        {"maxConcurrencyPerKey": 1},
        {"h": holds("k"), "p": asks(9, key="k"), "x": asks()},
        "x",
        1,
    ),
    "of a full key the others of that key count": (
        {"maxConcurrencyPerKey": 1},
        {"h": holds("k"), "p": asks(9, key="k"), "q": asks(8, key="k")},
        "q",
        2,
    ),
    "another tenant's turn counts once for each of mine": (
        {"fairness": {"byLabel": "tenant"}},
        {**{f"a{n}": asks(tenant="a") for n in range(9)}, "b0": asks(tenant="b"), "b1": asks(tenant="b")},
        "b1",
        4,
    ),
    "a tenant that holds more comes later": (
        {"fairness": {"byLabel": "tenant"}},
        {"h": holds(tenant="a"), "a0": asks(tenant="a"), "b0": asks(tenant="b")},
        "b0",
        1,
    ),
    "who holds a slot has no position": ({}, {"h": holds()}, "h", None),
    "who is not known has none either": ({}, {}, "x", None),
}


@pytest.mark.parametrize(("fields", "standings", "task", "expected"), POSITIONS.values(), ids=list(POSITIONS))
def test_positions(fields: dict[str, Any], standings: dict[str, Any], task: str, expected: int | None) -> None:
    assert expected == filled(spec(**fields), standings).position(task)


@given(
    st.dictionaries(
        st.sampled_from(TASKS), st.builds(Asks, st.just(QUEUE), st.integers(-1, 1), st.just(T0), keys, labels)
    ),
    st.dictionaries(st.sampled_from(["h0", "h1", "h2", "h3"]), holding),
    st.lists(st.sampled_from("abc"), max_size=4),
)
@examples(200)
def test_positions_are_the_order_in_which_slots_would_be_given_out(
    waiting: dict[str, Asks], holders: dict[str, Holds], earlier: list[str]
) -> None:
    queue = QueueAdmission(spec(fairness={"byLabel": "tenant"}))
    for tenant in earlier:  # they have had their turn
        queue.set("x", asks(tenant=tenant))
        queue.grants(T0)
        queue.set("x", None)
    for task, standing in {**waiting, **holders}.items():
        queue.set(task, standing)
    positions = {task: queue.position(task) for task in waiting}

    assert sorted(positions, key=lambda task: positions[task] or 0) == list(queue.grants(T0).tasks)
    assert sorted(position or 0 for position in positions.values()) == list(range(1, len(waiting) + 1))


def test_the_turns_that_are_remembered_are_bounded() -> None:
    queue = QueueAdmission(spec(maxConcurrency=1, fairness={"byLabel": "tenant"}))
    for number in range(MOST_TURNS + 10):
        queue.set("t", asks(tenant=f"tenant-{number}"))
        queue.grants(T0)
        queue.set("t", None)

    assert len(queue._turns) == MOST_TURNS
    assert queue.idle


def test_of_the_turns_the_one_that_is_longest_ago_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TURNS", 2)
    queue = QueueAdmission(spec(maxConcurrency=1, fairness={"byLabel": "tenant"}))
    for tenant in "abac":
        queue.set("t", asks(tenant=tenant))
        queue.grants(T0)
        queue.set("t", None)

    assert ["a", "c"] == list(queue._turns)


# --- cost ---


class Counted(datetime):
    """A moment that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return super().__eq__(other)

    def __lt__(self, other: datetime) -> bool:
        Counted.compared += 1
        return super().__lt__(other)

    __hash__ = datetime.__hash__


def comparisons_a_change(tasks: int) -> float:
    """How often moments are compared when one Task ends and the next gets its slot, with so many waiting."""
    queue = QueueAdmission(spec(maxConcurrency=1, maxConcurrencyPerKey=1, fairness={"byLabel": "tenant"}))
    for number in range(tasks):
        since = Counted.fromtimestamp(T0.timestamp() + number * 7919 % tasks, T0.tzinfo)
        key, tenant = f"k{number % 50}" if number % 2 else None, f"tenant-{number % 5}"
        queue.set(f"t{number}", Asks(QUEUE, 0, since, key, {"tenant": tenant}))
    (task,) = queue.grants(T0).tasks
    changes, Counted.compared = 50, 0
    for _ in range(changes):
        queue.set(task, None)
        (task,) = queue.grants(T0).tasks
    return Counted.compared / changes


def test_a_change_costs_the_logarithm_of_what_waits() -> None:
    costs = {tasks: comparisons_a_change(tasks) for tasks in (100, 1000, 10_000)}

    assert costs[100] > 0, "the comparisons are counted"
    assert costs[10_000] / costs[100] <= 1.5 * math.log(10_000) / math.log(100), f"comparisons a change: {costs}"
