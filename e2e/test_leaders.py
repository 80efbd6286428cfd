"""Leaders are killed, frozen and replaced under load: another goes on in time, nothing starts twice, nothing is lost.

The operators are processes of this machine, as in `test_crashes`, with the timings that the chart has. How long each
take-over took is printed (`pytest -rP` shows it): it is the product's promise, and not asserted more tightly than the
lease's own arithmetic and a slow machine allow.
"""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from e2e.support.audit import Audit, audit
from e2e.support.kube import DEPLOYMENTS, LEASES, Kube, Obj
from e2e.support.load import SEED, load
from e2e.support.manifests import task
from e2e.support.namespaces import RESTRICTED, Namespace, fresh_namespace
from e2e.support.operator import DEPOSED, LocalOperator, local_replicas
from e2e.support.predicates import Predicate, attempt_runs, available
from e2e.support.release import Release
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

ROUNDS = 4
TASKS_PER_ROUND = 6
LEASE_SECONDS, LOOK_SECONDS = 12.0, 0.5
SLOW_MACHINE_SECONDS = 15.0

End = Callable[[LocalOperator, Callable[[], None]], None]


@pytest.mark.alone
def test_a_rolling_upgrade_under_load_loses_nothing(kube: Kube, release: Release, namespace: Namespace) -> None:
    """The pods of the chart, as `helm upgrade` replaces them. First, since they are at rest for the other tests."""
    tasks = load("load", 15)
    with audit(namespace) as book:
        names = list(tasks)
        namespace.submit(*(tasks[name][0] for name in names[:8]))
        namespace.wait(names[2], attempt_runs(1))
        before = release.leader()["metadata"]["name"]
        note = {"spec": {"template": {"metadata": {"annotations": {"celeriac.dev/e2e": str(time.time())}}}}}
        kube.patch(DEPLOYMENTS, release.namespace, "celeriac", note)
        namespace.submit(*(tasks[name][0] for name in names[8:]))
        kube.wait(DEPLOYMENTS, release.namespace, "celeriac", available())
        for name in tasks:
            namespace.wait(name)

        assert release.leader()["metadata"]["name"] != before
        assert book.problems({name: phase for name, (_, phase) in tasks.items()}) == []


def killed(leader: LocalOperator, taken_over: Callable[[], None]) -> None:
    """SIGKILL."""
    leader.kill()
    taken_over()


def stopped(leader: LocalOperator, taken_over: Callable[[], None]) -> None:
    """SIGTERM; the Lease is back before the process has ended."""
    leader.terminate()
    taken_over()
    assert leader.exit_code() == 0


def frozen(leader: LocalOperator, taken_over: Callable[[], None]) -> None:
    """SIGSTOP, past its lease, and SIGCONT: it must end at once, and do no harm before."""
    leader.freeze()
    taken_over()
    leader.thaw()
    assert leader.exit_code() == DEPOSED


@pytest.mark.parametrize(
    ("end", "seconds"),
    [
        pytest.param(killed, LEASE_SECONDS + LOOK_SECONDS, id="killed"),
        pytest.param(frozen, LEASE_SECONDS + LOOK_SECONDS, id="frozen past its lease"),
        pytest.param(stopped, LOOK_SECONDS, id="stopped as Kubernetes does"),
    ],
)
def test_a_leader_that_ends_under_load_is_taken_over_from(
    kube: Kube, unwatched: Namespace, end: End, seconds: float
) -> None:
    dice, tasks = random.Random(SEED), load("load", ROUNDS * TASKS_PER_ROUND)
    waiting, took = list(tasks), []
    with audit(unwatched) as book, local_replicas(kube.kubeconfig, [unwatched.name], 2) as replicas:
        for number in range(ROUNDS):
            for name in waiting[:TASKS_PER_ROUND]:
                unwatched.submit(tasks[name][0])
            del waiting[:TASKS_PER_ROUND]
            time.sleep(dice.uniform(0, 2))  # the moment is the fault
            leader = leader_of(unwatched, replicas)
            end(leader, lambda number=number, leader=leader: took.append(take_over(unwatched, leader, number)))
            leader.start()
            leader.wait_ready()
        for name in tasks:
            unwatched.wait(name)

        print(f"{end.__name__}: taken over after {', '.join(f'{each:.1f}' for each in took)} s; promised: < 15 s")
        assert book.problems({name: phase for name, (_, phase) in tasks.items()}) == []
        assert max(took) < seconds + SLOW_MACHINE_SECONDS


def leader_of(namespace: Namespace, replicas: list[LocalOperator], shard: int = 0) -> LocalOperator:
    """Which of them holds the Lease."""
    ours = {replica.identity: replica for replica in replicas}
    held = Predicate(f"held by one of {set(ours)}", lambda lease: holder(lease) in ours)
    return ours[holder(namespace.kube.wait(LEASES, namespace.name, f"celeriac-{shard}", held))]


def holder(lease: Obj | None) -> str:
    return str((lease or {}).get("spec", {}).get("holderIdentity") or "")


def take_over(namespace: Namespace, leader: LocalOperator, number: int) -> float:
    """Seconds until another holds the Lease and has made the Job of a Task that was submitted meanwhile."""
    begin = time.monotonic()
    namespace.submit(task(f"probe-{number}"))
    another = Predicate("held by another", lambda lease: holder(lease) not in ("", leader.identity))
    namespace.kube.wait(LEASES, namespace.name, "celeriac-0", another)
    wait_for_job(namespace, f"probe-{number}")
    return time.monotonic() - begin


@retry(retry=retry_if_exception_type(LookupError), stop=stop_after_delay(60), wait=wait_fixed(0.05), reraise=True)
def wait_for_job(namespace: Namespace, name: str) -> None:
    """Wait until a Task has a Job: its status says so only later, where nothing has started yet."""
    if not namespace.jobs_of(name):
        raise LookupError(f"no Job of Task {name}")


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_shards_under_kills(kube: Kube, quiet: Release, processes: int) -> None:
    """Three shards, three namespaces; the load of each process is printed."""
    dice = random.Random(SEED + processes)
    with ExitStack() as stack:
        places = [stack.enter_context(fresh_namespace(kube, labels=RESTRICTED)) for _ in range(3)]
        books = [stack.enter_context(audit(place)) for place in places]
        tasks = load("load", ROUNDS * TASKS_PER_ROUND // 2)
        names = [place.name for place in places]
        replicas = stack.enter_context(local_replicas(kube.kubeconfig, names, processes, CELERIAC_SHARDS="3"))
        waiting, jobs = list(tasks), dict.fromkeys((each.identity for each in replicas), 0.0)
        for _ in range(ROUNDS):
            for place in places:
                place.submit(*(tasks[name][0] for name in waiting[: TASKS_PER_ROUND // 2]))
            del waiting[: TASKS_PER_ROUND // 2]
            time.sleep(dice.uniform(0, 3))
            victim = dice.choice(replicas)
            jobs[victim.identity] += victim.metrics().writes().get("create jobs", 0)
            victim.kill_and_start()
            victim.wait_ready()
        for place in places:
            for name in tasks:
                place.wait(name)

        for each in replicas:
            jobs[each.identity] += each.metrics().writes().get("create jobs", 0)
        print(f"{processes} processes made so many Jobs, as far as seen before a kill: {jobs}")
        assert _problems(books, {name: phase for name, (_, phase) in tasks.items()}) == []


def _problems(books: list[Audit], expected: dict[str, str]) -> list[str]:
    return [problem for book in books for problem in book.problems(expected)]
