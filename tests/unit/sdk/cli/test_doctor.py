"""``celeriac doctor`` and ``celeriac version``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.sdk.cli.conftest import Cluster, Command
from tests.unit.sdk.fake_api import status

from celeriac._wire import Call, Reply, Unreachable

GOOD: dict[str, Any] = {
    "/version": {"gitVersion": "v1.34.4"},
    "/apis/celeriac.dev/v1alpha1": {
        "resources": [{"name": "tasks"}, {"name": "taskdefinitions"}, {"name": "taskqueues"}, {"name": "crontasks"}]
    },
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tasks.celeriac.dev": {
        "metadata": {"labels": {"app.kubernetes.io/version": "0.1.0"}}
    },
    "/apis/apps/v1/deployments": {"metadata": {}, "items": []},
    "/api/v1/namespaces/team": {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": {"status": {"allowed": True}},
    "/api/v1/namespaces/team/resourcequotas": {"metadata": {}, "items": []},
}


def deployment(ready: int) -> dict[str, Any]:
    containers = [{"image": "operator:1"}]
    return {
        "metadata": {"name": "celeriac", "namespace": "sys"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": containers}}},
        "status": {"readyReplicas": ready},
    }


def quota(used: str) -> dict[str, Any]:
    bound = "count/tasks.celeriac.dev"
    return {"metadata": {"name": "q"}, "status": {"hard": {bound: "5"}, "used": {bound: used}}}


@pytest.fixture
def answers(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What each path is answered with; a healthy cluster unless the test changes it."""
    answers = dict(GOOD)
    answers["/apis/apps/v1/deployments"] = {"metadata": {}, "items": [deployment(1)]}

    async def request(call: Call) -> Reply:
        answer = answers[call.path]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Reply) else Reply(200, json.dumps(answer).encode())

    monkeypatch.setattr(cluster, "request", request)
    return answers


def change(path: str, answer: Any) -> Callable[[dict[str, Any]], None]:
    return lambda answers: answers.update({path: answer})


DEPLOYMENTS, QUOTAS = "/apis/apps/v1/deployments", "/api/v1/namespaces/team/resourcequotas"
REVIEWS, NAMESPACE = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "/api/v1/namespaces/team"
GROUP = "/apis/celeriac.dev/v1alpha1"


def items(*found: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {}, "items": list(found)}


@pytest.mark.parametrize(
    ("trouble", "code", "wanted"),
    [
        pytest.param(change("", None), 0, "crontasks.celeriac.dev, v1alpha1 of release 0.1.0", id="all is well"),
        pytest.param(change(GROUP, Reply(404, b"404 page not found")), 3, "✗ Resources", id="no CRDs"),
        pytest.param(
            change(GROUP, {"resources": [{"name": "tasks"}]}),
            3,
            "taskdefinitions.celeriac.dev, taskqueues.celeriac.dev, crontasks.celeriac.dev missing",
            id="a CRD is missing",
        ),
        pytest.param(change(DEPLOYMENTS, items()), 3, "no Deployment has the label", id="no operator"),
        pytest.param(
            change(DEPLOYMENTS, items(deployment(0))),
            3,
            "✗ Operator    sys/celeriac has 0 of 2",
            id="an operator not ready",
        ),
        pytest.param(
            change(DEPLOYMENTS, status(403, "Forbidden")), 0, "? Operator", id="Deployments that may not be seen"
        ),
        pytest.param(
            change(REVIEWS, {"status": {"allowed": False}}), 3, "you may not create tasks, get tasks", id="no rights"
        ),
        pytest.param(change(QUOTAS, items(quota("4"))), 0, "✓ Quota       q: 4 of 5", id="room in the quota"),
        pytest.param(change(QUOTAS, items(quota("5"))), 3, "✗ Quota       q: 5 of 5", id="a quota that is used up"),
        pytest.param(change(NAMESPACE, status(404, "NotFound")), 3, "team does not exist", id="no namespace"),
        pytest.param(change(NAMESPACE, status(403, "Forbidden")), 0, "? Namespace", id="a namespace not to be seen"),
        pytest.param(change("/version", status(401, "Unauthorized")), 3, "log in again", id="no credentials"),
    ],
)
def test_doctor(
    celeriac: Command,
    answers: dict[str, Any],
    trouble: Callable[[dict[str, Any]], None],
    code: int,
    wanted: str,
) -> None:
    trouble(answers)

    result = celeriac("doctor")

    assert wanted in result.stdout
    assert result.exit_code == code


def test_without_an_api_server_there_is_one_finding(
    celeriac: Command, answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers["/version"] = Unreachable("refused")
    monkeypatch.setattr("celeriac._api.ATTEMPTS", 1)

    found = json.loads(celeriac("doctor", "-o", "json").stdout)

    assert [(check["name"], check["ok"]) for check in found] == [("API server", False)]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], "celeriac 0.1.0 (API celeriac.dev/v1alpha1)\n"),
        (["-o", "name"], "0.1.0\n"),
        (["-o", "yaml"], "celeriac: 0.1.0\napi: celeriac.dev/v1alpha1\n"),
    ],
)
def test_version(celeriac: Command, words: list[str], wanted: str) -> None:
    assert celeriac("version", *words).stdout == wanted


def test_every_command_can_tell_of_itself(celeriac: Command) -> None:
    for name in ["run", "submit", "list", "get", "logs", "wait", "cancel", "retry", "why", "doctor", "version"]:
        result = celeriac(name, "--help")

        assert result.exit_code == 0
        assert "--namespace" in result.stdout
