"""The NetworkPolicies for the pods of tasks, as Helm renders them; what a network makes of them is not seen here."""

from __future__ import annotations

import json

import pytest
from tests.support.builders import EFFECTIVE, make_revision, make_task, pin
from tests.support.clock import at
from tests.unit.charts.test_nats import of_nats
from tests.unit.charts.test_templates import HELM, NAMESPACED, Manifest, refusal, template

from celeriac.api.v1alpha1 import Resources
from celeriac_operator.core.facts import Accepted
from celeriac_operator.core.plan import CreateJob
from celeriac_operator.manifests.job import build_job

pytestmark = pytest.mark.skipif(HELM is None, reason="no helm: not in HELM, on PATH or in the project's cache")

RESTRICTED = "--set=taskNetworkPolicy.egress.restricted=true"
ONE = [{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]
THUMBNAIL = f"--set-json=taskNetworkPolicy.egress.definitions={json.dumps({'thumbnail': ONE})}"
DNS = {
    "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
}


def policies(*args: str) -> dict[tuple[str, str], Manifest]:
    """Their specs by namespace and name; those of the operator and of NATS are off."""
    found = [m for m in template(*args) if m["kind"] == "NetworkPolicy"]
    return {(m["metadata"]["namespace"], m["metadata"]["name"]): m["spec"] for m in found}


def labels_of_a_pod(definition: str) -> dict[str, str]:
    """What the operator labels a pod of that TaskDefinition with."""
    revision = make_revision(definition)
    create = CreateJob(1, Accepted(EFFECTIVE, pin(revision)), revision)
    job = build_job(make_task(definition_name=definition), create, Resources(), at(5))
    return dict(job["spec"]["template"]["metadata"]["labels"])


def selects(policy: Manifest, labels: dict[str, str]) -> bool:
    return bool(policy["podSelector"]["matchLabels"].items() <= labels.items())


def test_nobody_connects_to_pods_of_tasks_in_the_watched_namespaces() -> None:
    found = policies(*NAMESPACED)

    assert list(found) == [("media", "celeriac-tasks"), ("reports", "celeriac-tasks")]
    for policy in found.values():
        assert (policy["policyTypes"], policy["ingress"]) == (["Ingress"], [])
        assert "egress" not in policy
        assert selects(policy, labels_of_a_pod("thumbnail"))


@pytest.mark.parametrize(
    ("values", "namespaces"),
    [
        pytest.param((), [], id="none where no namespace is named"),
        pytest.param(("--set=taskNetworkPolicy.namespaces={a}",), ["a"], id="one where it is named"),
        pytest.param((*NAMESPACED, "--set=taskNetworkPolicy.namespaces={a}"), ["a"], id="the named, not the watched"),
        pytest.param((*NAMESPACED, "--set=taskNetworkPolicy.enabled=false"), [], id="none where they are off"),
    ],
)
def test_there_is_one_in_these_namespaces(values: tuple[str, ...], namespaces: list[str]) -> None:
    assert [namespace for namespace, _ in policies(*values)] == namespaces


def test_restricted_pods_reach_dns_and_the_nats_of_the_release() -> None:
    policy = policies(*NAMESPACED, RESTRICTED)["media", "celeriac-tasks"]
    dns, nats = policy["egress"]
    (where,) = nats["to"]

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert dns == DNS
    assert where["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "celeriac-system"}
    server = of_nats("StatefulSet")["spec"]["template"]
    assert where["podSelector"]["matchLabels"].items() <= server["metadata"]["labels"].items()
    (container,) = server["spec"]["containers"]
    assert nats["ports"][0]["port"] in [port["containerPort"] for port in container["ports"]]


def test_restricted_pods_reach_nothing_where_nothing_is_allowed() -> None:
    values = (RESTRICTED, "--set=nats.enabled=false", "--set-json=taskNetworkPolicy.egress.allow=[]")
    policy = policies(*NAMESPACED, *values)["media", "celeriac-tasks"]

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert not policy["egress"]


@pytest.mark.parametrize("others", [(), (RESTRICTED,)], ids=["others are free", "others are restricted"])
def test_pods_of_a_named_definition_reach_what_it_needs_and_what_all_may(others: tuple[str, ...]) -> None:
    policy = policies(*NAMESPACED, THUMBNAIL, *others)["reports", "celeriac-tasks-thumbnail"]

    assert policy["policyTypes"] == ["Egress"]
    assert policy["egress"][0] == DNS
    assert policy["egress"][2:] == ONE
    assert selects(policy, labels_of_a_pod("thumbnail"))
    assert not selects(policy, labels_of_a_pod("another"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("taskNetworkPolicy.namespaces={A}", "/taskNetworkPolicy/namespaces/0"),
        ("taskNetworkPolicy.egress.definitions.Not_A_Name[0].ports=x", "Not_A_Name"),
        ("taskNetworkPolicy.egress.to=x", "/taskNetworkPolicy/egress"),
    ],
    ids=["no namespace can be called so", "no TaskDefinition can be called so", "there is no such value"],
)
def test_is_refused_by_name(values: str, said: str) -> None:
    assert said in refusal("--set", values)
