"""Several operators, as processes, at a real API server: who holds which Lease, and what that does to their work.

No node is needed: that a Task is worked on shows in its Job. Leases are short here, so that the tests are quick.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from e2e.support.kube import JOBS, LEASES, Kube, Obj, Refused
from e2e.support.manifests import task
from e2e.support.namespaces import Namespace, fresh_namespace
from e2e.support.operator import DEPOSED, LocalOperator, local_replicas
from e2e.support.predicates import Predicate
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

LEASE, DEADLINE, RETRY = 4, 3, 1
QUICK = {
    "CELERIAC_LEASE_SECONDS": str(LEASE),
    "CELERIAC_RENEW_DEADLINE_SECONDS": str(DEADLINE),
    "CELERIAC_LEASE_RETRY_SECONDS": str(RETRY),
}

STARTED = Predicate("started", lambda obj: bool(((obj or {}).get("status") or {}).get("attemptCount")))


@contextmanager
def replicas(kube: Kube, namespaces: list[str], count: int, **settings: str) -> Iterator[list[LocalOperator]]:
    with local_replicas(kube.kubeconfig, namespaces, count, **QUICK, **settings) as found:
        yield found


def held_by(*operators: LocalOperator) -> Predicate:
    wanted = {operator.identity for operator in operators}
    return Predicate(f"held by one of {wanted}", lambda lease: holder(lease) in wanted)


def holder(lease: Obj | None) -> str:
    return str((lease or {}).get("spec", {}).get("holderIdentity") or "")


def wait_for_leader(namespace: Namespace, *operators: LocalOperator, shard: int = 0) -> Obj:
    return namespace.kube.wait(LEASES, namespace.name, f"celeriac-{shard}", held_by(*operators))


def is_worked_on(namespace: Namespace, name: str) -> None:
    """Submit a Task, and wait for its Job and the status that tells of it."""
    namespace.submit(task(name))
    namespace.wait(name, STARTED)
    assert len(namespace.kube.list(JOBS, namespace.name, labels=f"celeriac.dev/task={name}")) == 1


def test_a_lease_is_as_kubernetes_wants_it(kube: Kube, namespace: Namespace) -> None:
    with replicas(kube, [namespace.name], 1) as (only,):
        lease = wait_for_leader(namespace, only)

        assert lease["spec"]["leaseDurationSeconds"] == LEASE
        assert lease["spec"]["leaseTransitions"] == 0
        assert lease["metadata"]["annotations"] == {"celeriac.dev/shards": "1"}
        renewed = Predicate("renewed", lambda now: (now or {})["spec"]["renewTime"] > lease["spec"]["renewTime"])
        later = kube.wait(LEASES, namespace.name, "celeriac-0", renewed)
        assert later["spec"]["acquireTime"] == lease["spec"]["acquireTime"]


def test_the_standby_is_ready_and_goes_on_at_once_when_the_leader_is_stopped(kube: Kube, namespace: Namespace) -> None:
    with replicas(kube, [namespace.name], 2) as (leader, standby):
        wait_for_leader(namespace, leader)
        is_worked_on(namespace, "first")
        assert standby.metrics().total("celeriac_leader") == 0
        assert standby.metrics().writes() == {}

        leader.terminate()
        lease = wait_for_leader(namespace, standby)

        assert leader.exit_code() == 0
        assert lease["spec"]["leaseTransitions"] == 1
        is_worked_on(namespace, "second")
        assert standby.metrics().total("celeriac_leader", shard="0") == 1


def test_the_standby_goes_on_when_the_leader_is_killed(kube: Kube, namespace: Namespace) -> None:
    with replicas(kube, [namespace.name], 2) as (leader, standby):
        wait_for_leader(namespace, leader)
        is_worked_on(namespace, "first")
        leader.kill()
        namespace.submit(task("meanwhile"))
        wait_for_leader(namespace, standby)

        is_worked_on(namespace, "after")
        namespace.wait("meanwhile", STARTED)


def test_a_leader_that_was_frozen_past_its_lease_writes_nothing_and_ends(kube: Kube, namespace: Namespace) -> None:
    with replicas(kube, [namespace.name], 2) as (leader, standby):
        wait_for_leader(namespace, leader)
        is_worked_on(namespace, "first")
        leader.freeze()
        wait_for_leader(namespace, standby)
        is_worked_on(namespace, "second")
        leader.thaw()

        assert leader.exit_code() == DEPOSED
        assert "exiting at once" in leader.log.read_text()
        assert holder(kube.get(LEASES, namespace.name, "celeriac-0")) == standby.identity
        assert len(kube.list(JOBS, namespace.name)) == 2
        is_worked_on(namespace, "third")


def test_a_restarted_process_of_the_same_pod_takes_its_own_lease_at_once(kube: Kube, namespace: Namespace) -> None:
    with replicas(kube, [namespace.name], 1) as (only,):
        before = wait_for_leader(namespace, only)
        only.kill_and_start()
        only.wait_ready()
        is_worked_on(namespace, "again")

        lease = kube.get(LEASES, namespace.name, "celeriac-0")
        assert lease is not None
        assert lease["spec"]["leaseTransitions"] == before["spec"]["leaseTransitions"] == 0


@pytest.fixture
def three(kube: Kube) -> Iterator[list[Namespace]]:
    """Namespaces; the Leases are in the first."""
    with ExitStack() as stack:
        yield [stack.enter_context(fresh_namespace(kube, prefix="e2e-api")) for _ in range(3)]


def test_with_shards_two_replicas_work_at_once_and_one_takes_all_when_the_other_is_killed(
    kube: Kube, three: list[Namespace]
) -> None:
    names, place = [each.name for each in three], three[0]
    with replicas(kube, names, 2, CELERIAC_SHARDS="2") as (first, second):
        wait_until_shared(place, first, second)
        for each in three:
            is_worked_on(each, "shared")
        made = [operator.metrics().writes().get("create jobs", 0) for operator in (first, second)]
        assert sum(made) == len(three), "each Job was made by one of them"

        first.kill()
        wait_for_leader(place, second, shard=0)
        wait_for_leader(place, second, shard=1)
        for each in three:
            is_worked_on(each, "after")


@retry(retry=retry_if_exception_type(LookupError), stop=stop_after_delay(60), wait=wait_fixed(0.2), reraise=True)
def wait_until_shared(place: Namespace, *operators: LocalOperator) -> None:
    """Wait until each holds one of the two Leases."""
    holders = {holder(place.kube.get(LEASES, place.name, f"celeriac-{shard}")) for shard in (0, 1)}
    if holders != {operator.identity for operator in operators}:
        raise LookupError(f"the two Leases are held by {holders}")


def test_the_api_server_gives_up_a_write_whose_time_is_over(kube: Kube, namespace: Namespace) -> None:
    """The operator tells it with each write how long the lease lasts; a word that it did not know would be ignored."""
    path = LEASES.path(namespace.name)
    with pytest.raises(Refused, match="invalid timeout"):
        kube.text(path, {"timeout": "soon"})
