"""What ``celeriac doctor`` looks at: one function a check, each of which says what it found and what to do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from celeriac import errors
from celeriac._api import Api
from celeriac._door import Door
from celeriac._refusals import QUOTA
from celeriac._wire import resource_path
from celeriac.api.v1alpha1 import API_VERSION, GROUP, VERSION

CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NEEDED = ("tasks", "taskdefinitions", "taskqueues", "crontasks")
OPERATOR = "app.kubernetes.io/name=celeriac"
INSTALL = "install or upgrade the Helm chart of Celeriac"


@dataclass(frozen=True)
class Check:
    """What one check found."""

    name: str
    ok: bool | None
    """None: it could not be found out."""
    found: str
    advice: str = ""
    """What to do, where it is not well."""


@dataclass(frozen=True)
class Scope:
    """What the checks look at."""

    api: Api
    namespace: str
    door: Door


async def api_server(scope: Scope) -> list[Check]:
    """Does the API server answer?"""
    version = await scope.api.get("/version")
    return [Check("API server", True, f"answers, Kubernetes {version.get('gitVersion', '?')}")]


async def resources(scope: Scope) -> list[Check]:
    """Are the resource definitions there?"""
    try:
        found = await scope.api.get(f"/apis/{API_VERSION}")
    except errors.NotInstalled:
        return [Check("Resources", False, f"{API_VERSION} is not known to the cluster", INSTALL)]
    plurals = {resource["name"] for resource in found.get("resources", [])}
    missing = [f"{plural}.{GROUP}" for plural in NEEDED if plural not in plurals]
    if missing:
        return [Check("Resources", False, f"{', '.join(missing)} missing", INSTALL)]
    return [Check("Resources", True, f"{', '.join(f'{p}.{GROUP}' for p in NEEDED)}, {await _crd_version(scope)}")]


async def _crd_version(scope: Scope) -> str:
    """Which release the definitions are of, where they say it and may be read."""
    try:
        crd = await scope.api.get(f"{CRD_PATH}/tasks.{GROUP}")
    except errors.CeleriacError:
        return VERSION
    labels = crd["metadata"].get("labels") or {}
    release = labels.get("app.kubernetes.io/version")
    return f"{VERSION} of release {release}" if release else VERSION


async def operator(scope: Scope) -> list[Check]:
    """Does the operator run?"""
    try:
        found, _ = await scope.api.items("/apis/apps/v1/deployments", (("labelSelector", OPERATOR),))
    except errors.Forbidden:
        advice = "ask an administrator: kubectl get deployments -A -l app.kubernetes.io/name=celeriac"
        return [Check("Operator", None, "you may not list Deployments of all namespaces", advice)]
    if not found:
        return [Check("Operator", False, f"no Deployment has the label {OPERATOR}", INSTALL)]
    return [_operator_check(deployment) for deployment in found]


def _operator_check(deployment: dict[str, Any]) -> Check:
    meta, status = deployment["metadata"], deployment.get("status") or {}
    ready, wanted = status.get("readyReplicas") or 0, deployment["spec"].get("replicas", 1)
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    found = f"{meta['namespace']}/{meta['name']} has {ready} of {wanted} replicas ready, {image}"
    advice = f"kubectl describe deployment {meta['name']} -n {meta['namespace']}; kubectl logs deploy/{meta['name']}"
    return Check("Operator", ready >= 1, found, "" if ready >= 1 else advice)


async def rights(scope: Scope) -> list[Check]:
    """May the caller do what the SDK does?"""
    wanted = [
        *((verb, GROUP, "tasks", "") for verb in ("create", "get", "list", "watch", "patch")),
        *((verb, "", "pods", "") for verb in ("get", "list", "watch")),
        ("get", "", "pods", "log"),
    ]
    denied = [right for right in wanted if not await _may(scope, right)]
    if not denied:
        return [Check("Rights", True, f"you may submit, cancel and follow tasks, logs too, in {scope.namespace}")]
    names = ", ".join(f"{verb} {plural}{'/' + sub if sub else ''}" for verb, _, plural, sub in denied)
    advice = f"ask for a RoleBinding in {scope.namespace} that allows it"
    return [Check("Rights", False, f"you may not {names} in {scope.namespace}", advice)]


async def _may(scope: Scope, right: tuple[str, str, str, str]) -> bool:
    verb, group, plural, sub = right
    attributes = {"namespace": scope.namespace, "verb": verb, "group": group, "resource": plural, "subresource": sub}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await scope.api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool(answer["status"].get("allowed"))


async def quota(scope: Scope) -> list[Check]:
    """Is there room for another Task object?"""
    try:
        found, _ = await scope.api.items(resource_path("/api/v1", "resourcequotas", scope.namespace), ())
    except errors.Forbidden:
        return [Check("Quota", None, f"you may not list ResourceQuotas of {scope.namespace}", "")]
    bounds = [(q, q["status"]["hard"][QUOTA]) for q in found if QUOTA in (q.get("status") or {}).get("hard", {})]
    if not bounds:
        return [Check("Quota", True, f"no {QUOTA} in {scope.namespace}: the number of tasks is not bounded")]
    return [_quota_check(quota, hard) for quota, hard in bounds]


def _quota_check(quota: dict[str, Any], hard: str) -> Check:
    used = quota["status"].get("used", {}).get(QUOTA, "0")
    full = used.isdigit() and hard.isdigit() and int(used) >= int(hard)
    advice = "wait until finished tasks have gone, delete some, or have it raised" if full else ""
    return Check("Quota", not full, f"{quota['metadata']['name']}: {used} of {hard} tasks used", advice)


async def pod_security(scope: Scope) -> list[Check]:
    """Does the namespace exist, and what does it demand of pods?"""
    try:
        found = await scope.api.get(f"/api/v1/namespaces/{scope.namespace}")
    except errors.Forbidden:
        return [Check("Namespace", None, f"you may not read namespace {scope.namespace}", "")]
    except errors.RequestRejected as error:
        if error.status != 404:
            raise
        return [Check("Namespace", False, f"{scope.namespace} does not exist", f"kubectl create ns {scope.namespace}")]
    level = (found["metadata"].get("labels") or {}).get("pod-security.kubernetes.io/enforce")
    text = f"enforces Pod Security {level}" if level else "enforces no Pod Security level"
    return [Check("Namespace", True, f"{scope.namespace} {text}; the operator's pods meet restricted")]


async def nats(scope: Scope) -> list[Check]:
    """Where tasks go through NATS: does it answer, and does the operator work with it?"""
    said = await scope.door.greet()
    return [] if said is None else [Check("NATS", True, said)]


CHECKS: tuple[tuple[str, Callable[[Scope], Awaitable[list[Check]]]], ...] = (
    ("NATS", nats),
    ("API server", api_server),  # without it there is nothing more to check
    ("Resources", resources),
    ("Operator", operator),
    ("Namespace", pod_security),
    ("Rights", rights),
    ("Quota", quota),
)


async def examine(scope: Scope) -> list[Check]:
    """Every check, in order; one that fails by itself is a finding too, and without an API server it ends there."""
    found: list[Check] = []
    for name, check in CHECKS:
        try:
            found += await check(scope)
        except errors.CeleriacError as error:
            found.append(Check(name, False, str(error)))
            if name == "API server":
                break
    return found
