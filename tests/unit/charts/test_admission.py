"""The chart's admission policies as Helm renders them. What they refuse is tested at a real API server."""

from __future__ import annotations

import re

import pytest
from tests.unit.charts.test_templates import HELM, NAMESPACED, named, of_kind, template

pytestmark = pytest.mark.skipif(HELM is None, reason="no helm: not in HELM, on PATH or in the project's cache")

IMAGES = ("--set=admissionPolicies.images={registry.example/media/}",)
POLICED = {
    "task-params": "tasks",
    "task-marks": "tasks",
    "definition-grants": "taskdefinitions",
    "children": "jobs controllerrevisions",
    "pods": "pods",
    "images": "tasks taskdefinitions crontasks",
}


@pytest.mark.parametrize("suffix", POLICED)
def test_an_admission_policy_fails_closed_and_looks_at_all_that_is_created_and_changed(suffix: str) -> None:
    policy = named("ValidatingAdmissionPolicy", f"celeriac-{suffix}", *IMAGES)["spec"]
    rules = policy["matchConstraints"]["resourceRules"]

    assert policy["failurePolicy"] == "Fail"
    assert [rule["operations"] for rule in rules] == [["CREATE", "UPDATE"]] * len(rules)
    assert {tuple(rule["apiVersions"]) for rule in rules} == {("*",)}
    assert " ".join(resource for rule in rules for resource in rule["resources"]) == POLICED[suffix]


@pytest.mark.parametrize("suffix", POLICED)
def test_what_an_admission_policy_says_begins_with_the_field(suffix: str) -> None:
    for validation in named("ValidatingAdmissionPolicy", f"celeriac-{suffix}", *IMAGES)["spec"]["validations"]:
        assert re.match(r"^(spec|metadata|container)[.a-zA-Z]*: ", validation["message"])
        assert re.match(r'^"(spec|metadata|container)[.a-zA-Z]*: "', validation.get("messageExpression", '"spec: "'))
        assert validation["reason"] in ("Invalid", "Forbidden")


@pytest.mark.parametrize("suffix", POLICED)
def test_an_admission_policy_is_bound_to_the_cluster_or_to_the_watched_namespaces(suffix: str) -> None:
    whole = named("ValidatingAdmissionPolicyBinding", f"celeriac-{suffix}", *IMAGES)
    some = named("ValidatingAdmissionPolicyBinding", f"celeriac-system-celeriac-{suffix}", *IMAGES, *NAMESPACED)
    (expression,) = some["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]

    assert whole["spec"] == {"policyName": f"celeriac-{suffix}", "validationActions": ["Deny"]}
    assert some["spec"]["policyName"] == some["metadata"]["name"]
    assert expression == {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["media", "reports"]}


def test_no_expression_asks_the_authorizer_more_than_twice_and_no_policy_more_than_28_times() -> None:
    """A check costs 350,000; an expression may cost 1,000,000 and a policy 10,000,000."""
    for policy in of_kind("ValidatingAdmissionPolicy", *IMAGES):
        spec = policy["spec"]
        checks = [each["expression"].count(".check(") for each in [*spec.get("variables", ()), *spec["validations"]]]
        assert max(checks) <= 2
        assert sum(checks) <= 28


def test_the_limit_of_params_is_the_value() -> None:
    policy = named("ValidatingAdmissionPolicy", "celeriac-task-params", "--set=admissionPolicies.maxParamsBytes=65536")

    assert policy["spec"]["validations"][1]["expression"].endswith("<= 65536")


def test_admission_policies_are_on_by_default_and_that_of_images_where_some_are_named() -> None:
    kinds = [m["kind"] for m in template("--set=admissionPolicies.enabled=false", *IMAGES)]

    assert len(of_kind("ValidatingAdmissionPolicy")) == len(POLICED) - 1
    assert len(of_kind("ValidatingAdmissionPolicy", *IMAGES)) == len(POLICED)
    assert [kind for kind in kinds if "Admission" in kind] == []
