"""How many pods wait, which go, and why there are none: the decisions about a TaskDefinition's pods, as tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import exited, make_job, make_pod, make_revision, running
from tests.support.clock import at

from celeriac.api.v1alpha1 import TaskDefinitionStatus, WarmOptions
from celeriac_operator.core.definition import DefinitionFacts
from celeriac_operator.core.facts import PodFacts
from celeriac_operator.core.warm.decide import decide_pool, status_of, unavailable
from celeriac_operator.core.warm.facts import Ahead, Pool, Trouble
from celeriac_operator.core.warm.scale import wanted

RUNNER = {"image": "media:1.4", "command": ["python", "-m", "celeriac.run"]}
NOW = at(1000)


def definition(isolation: str = "Warm", container: Any = None, **warm: Any) -> DefinitionFacts:
    spec = {"isolation": isolation, "container": container or RUNNER, "warm": warm}
    return DefinitionFacts("media", "resize", "1", 1, TaskDefinitionStatus(), make_revision(**spec), "uid-d", at(0))


def ahead(name: str = "a", container: Any = None, content: str = "now", *, heard: bool = True, **fields: Any) -> Ahead:
    pod: PodFacts = make_pod(container or running(900), uid=name, name=name, job_name=f"job-{name}", content=content)
    return Ahead(pod, f"uid-{name}", heard=heard, **{"left": 0 if fields.get("named") else 1, **fields})


def pool(*pods: Ahead, options: dict[str, Any] | None = None, **fields: Any) -> Pool:
    given = {"definition": definition(**(options or {"minReady": 2})), "content": "now", "active": at(0)}
    return Pool(**{**given, "pods": pods, **fields})


def worker(name: str = "a", container: Any = None, content: str = "now", *, heard: bool = True, **fields: Any) -> Ahead:
    """A pod with four slots; it was busy until ten seconds ago."""
    of = ahead(name, container, content, heard=heard, **{"slots": 4, "left": 100, "idle_since": at(990), **fields})
    return replace(of, pod=replace(of.pod, worker=True, slots=4))


def workers(*pods: Ahead, **fields: Any) -> Pool:
    spec = {"isolation": "Worker", "container": RUNNER, "worker": {"minPods": 1, "maxPods": 3, "slotsPerPod": 4}}
    made = DefinitionFacts("media", "resize", "1", 1, TaskDefinitionStatus(), make_revision(**spec), "uid-d", at(0))
    return Pool(**{"definition": made, "content": "now", "active": at(0), "pods": pods, **fields})


WORKERS: dict[str, tuple[Pool, int, set[str]]] = {
    "nothing waits: so many as there are at least": (workers(), 1, set()),
    "a slot for each that waits": (workers(worker("a", given=4), backlog=3), 1, set()),
    "so many at most": (workers(worker("a", given=4), backlog=5000), 2, set()),
    "what runs and what waits has its slots": (workers(worker("a", given=3), backlog=1), 0, set()),
    "one has taken all that it takes: another comes": (workers(worker("a", given=4, left=0), backlog=1), 1, set()),
    "one is not needed, since ten seconds: it stays": (workers(worker("a"), worker("b")), 0, set()),
    "one is not needed for a minute: it goes": (
        workers(worker("a", given=1), worker("b", idle_since=at(940))),
        0,
        {"job-b"},
    ),
    "one is not needed, and runs a task: it stays": (
        workers(worker("a", given=1), worker("b", given=1, idle_since=at(0))),
        0,
        set(),
    ),
    "one of the old content has a task: that goes on": (
        workers(worker("a", content="old", given=1), worker("b")),
        0,
        set(),
    ),
    "one of the old content has none, and none waits for it: it goes": (
        workers(worker("a", content="old"), worker("b")),
        0,
        {"job-a"},
    ),
    "one of the old content has none, and some wait for it": (
        workers(worker("a", content="old", wanted=True), worker("b")),
        0,
        set(),
    ),
    "one has ended, and tasks that ran there are still there": (
        workers(worker("a"), worker("b", exited(0), named=True)),
        0,
        set(),
    ),
    "one has ended, and nobody names it": (workers(worker("a"), worker("b", exited(0))), 0, {"job-b"}),
    "NATS is away: they stay": (workers(worker("a"), bus="Down"), 0, set()),
}


@pytest.mark.parametrize(("of", "created", "deleted"), WORKERS.values(), ids=WORKERS)
def test_how_many_workers_there_are(of: Pool, created: int, deleted: set[str]) -> None:
    plan = decide_pool(of, NOW)

    assert len(plan.create) == created
    assert {gone.name for gone in plan.delete} == deleted


def test_a_worker_that_is_not_needed_is_looked_at_when_its_minute_is_over() -> None:
    assert decide_pool(workers(worker("a", given=1), worker("b")), NOW).look_again == at(1050)


def test_the_status_counts_workers_with_a_free_slot_and_those_that_run_tasks() -> None:
    status = status_of(workers(worker("a", given=1), worker("b", given=4), worker("c"), worker("d", heard=False)))

    assert status is not None
    assert (status.ready, status.claimed, status.hit_rate) == (2, 2, None)


RATES: dict[str, tuple[WarmOptions | None, list[float], float, int]] = {
    "nothing was said, and nothing came: one": (None, [], 0, 1),
    "so many at least": (WarmOptions(min_ready=4), [], 0, 4),
    "none at least": (WarmOptions(min_ready=0), [], 0, 0),
    "what arrives while a pod starts: two a second for five seconds": (
        None,
        [999.9 - i / 2 for i in range(20)],
        999,
        10,
    ),
    "half of that a minute later": (None, [940.5 + i / 2 for i in range(20)], 950, 2),
    "so many at most": (WarmOptions(max_ready=3), [999.9 - i / 10 for i in range(100)], 999, 3),
    "a small pool asks for no more than it may": (WarmOptions(min_ready=5, max_ready=2), [], 999, 2),
    "a pool that sleeps": (WarmOptions(min_ready=4, idle_seconds=10), [], 990, 0),
    "a pool that does not yet": (WarmOptions(min_ready=4, idle_seconds=10), [], 991, 4),
}


@pytest.mark.parametrize(("options", "arrivals", "active", "expected"), RATES.values(), ids=RATES)
def test_how_many_wait(options: WarmOptions | None, arrivals: list[float], active: float, expected: int) -> None:
    assert wanted(options, sorted(at(each) for each in arrivals), at(active), NOW) == expected


PLANS: dict[str, tuple[Pool, int, set[str]]] = {
    "there are too few": (pool(ahead("a")), 1, set()),
    "one is given a task: it is replaced at once": (pool(ahead("a"), ahead("b", given=1)), 1, set()),
    "one that starts counts": (pool(ahead("a"), ahead("b", heard=False)), 0, set()),
    "a Job that has no pod yet counts": (
        pool(ahead("a"), jobs=(make_job(name="job-x", created=at(999)),)),
        0,
        set(),
    ),
    "a Job that gets no pod is made anew": (
        pool(ahead("a"), jobs=(make_job(name="job-x", uid="uid-x", created=at(800)),)),
        1,
        {"job-x"},
    ),
    "there are too many: the youngest goes, and first who is not ready": (
        pool(ahead("a"), ahead("b", heard=False), ahead("c"), ahead("d")),
        0,
        {"job-b", "job-d"},
    ),
    "the content is another: its pods go": (pool(ahead("a", content="old"), ahead("b")), 1, {"job-a"}),
    "a task runs in one of the old content: that goes on": (
        pool(ahead("a", content="old", given=1), ahead("b"), ahead("c")),
        0,
        set(),
    ),
    "one has ended, and its task is still there: its log is kept": (
        pool(ahead("a"), ahead("b"), ahead("c", exited(0), named=True)),
        0,
        set(),
    ),
    "one has ended, and nobody names it": (pool(ahead("a"), ahead("b"), ahead("c", exited(0))), 0, {"job-c"}),
    "one says nothing for long": (pool(ahead("a"), ahead("b", silent=True)), 1, {"job-b"}),
    "isolation is Pod again": (pool(ahead("a"), ahead("b"), options={"isolation": "Pod"}), 0, {"job-a", "job-b"}),
    "there is no NATS": (pool(ahead("a"), bus="Off"), 0, {"job-a"}),
    "NATS is away: they wait on": (pool(ahead("a"), ahead("b"), bus="Down"), 0, set()),
    "no runner would wait": (pool(options={"container": {"image": "busybox"}}), 0, set()),
    "pods come to nothing: a pause": (pool(trouble=Trouble(4, at(990), "PodsFail", "exit code 1")), 0, set()),
    "pods came to nothing, and the pause is over": (pool(trouble=Trouble(4, at(979), "PodsFail", "x")), 2, set()),
    "one pod came to nothing": (pool(trouble=Trouble(1, at(999), "PodsFail", "x")), 2, set()),
}


@pytest.mark.parametrize(("of", "created", "deleted"), PLANS.values(), ids=PLANS)
def test_what_happens_where(of: Pool, created: int, deleted: set[str]) -> None:
    plan = decide_pool(of, NOW)

    assert len(plan.create) == created
    assert {gone.name for gone in plan.delete} == deleted
    assert all(name.startswith("resize-w-") and len(name) <= 63 for name in plan.create)


REASONS: dict[str, tuple[Pool, str | None]] = {
    "all is well": (pool(), None),
    "there is no NATS": (pool(bus="Off"), "NoNATS"),
    "NATS is away": (pool(bus="Down"), "NATSDown"),
    "no runner would wait": (pool(options={"container": {"image": "busybox"}}), "NoRunner"),
    "workers need no more": (pool(options={"isolation": "Worker"}), None),
    "pods come to nothing": (pool(trouble=Trouble(2, at(1), "PodsFail", "exit code 1: no module")), "PodsFail"),
    "a quota is full": (pool(trouble=Trouble(2, at(1), "PodsRefused", "exceeded quota")), "PodsRefused"),
}


@pytest.mark.parametrize(("of", "reason"), REASONS.values(), ids=REASONS)
def test_why_tasks_run_as_pod(of: Pool, reason: str | None) -> None:
    found = unavailable(of.definition, of.bus, of.trouble)

    assert (found[0] if found else None) == reason


def test_the_status_counts_pods_and_hits() -> None:
    pods = (ahead("a"), ahead("b", heard=False), ahead("c", given=1), ahead("d", content="old"))
    status = status_of(pool(*pods, hits=2, attempts=3))

    assert status is not None
    assert (status.ready, status.claimed, status.hit_rate) == (1, 1, 67)


names = st.sampled_from("abcdefgh")
pods = st.lists(
    st.builds(
        ahead,
        names,
        st.sampled_from([None, exited(0), exited(1)]),
        st.sampled_from(["now", "now", "old"]),
        heard=st.booleans(),
        given=st.integers(0, 1),
        named=st.booleans(),
        silent=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda pod: pod.pod.name,
)


@given(pods, st.integers(0, 4), st.integers(1, 5), st.none() | st.just(30), st.floats(0, 2000))
def test_never_more_than_the_most_and_nothing_that_runs_is_touched(
    found: list[Ahead], least: int, most: int, idle: int | None, second: float
) -> None:
    options = {"minReady": least, "maxReady": most, "idleSeconds": idle}
    of = pool(*found, options=options)
    plan = decide_pool(of, at(second))
    current = [pod for pod in found if pod.room and pod.pod.content == "now"]
    left = [pod for pod in current if pod.pod.job_name not in {gone.name for gone in plan.delete}]

    assert len(left) + len(plan.create) <= most
    touched = {gone.name for gone in plan.delete}
    assert not [pod for pod in found if pod.pod.job_name in touched and (pod.given or pod.named)]
    assert set(plan.leave) == {pod.pod.uid for pod in found if pod.pod.job_name in touched}


@given(st.lists(st.floats(0, 100), max_size=50), st.floats(100, 200))
def test_a_pool_whose_tasks_stop_goes_down_to_the_least(seconds: list[float], later: float) -> None:
    arrivals: list[datetime] = sorted(at(each) for each in seconds)
    options = WarmOptions(min_ready=1, max_ready=50)
    now = at(later)

    assert wanted(options, arrivals, at(0), now + timedelta(seconds=60)) == 1
    assert 1 <= wanted(options, arrivals, at(0), now) <= 50
