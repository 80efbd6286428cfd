"""The operator and the API server are killed under load: nothing starts twice, nothing is lost, nothing changes later.

The release is at rest meanwhile, and the operator runs as a process of this machine: it can be killed as often as one
likes, where a pod would be restarted later and later.
"""

import random
import signal
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from e2e.cluster import local
from e2e.support.audit import audit
from e2e.support.kube import Kube, Obj
from e2e.support.load import SEED, audited, load
from e2e.support.manifests import backoff, task
from e2e.support.namespaces import Namespace
from e2e.support.operator import LocalOperator, local_operator
from e2e.support.predicates import attempt_ended, attempt_runs, attempts, status
from e2e.support.proxy import api_proxy
from e2e.support.release import Release, signal_process

KILLS = 12
TASKS_PER_KILL = 4
KILLS_AT_WRITES = 12
WRITES_PER_KILL = 2
CUT_OFF_SECONDS = 45
"""Longer than all pauses between the operator's connection attempts together."""
KUBERNETES_SECONDS = 400.0
"""Kubernetes' own controllers were seen to work from old caches for 95 seconds after its API server was killed."""


@pytest.mark.alone
def test_an_operator_killed_in_its_pod_comes_back_and_goes_on(
    local_only: None, release: Release, namespace: Namespace
) -> None:
    namespace.submit(
        task("survives", 'sleep 3; [ "$CELERIAC_ATTEMPT" = 2 ]', retry={"maxAttempts": 2, "backoff": backoff()})
    )
    namespace.wait("survives", attempt_runs(1))

    leader = release.leader()
    signal_process(leader, signal.SIGKILL)

    ended = namespace.wait("survives")
    assert status(ended)["phase"] == "Succeeded"
    assert [each.get("failure") for each in attempts(ended)] == ["AppError", None]
    assert release.restarted_since(leader)


def test_an_operator_killed_again_and_again_starts_nothing_twice_and_loses_nothing(
    kube: Kube, unwatched: Namespace
) -> None:
    dice = random.Random(SEED)
    tasks = load("load", KILLS * TASKS_PER_KILL)
    waiting = list(tasks)
    with audit(unwatched) as book, local_operator(kube.kubeconfig, unwatched.name) as operator:
        for _ in range(KILLS):
            submit_some(unwatched, tasks, waiting)
            kill_at_some_moment(operator, dice)
        unwatched.submit(*(tasks[name][0] for name in waiting))
        for name in tasks:
            unwatched.wait(name)

        assert book.problems({name: phase for name, (_, phase) in tasks.items()}) == []


def submit_some(namespace: Namespace, tasks: dict[str, tuple[Obj, str]], waiting: list[str]) -> None:
    for name in waiting[:TASKS_PER_KILL]:
        namespace.submit(tasks[name][0])
    del waiting[:TASKS_PER_KILL]


def kill_at_some_moment(operator: LocalOperator, dice: random.Random) -> None:
    """The moment is the fault: before it is ready, while it fills its cache, between two writes."""
    if dice.random() < 0.8:
        operator.wait_ready()
    time.sleep(dice.uniform(0, 1.5))
    operator.kill_and_start()


def test_an_operator_killed_at_its_writes_starts_nothing_twice_and_loses_nothing(
    kube: Kube, unwatched: Namespace, tmp_path: Path
) -> None:
    """Before a write is sent, and once it is stored but not answered: the two moments that programs get wrong."""
    tasks = load("load", 10)
    kills: list[str] = []
    with (
        audit(unwatched) as book,
        api_proxy(kube.kubeconfig) as proxy,
        local_operator(proxy.kubeconfig(tmp_path), unwatched.name) as operator,
    ):

        def kill_at(number: int, *, stored: bool) -> None:
            turn = number % WRITES_PER_KILL == 0 and (number // WRITES_PER_KILL) % 2 == int(stored)
            if turn and len(kills) < KILLS_AT_WRITES:
                kills.append(f"{'after' if stored else 'before'} {proxy.writes[number - 1]}")
                operator.kill_and_start()
                raise ConnectionAbortedError

        proxy.before = lambda number: kill_at(number, stored=False)
        proxy.after = lambda number: kill_at(number, stored=True)
        unwatched.submit(*(manifest for manifest, _ in tasks.values()))
        for name in tasks:
            unwatched.wait(name)

        print(*kills, sep="\n")
        assert len(kills) == KILLS_AT_WRITES
        assert book.problems({name: phase for name, (_, phase) in tasks.items()}) == []


def test_an_operator_that_was_cut_off_for_long_goes_on_by_itself(
    kube: Kube, unwatched: Namespace, tmp_path: Path
) -> None:
    tasks = load("before", 5)
    with (
        audit(unwatched) as book,
        api_proxy(kube.kubeconfig) as proxy,
        local_operator(proxy.kubeconfig(tmp_path), unwatched.name) as operator,
    ):
        tasks["due"] = (audited("due", 0, 1, pause=5), "Succeeded")  # its next attempt is due while nobody answers
        unwatched.submit(*(manifest for manifest, _ in tasks.values()))
        unwatched.wait("due", attempt_ended(1))
        proxy.line.cut()  # without its lease it ends, and is started again, before it can do anything
        late = load("meanwhile", 5)
        unwatched.submit(*(manifest for manifest, _ in late.values()))
        time.sleep(CUT_OFF_SECONDS)
        proxy.line.heal()
        tasks |= late | load("after", 5)
        unwatched.submit(*(manifest for name, (manifest, _) in tasks.items() if name.startswith("after")))
        for name in tasks:
            unwatched.wait(name)

        assert book.problems({name: phase for name, (_, phase) in tasks.items()}) == []
        operator.wait_ready()


@pytest.mark.alone
def test_an_api_server_killed_under_load_is_waited_for(local_only: None, kube: Kube, unwatched: Namespace) -> None:
    tasks = load("load", 15)
    with audit(unwatched) as book, local_operator(kube.kubeconfig, unwatched.name) as operator:
        unwatched.submit(*(manifest for manifest, _ in tasks.values()))
        for name in ("load-0", "load-9"):
            unwatched.wait(name, timeout=KUBERNETES_SECONDS)
            restart_api_server()
        for name in tasks:
            unwatched.wait(name, timeout=KUBERNETES_SECONDS)

        assert book.problems({name: phase for name, (_, phase) in tasks.items()}) == []
        operator.wait_ready()


def restart_api_server() -> None:
    local.stop("kube-apiserver", sig=signal.SIGKILL)
    try:
        time.sleep(3)  # long enough for every watch and request to fail once
    finally:
        local.start("kube-apiserver")
        local.wait_healthy("kube-apiserver")


def test_a_quick_task_costs_three_writes_at_most(kube: Kube, unwatched: Namespace) -> None:
    count = 5
    with local_operator(kube.kubeconfig, unwatched.name) as operator:
        before = operator.metrics().writes()
        ended = [run_one(unwatched, f"quick-{number}") for number in range(count)]
        after = operator.metrics().writes()

    written = {what: after[what] - before.get(what, 0) for what in after}
    slow = sum(started_late(each) for each in ended)  # one that waits says so
    assert written.pop("create jobs") == count
    assert count <= written.pop("patch tasks") <= 2 * count + slow  # one may have ended before it was seen to run
    assert {what: times for what, times in written.items() if times} == {}


def run_one(namespace: Namespace, name: str) -> Obj:
    namespace.submit(task(name))
    return namespace.wait(name)


def started_late(ended: Obj) -> bool:
    (attempt,) = attempts(ended)
    created, started = (datetime.fromisoformat(attempt[field]) for field in ("createTime", "startTime"))
    return started - created >= timedelta(seconds=2)
