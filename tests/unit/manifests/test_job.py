"""The Job of an attempt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.builders import EFFECTIVE, TASK_UID, make_container, make_revision, make_task, pin
from tests.support.clock import at

from celeriac.api.v1alpha1 import Deadlines, Resources, TaskSpec
from celeriac_operator.core.facts import Accepted, Revision
from celeriac_operator.core.plan import CreateJob
from celeriac_operator.manifests.job import build_job, resources

DEFAULTS = Resources(requests={"cpu": "50m", "memory": "64Mi"}, limits={"memory": "512Mi"})


def job(revision: Revision | None = None, *, deadlines: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """The Job of the first attempt."""
    policy = EFFECTIVE.model_copy(
        update={"deadlines": Deadlines(**{"start_seconds": 300, "grace_seconds": 30, **(deadlines or {})})}
    )
    fields = {**spec, **({"definition_name": "resize"} if revision else {})}
    accepted = Accepted(policy, pin(revision) if revision else None)
    return build_job(make_task(**fields), CreateJob(1, accepted, revision), DEFAULTS, at(5))


def pod(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return job(*args, **kwargs)["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def container(*args: Any, **kwargs: Any) -> dict[str, Any]:
    (found,) = pod(*args, **kwargs)["containers"]
    return found  # type: ignore[no-any-return]


def env(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return {variable["name"]: variable.get("value") for variable in container(*args, **kwargs)["env"]}


def violations_of_restricted(spec: dict[str, Any]) -> list[str]:
    """The ``restricted`` Pod Security Standard (v1.34) for a pod, as far as a pod can break it."""
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    found += [f"volume {v}" for v in spec.get("volumes", ()) if set(v) - {"name"} - _ALLOWED_VOLUMES]
    own = spec.get("securityContext", {})
    found += ["seccompProfile"] if own.get("seccompProfile", {}).get("type") != "RuntimeDefault" else []
    found += ["runAsNonRoot"] if own.get("runAsNonRoot") is not True or own.get("runAsUser") == 0 else []
    for part in (*spec["containers"], *spec.get("initContainers", ()), *spec.get("ephemeralContainers", ())):
        context = part.get("securityContext", {})
        found += ["privileged"] if context.get("privileged") else []
        found += ["allowPrivilegeEscalation"] if context.get("allowPrivilegeEscalation") is not False else []
        found += ["capabilities"] if context.get("capabilities") != {"drop": ["ALL"]} else []
        found += ["hostPort"] if any(port.get("hostPort") for port in part.get("ports", ())) else []
    return found


_ALLOWED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}

FULL_DEFINITION = make_revision(
    container={"image": "m", "env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
    pod={
        "serviceAccountName": "robot",
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "runtimeClassName": "gvisor",
        "imagePullSecrets": ["registry"],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "e", "emptyDir": {}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
        "securityContext": {"runAsUser": 1000, "runAsGroup": 0, "readOnlyRootFilesystem": False},
    },
)


def test_the_whole_job() -> None:
    assert json.loads(json.dumps(job())) == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job()["metadata"]["name"],
            "namespace": "media",
            "labels": _LABELS,
            "annotations": {"celeriac.dev/accepted": job()["metadata"]["annotations"]["celeriac.dev/accepted"]},
            "ownerReferences": [
                {
                    "apiVersion": "celeriac.dev/v1alpha1",
                    "kind": "Task",
                    "name": "resize-42",
                    "uid": make_task().uid,
                    "controller": True,
                }
            ],
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "template": {"metadata": {"labels": _LABELS}, "spec": pod()},
        },
    }


_LABELS = {
    "app.kubernetes.io/managed-by": "celeriac",
    "celeriac.dev/task": "resize-42",
    "celeriac.dev/attempt": "1",
    "celeriac.dev/queue": "default",
}


@pytest.mark.parametrize("revision", [None, make_revision(), FULL_DEFINITION], ids=["inline", "plain", "all options"])
def test_every_pod_meets_the_restricted_standard(revision: Revision | None) -> None:
    assert violations_of_restricted(pod(revision)) == []


def test_a_task_can_say_nothing_that_its_pod_must_not_have() -> None:
    """An allow-list: whatever else a manifest says is not even read."""
    evil = TaskSpec.model_validate(
        {
            "container": {
                "image": "x",
                "securityContext": {"privileged": True},
                "volumeMounts": [{"name": "h", "mountPath": "/h"}],
                "envFrom": [{"secretRef": {"name": "s"}}],
                "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                "ports": [{"hostPort": 80}],
                "lifecycle": {},
            },
            "volumes": [{"name": "h", "hostPath": {"path": "/"}}],
            "hostNetwork": True,
            "serviceAccountName": "admin",
            "nodeName": "control-plane",
            "podSpecPatch": "{}",
        }
    )
    accepted = CreateJob(1, Accepted(EFFECTIVE), None)

    made = build_job(make_task(evil), accepted, DEFAULTS, at(5))["spec"]["template"]["spec"]
    plain = pod(container=make_container(image="x", env=[{"name": "A", "value": ""}]))
    assert made == plain


def test_the_fields_of_a_pod_without_a_definition_are_these_and_no_others() -> None:
    assert set(pod()) == {
        "restartPolicy",
        "automountServiceAccountToken",
        "enableServiceLinks",
        "terminationGracePeriodSeconds",
        "securityContext",
        "containers",
        "volumes",
    }
    assert pod()["automountServiceAccountToken"] is False
    assert pod()["volumes"] == [{"name": "celeriac-tmp", "emptyDir": {"sizeLimit": "1Gi"}}]


def test_a_job_for_kueue_is_suspended_and_names_its_local_queue() -> None:
    """The pod has no such label: Kueue would take it for one that it has to admit by itself."""
    made = build_job(make_task(), CreateJob(1, Accepted(EFFECTIVE), None, "team-a"), DEFAULTS, at(5))

    assert made["spec"]["suspend"] is True
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert "kueue.x-k8s.io/queue-name" not in made["spec"]["template"]["metadata"]["labels"]
    assert "suspend" not in job()["spec"]


def test_what_a_definition_grants_is_there() -> None:
    found = pod(FULL_DEFINITION)

    assert (found["serviceAccountName"], found["automountServiceAccountToken"]) == ("robot", True)
    assert (found["nodeSelector"], found["priorityClassName"]) == ({"disk": "ssd"}, "high")
    assert (found["runtimeClassName"], found["imagePullSecrets"]) == ("gvisor", [{"name": "registry"}])
    assert found["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert [volume["name"] for volume in found["volumes"]] == ["celeriac-tmp", "data", "e"]
    assert found["securityContext"]["runAsUser"] == 1000
    assert found["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is False
    assert found["containers"][0]["env"][-1]["valueFrom"] == {"secretKeyRef": {"name": "s", "key": "k"}}


def test_a_definition_that_mounts_its_own_tmp_gets_no_second_one() -> None:
    own = make_revision(
        pod={"volumes": [{"name": "t", "emptyDir": {}}], "volumeMounts": [{"name": "t", "mountPath": "/tmp"}]}
    )

    assert container(own)["volumeMounts"] == [{"name": "t", "mountPath": "/tmp"}]


def test_what_the_process_is_told() -> None:
    assert env(params={"who": "w$rld"}, deadlines={"run_seconds": 60, "total_seconds": 3600}) == {
        "CELERIAC_TASK": "resize-42",
        "CELERIAC_NAMESPACE": "media",
        "CELERIAC_ATTEMPT": "1",
        "CELERIAC_TASK_UID": TASK_UID,
        "CELERIAC_POD_UID": None,
        "CELERIAC_PARAMS": '{"who":"w$$rld"}',
        "CELERIAC_DEADLINE": "2026-03-01T12:01:05Z",
        "CELERIAC_RESULT_FILE": "/dev/termination-log",
    }


def test_the_process_is_told_its_pod_by_kubernetes() -> None:
    by_name = {variable["name"]: variable for variable in container()["env"]}
    assert by_name["CELERIAC_POD_UID"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.uid"}}


def test_params_that_are_elsewhere_are_named_and_not_empty() -> None:
    ref = {"bucket": "celeriac-payloads", "key": "media.params.0", "size": 40000, "digest": "sha256:0"}
    found = env(params_ref=ref)
    assert json.loads(found["CELERIAC_PARAMS_REF"]) == ref
    assert "CELERIAC_PARAMS" not in found


def test_no_variable_of_the_operator_can_be_replaced() -> None:
    mine = make_container(env=[{"name": "CELERIAC_TASK", "value": "other"}, {"name": "A", "value": "$(CELERIAC_TASK)"}])
    names = [variable["name"] for variable in container(container=mine)["env"]]

    assert names.count("CELERIAC_TASK") == 1
    assert names[-1] == "A", "a variable can only refer to those before it"


def test_which_function_the_runner_calls_is_the_containers_to_say() -> None:
    mine = make_container(env=[{"name": "CELERIAC_FUNCTION", "value": "media.tasks:resize"}])
    by_name = {variable["name"]: variable.get("value") for variable in container(container=mine)["env"]}

    assert by_name["CELERIAC_FUNCTION"] == "media.tasks:resize"


def test_params_are_substituted_in_command_args_and_env() -> None:
    wanted = make_container(
        command=["$(params.a)"], args=["--x=$(params.b)"], env=[{"name": "E", "value": "$(params.a)"}]
    )
    found = container(container=wanted, params={"a": "1", "b": {"c": 2}})

    assert (found["command"], found["args"], found["env"][-1]["value"]) == (["1"], ['--x={"c":2}'], "1")


def test_the_kubelets_own_deadline_comes_after_the_operators() -> None:
    assert "activeDeadlineSeconds" not in pod()
    assert pod(deadlines={"run_seconds": 10})["activeDeadlineSeconds"] == 300 + 10 + 30 + 60


RESOURCES: dict[str, tuple[dict[str, Any] | None, dict[str, Any]]] = {
    "nothing given: the defaults": (
        None,
        {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
    ),
    "a request is its own limit, but for CPU": (
        {"requests": {"cpu": "2", "memory": "4Gi"}},
        {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "4Gi"}},
    ),
    "a limit alone keeps the default request away": (
        {"limits": {"memory": "32Mi"}},
        {"requests": {"cpu": "50m"}, "limits": {"memory": "32Mi"}},
    ),
    "a device is limited as it is requested": (
        {"requests": {"nvidia.com/gpu": 1}},
        {
            "requests": {"nvidia.com/gpu": 1, "cpu": "50m", "memory": "64Mi"},
            "limits": {"nvidia.com/gpu": 1, "memory": "512Mi"},
        },
    ),
}


@pytest.mark.parametrize(("given", "wanted"), RESOURCES.values(), ids=RESOURCES)
def test_resources(given: dict[str, Any] | None, wanted: dict[str, Any]) -> None:
    assert resources(Resources.model_validate(given) if given else None, DEFAULTS) == wanted
