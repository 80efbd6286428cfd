"""The chart's Roles for one namespace, at a real API server: enough for all of the operator's work, and no more.

No node is needed: what runs there is cancelled.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.support import rights
from e2e.support.kube import (
    CRONS,
    DEFINITIONS,
    JOBS,
    NETWORK_POLICIES,
    PODS,
    QUEUES,
    REVISIONS,
    SECRETS,
    TASKS,
    Kind,
    Kube,
    Obj,
    Refused,
)
from e2e.support.manifests import definition, queue, task_of
from e2e.support.namespaces import Namespace, fresh_namespace
from e2e.support.operator import LocalOperator, local_operator
from e2e.support.predicates import Predicate, gone, phase

WORKED = {DEFINITIONS: "works", QUEUES: "narrow", CRONS: "often"}
"""Kinds whose status the operator writes, and an object of each."""
CRON: Obj = {
    "apiVersion": "celeriac.dev/v1alpha1",
    "kind": "CronTask",
    "metadata": {"name": "often"},
    "spec": {
        "schedule": "* * * * *",
        "catchUp": {"policy": "Latest", "windowSeconds": 3600},
        "taskTemplate": {"spec": {"definitionName": "works", "suspend": True}},
    },
}


HAS_A_POD = Predicate("with a pod", lambda job: ((job or {}).get("status") or {}).get("active") == 1)


def selector(wanted: Obj) -> str:
    """A label selector as text."""
    return ",".join(f"{key}={value}" for key, value in wanted["matchLabels"].items())


@pytest.fixture(scope="module")
def operated(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Namespace, LocalOperator]]:
    """A namespace whose operator has the chart's Roles there, and no right elsewhere."""
    folder: Path = tmp_path_factory.mktemp("account")
    with fresh_namespace(kube, prefix="e2e-api") as fresh, rights.installed(kube, fresh.name):
        account = rights.kubeconfig_of(kube, fresh.name, rights.OPERATOR, folder)
        with local_operator(account, fresh.name) as operator:
            yield fresh, operator


def test_no_cluster_role_is_needed(kube: Kube) -> None:
    kinds = {each["kind"] for each in rights.rendered(kube, "anywhere", "admissionPolicies.enabled=false")}

    assert kinds == {"Role", "RoleBinding", "ServiceAccount", "NetworkPolicy"}


def test_roles_are_enough_for_a_task_from_its_definition_to_its_end(operated: tuple[Namespace, LocalOperator]) -> None:
    namespace, operator = operated
    namespace.define(definition("works", "sleep 600"))
    namespace.apply(queue("narrow", maxConcurrency=1))
    namespace.submit(task_of("works", "goes", queueName="narrow"), task_of("works", "waits", queueName="narrow"))

    namespace.wait(
        "goes", Predicate("with a Job", lambda obj: bool(((obj or {}).get("status") or {}).get("attemptCount")))
    )
    namespace.wait("waits", phase("Queued"))
    assert len(namespace.kube.list(REVISIONS, namespace.name)) == 1
    (policy,) = namespace.kube.list(NETWORK_POLICIES, namespace.name)
    assert namespace.kube.wait(JOBS, namespace.name, namespace.job_name("goes"), HAS_A_POD)
    assert namespace.kube.any(PODS, namespace.name, labels=selector(policy["spec"]["podSelector"]))
    namespace.set("waits", ttlSecondsAfterFinished=0)
    for name in ("goes", "waits"):
        namespace.cancel(name)
    namespace.wait("goes")
    namespace.wait("waits", gone())

    assert operator.metrics().total("celeriac_api_calls_total", code="201") >= 1  # its Lease, at least
    assert operator.metrics().total("celeriac_api_calls_total", code="403") == 0


def test_roles_are_enough_for_cron_tasks_and_for_every_status(operated: tuple[Namespace, LocalOperator]) -> None:
    namespace, operator = operated
    namespace.apply(definition("works", "sleep 600"), queue("narrow", maxConcurrency=1), CRON)
    written = Predicate("with a status", lambda obj: bool((obj or {}).get("status")))

    for kind, name in WORKED.items():
        namespace.kube.wait(kind, namespace.name, name, written)

    assert operator.metrics().total("celeriac_api_calls_total", code="403") == 0


@pytest.mark.parametrize("kind", [TASKS, DEFINITIONS, JOBS, PODS, REVISIONS], ids=lambda kind: kind.plural)
@pytest.mark.parametrize("where", ["default", None], ids=["another namespace", "all namespaces"])
def test_its_account_may_not_even_list_outside_of_its_namespace(
    operated: tuple[Namespace, LocalOperator], kind: Kind, where: str | None
) -> None:
    namespace, _ = operated
    account = namespace.kube.acting_as(f"system:serviceaccount:{namespace.name}:{rights.OPERATOR}")

    with pytest.raises(Refused, match="forbidden"):
        account.list(kind, where)


def test_its_account_may_not_read_secrets(operated: tuple[Namespace, LocalOperator]) -> None:
    namespace, _ = operated
    account = namespace.kube.acting_as(f"system:serviceaccount:{namespace.name}:{rights.OPERATOR}")

    with pytest.raises(Refused, match="forbidden"):
        account.list(SECRETS, namespace.name)
