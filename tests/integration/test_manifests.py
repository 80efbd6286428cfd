"""What the API server itself says to manifests: bad ones are refused with the field's name, good ones are stored.

Nothing is persisted where it need not be (`dryRun`): validation is the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from e2e.support import manifests
from e2e.support.kube import TASKS, Kube, Obj, Refused
from e2e.support.manifests import definition, queue, task, task_of
from e2e.support.namespaces import Namespace

FULL_TASK: Obj = {
    "apiVersion": "celeriac.dev/v1alpha1",
    "kind": "Task",
    "metadata": {"name": "resize-42"},
    "spec": {
        "container": {
            "image": "busybox:1.36",
            "command": ["sh", "-c"],
            "args": ["echo $(params.who)"],
            "env": [{"name": "A", "value": "b"}],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
            "imagePullPolicy": "IfNotPresent",
            "workingDir": "/tmp",
        },
        "params": {"who": "world"},
        "queueName": "default",
        "priority": 0,
        "concurrencyKey": "user-17",
        "startTime": "2126-12-01T10:00:00Z",
        "deadlines": {
            "queueSeconds": 3600,
            "startSeconds": 300,
            "runSeconds": 60,
            "totalSeconds": 7200,
            "graceSeconds": 30,
        },
        "retry": {
            "maxAttempts": 3,
            "maxDisruptions": 10,
            "backoff": {"initialSeconds": 10, "multiplierPercent": 200, "maxSeconds": 600, "jitter": "Full"},
            "rules": [
                {"onExitCodes": {"operator": "In", "values": [42]}, "action": "Fail"},
                {"onFailures": ["OOMKilled"], "action": "Retry"},
            ],
        },
        "suspend": True,
        "ttlSecondsAfterFinished": 3600,
    },
}
"""The example of the contract, every field of it, but a startTime that is not reached, and suspended: it never runs."""

FULL_DEFINITION: Obj = {
    "apiVersion": "celeriac.dev/v1alpha1",
    "kind": "TaskDefinition",
    "metadata": {"name": "resize"},
    "spec": {
        "container": {
            "image": "busybox:1.36",
            "args": ["$(params.path)"],
            "env": [
                {"name": "PLAIN", "value": "x"},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "tokens", "key": "api"}}},
                {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "modes", "key": "m", "optional": True}}},
            ],
        },
        "pod": {
            "serviceAccountName": "resizer",
            "nodeSelector": {"disk": "fast"},
            "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": {"nodeAffinity": {}},
            "priorityClassName": "batch",
            "runtimeClassName": "gvisor",
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}},
                {"name": "settings", "configMap": {"name": "settings"}},
                {"name": "keys", "secret": {"secretName": "keys"}},
            ],
            "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
            "imagePullSecrets": ["registry"],
            "securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000},
        },
        "paramsSchema": {"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}},
        "resultSchema": {"type": ["object", "null"]},
        "defaults": {"queueName": "media", "priority": 5, "retry": {"maxAttempts": 3}, "deadlines": {"runSeconds": 60}},
        "isolation": "Pod",
        "version": "1.4",
    },
}

FULL_QUEUE: Obj = queue(
    "media",
    maxConcurrency=10,
    maxConcurrencyPerKey=2,
    rateLimit={"tasks": 100, "periodSeconds": 60},
    stopPolicy="Hold",
    stopReason="the disk is being replaced",
    backlog={"maxTasks": 1000, "maxBytes": 1048576, "maxAgeSeconds": 3600},
    inlineContainers="Deny",
    fairness={"byLabel": "example.com/tenant"},
    historyLimit=100,
    kueueQueueName="team-a",
)
"""Every field of a queue."""


@dataclass(frozen=True)
class Bad:
    """A manifest that the API server must refuse."""

    sentence: str
    manifest: Obj
    says: tuple[str, ...]
    """Parts of the refusal: the field's name among them."""


def _with(manifest: Obj, **spec: Any) -> Obj:
    return {**manifest, "spec": {**manifest["spec"], **spec}}


def _named(manifest: Obj, name: str) -> Obj:
    return {**manifest, "metadata": {"name": name}}


def _in_container(**fields: Any) -> Obj:
    return task("bad", container_fields=fields)


def _retry(**fields: Any) -> Obj:
    return task("bad", retry=fields)


def _rule(**fields: Any) -> Obj:
    return _retry(rules=[fields])


def _pod(**fields: Any) -> Obj:
    return definition("bad", pod=fields)


def _resources(**fields: Any) -> Obj:
    return task("bad", container_fields={"resources": fields})


def _waiting(**fields: Any) -> Obj:
    """A definition whose pods start before there are params."""
    return definition("bad", container_fields=fields, isolation="Warm")


def _of_definition(**fields: Any) -> Obj:
    return definition("bad", container_fields=fields)


def _folder(name: str) -> Obj:
    return {"name": name, "emptyDir": {}}


def _mount(name: str, path: str) -> Obj:
    return {"name": name, "mountPath": path}


A = {"name": "A", "value": "b"}
OURS = {"name": "CELERIAC_TASK", "value": "other"}
REF = {"bucket": "celeriac-payloads", "key": "default.params.0", "size": 40000, "digest": "sha256:0"}
_NEITHER = {**task("bad"), "spec": {"queueName": "default"}}
_IN_42 = {"operator": "In", "values": [42]}

BAD = (
    Bad("a task with both a definition and a container", task("bad", definitionName="x"), ("definitionName", "one of")),
    Bad("a task with params and a reference to others", task("bad", params={}, paramsRef=REF), ("params", "paramsRef")),
    Bad("a task with neither a definition nor a container", _NEITHER, ("definitionName", "container")),
    Bad("a task without a spec", {k: v for k, v in task("bad").items() if k != "spec"}, ("spec",)),
    Bad("a task with a name of 64 characters", _named(task("x"), "a" * 64), ("metadata.name", "63")),
    Bad("a task with a dot in its name", _named(task("x"), "a.b"), ("metadata.name", "DNS label")),
    Bad("a definition with a dot in its name", _named(definition("x"), "a.b"), ("metadata.name", "DNS label")),
    Bad("a task that names a definition with capitals", task_of("Resize", "bad"), ("spec.definitionName",)),
    Bad("a container without an image", _with(task("bad"), container={"command": ["x"]}), ("container.image",)),
    Bad("an empty image", _in_container(image=""), ("container.image",)),
    Bad(
        "a quantity that is none",
        _in_container(resources={"requests": {"memory": "lots"}}),
        ("container.resources.requests.memory",),
    ),
    Bad("an image with a space", _in_container(image="busybox 1.36"), ("container.image", "no spaces")),
    Bad("an image with the end of its line", _in_container(image="busybox:1.36\n"), ("container.image", "line breaks")),
    Bad("an image of a definition with a space", _of_definition(image=" busybox"), ("container.image", "no spaces")),
    Bad("a relative working directory", _in_container(workingDir="work"), ("container.workingDir", "absolute path")),
    Bad("one of a definition", _of_definition(workingDir="./work"), ("container.workingDir", "absolute path")),
    Bad("a variable twice", _in_container(env=[A, {"name": "B"}, A]), ("container.env", "each name", "once")),
    Bad("a definition's variable twice", _of_definition(env=[A, {"name": "B"}, A]), ("container.env", "each name")),
    Bad("a variable of ours", _in_container(env=[A, OURS]), ("env[1].name", "CELERIAC_", "another name")),
    Bad("a definition's variable of ours", _of_definition(env=[OURS]), ("env[0].name", "CELERIAC_")),
    Bad("an unknown pull policy", _in_container(imagePullPolicy="Sometimes"), ("imagePullPolicy", "IfNotPresent")),
    Bad("a secret in a task's env", _in_container(env=[{"name": "A", "valueFrom": {}}]), ("valueFrom",)),
    Bad("an env variable without a name", _in_container(env=[{"value": "b"}]), ("env[0].name",)),
    Bad("an env variable with = in its name", _in_container(env=[{"name": "a=b", "value": "c"}]), ("env[0].name",)),
    Bad("a privileged container", _in_container(securityContext={"privileged": True}), ("securityContext",)),
    Bad("a host path in a task", task("bad", volumes=[]), ("volumes",)),
    Bad("a service account in a task", task("bad", serviceAccountName="admin"), ("serviceAccountName",)),
    Bad("params of less than nothing", task("bad", paramsRef={**REF, "size": -1}), ("paramsRef.size", "0 or more")),
    Bad("params that are a list", task("bad", params=[1]), ("spec.params", "object")),
    Bad("params that are a string", task("bad", params="x"), ("spec.params", "object")),
    Bad("a priority beyond 1000", task("bad", priority=1001), ("spec.priority", "1000")),
    Bad("a startTime that is no time", task("bad", startTime="tomorrow"), ("spec.startTime",)),
    Bad("runSeconds of 0", task("bad", deadlines={"runSeconds": 0}), ("deadlines.runSeconds",)),
    Bad("graceSeconds of two hours", task("bad", deadlines={"graceSeconds": 7200}), ("deadlines.graceSeconds",)),
    Bad("a deadline that does not exist", task("bad", deadlines={"runSecond": 5}), ("runSecond",)),
    Bad("no attempts at all", _retry(maxAttempts=0), ("retry.maxAttempts",)),
    Bad("an unknown jitter", _retry(backoff={"jitter": "Half"}), ("backoff.jitter", "Full")),
    Bad("a backoff that shrinks", _retry(backoff={"multiplierPercent": 50}), ("multiplierPercent",)),
    Bad(
        "a first pause above the longest",
        _retry(backoff={"initialSeconds": 60, "maxSeconds": 59}),
        ("retry.backoff.initialSeconds", "at most maxSeconds"),
    ),
    Bad(
        "one of a definition's defaults",
        definition("bad", defaults={"retry": {"backoff": {"initialSeconds": 2, "maxSeconds": 1}}}),
        ("defaults.retry.backoff.initialSeconds", "at most maxSeconds"),
    ),
    Bad(
        "a retry rule on both exit codes and failures",
        _rule(onExitCodes=_IN_42, onFailures=["OOMKilled"], action="Retry"),
        ("retry.rules[0]", "onExitCodes", "onFailures"),
    ),
    Bad("a retry rule on nothing", _rule(action="Retry"), ("retry.rules[0]", "onExitCodes")),
    Bad("a retry rule without an action", _rule(onExitCodes=_IN_42), ("retry.rules[0].action",)),
    Bad("an unknown retry action", _rule(onExitCodes=_IN_42, action="Ignore"), ("rules[0].action", "Retry")),
    Bad("an unknown failure", _rule(onFailures=["Bored"], action="Retry"), ("rules[0].onFailures[0]", "OOMKilled")),
    Bad(
        "a rule on exit code 0",
        _rule(onExitCodes={"operator": "In", "values": [0]}, action="Retry"),
        ("onExitCodes.values[0]",),
    ),
    Bad(
        "a rule on exit codes with an unknown operator",
        _rule(onExitCodes={"operator": "Like", "values": [1]}, action="Retry"),
        ("onExitCodes.operator",),
    ),
    Bad("a queue name with capitals", task("bad", queueName="Default"), ("spec.queueName",)),
    Bad("a concurrency key of 254 characters", task("bad", concurrencyKey="k" * 254), ("spec.concurrencyKey",)),
    Bad("suspend as a string", task("bad", suspend="yes"), ("spec.suspend",)),
    Bad("a negative TTL", task("bad", ttlSecondsAfterFinished=-1), ("ttlSecondsAfterFinished",)),
    Bad("a definition without a container", _with(definition("bad"), container=None), ("spec.container",)),
    Bad(
        "params in the command of a definition whose pods wait",
        _waiting(command=["sh", "-c", "echo $(params.x)"]),
        ("container.command", "isolation Warm"),
    ),
    Bad("params in its args", _waiting(args=["$(params.x)"]), ("container.args", "isolation Warm")),
    Bad("params in its env", _waiting(env=[{"name": "A", "value": "$(params.x)"}]), ("container.env", "Warm")),
    Bad(
        "a volume with two sources",
        _pod(volumes=[{"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}]),
        ("pod.volumes[0]", "one of"),
    ),
    Bad("a volume with no source", _pod(volumes=[{"name": "v"}]), ("pod.volumes[0]", "one of")),
    Bad("a volume of the host", _pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), ("hostPath",)),
    Bad(
        "a volume with the operator's own name",
        _pod(volumes=[{"name": "celeriac-tmp", "emptyDir": {}}]),
        ("pod.volumes[0]", "celeriac-tmp"),
    ),
    Bad(
        "a relative mount path", _pod(volumeMounts=[{"name": "v", "mountPath": "data"}]), ("volumeMounts[0].mountPath",)
    ),
    Bad("a mount of no volume", _pod(volumeMounts=[_mount("v", "/v")]), ("spec.pod.volumeMounts", "among volumes")),
    Bad(
        "a mount of another volume",
        _pod(volumes=[_folder("v")], volumeMounts=[_mount("v", "/v"), _mount("w", "/w")]),
        ("spec.pod.volumeMounts", "among volumes"),
    ),
    Bad("a volume twice", _pod(volumes=[_folder("v"), _folder("v")]), ("spec.pod.volumes", "each name", "once")),
    Bad(
        "two volumes at one path",
        _pod(volumes=[_folder("v"), _folder("w")], volumeMounts=[_mount("v", "/v"), _mount("w", "/v")]),
        ("spec.pod.volumeMounts", "each mountPath", "once"),
    ),
    Bad("a node by a key that no label has", _pod(nodeSelector={"a b": "c"}), ("pod.nodeSelector", "each key")),
    Bad("a node by a value that no label has", _pod(nodeSelector={"a": "b c"}), ("pod.nodeSelector", "each value")),
    Bad("a node by too long a value", _pod(nodeSelector={"a": "b" * 64}), ("pod.nodeSelector", "63")),
    *(
        Bad(
            f"a name that no object has as {field}",
            _pod(**{field: "High_Priority"}),
            (f"pod.{field}", "the name of an object"),
        )
        for field in ("priorityClassName", "serviceAccountName", "runtimeClassName")
    ),
    Bad("a pod on the host's network", _pod(hostNetwork=True), ("hostNetwork",)),
    Bad("a process that is root", _pod(securityContext={"runAsUser": 0}), ("securityContext.runAsUser",)),
    Bad("a privileged pod", _pod(securityContext={"privileged": True}), ("privileged",)),
    Bad(
        "a variable with both a value and a source",
        definition(
            "bad",
            container_fields={
                "env": [{"name": "A", "value": "b", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
            },
        ),
        ("container.env[0]", "valueFrom"),
    ),
    Bad(
        "a source that is neither secret nor config map",
        definition("bad", container_fields={"env": [{"name": "A", "valueFrom": {}}]}),
        ("env[0].valueFrom", "secretKeyRef"),
    ),
    Bad(
        "more pods that wait at the least than at the most",
        definition("bad", isolation="Warm", warm={"minReady": 3, "maxReady": 2}),
        ("spec.warm.minReady", "at most maxReady"),
    ),
    Bad(
        "more workers at the least than at the most",
        definition("bad", isolation="Worker", worker={"minPods": 3, "maxPods": 2}),
        ("spec.worker.minPods", "at most maxPods"),
    ),
    Bad("less memory than none", _resources(limits={"memory": "-1Mi"}), ("resources.limits",)),
    Bad("a misspelt resource", _resources(limits={"memroy": "1Gi"}), ("resources.limits", "nvidia.com/gpu")),
    Bad("a resource with spaces", _resources(requests={"example.com/g p u": 1}), ("resources.requests",)),
    Bad("fewer cores than none, as a number", _resources(requests={"cpu": -1}), ("resources.requests",)),
    Bad(
        "a request above its limit",
        _resources(requests={"memory": "1Gi", "cpu": 1}, limits={"memory": "512Mi", "cpu": "1"}),
        ("container.resources.requests", "at most its limit"),
    ),
    Bad(
        "an empty folder of less than nothing",
        _pod(volumes=[{"name": "v", "emptyDir": {"sizeLimit": "-1"}}]),
        ("emptyDir.sizeLimit",),
    ),
    Bad("an unknown isolation", definition("bad", isolation="VM"), ("spec.isolation", "Pod")),
    Bad("a queue without any slot", queue("bad", maxConcurrency=0), ("spec.maxConcurrency",)),
    Bad("a queue without a slot for a key", queue("bad", maxConcurrencyPerKey=0), ("spec.maxConcurrencyPerKey",)),
    Bad("a rate limit without a period", queue("bad", rateLimit={"tasks": 5}), ("rateLimit.periodSeconds",)),
    Bad(
        "a rate limit of no tasks",
        queue("bad", rateLimit={"tasks": 0, "periodSeconds": 1}),
        ("spec.rateLimit.tasks",),
    ),
    Bad("an unknown stop policy", queue("bad", stopPolicy="Pause"), ("spec.stopPolicy", "HoldAndDrain")),
    Bad("a reason for a stop that is none", queue("bad", stopReason="why"), ("spec.stopReason", "stopPolicy")),
    Bad("an unknown rule for containers", queue("bad", inlineContainers="Never"), ("spec.inlineContainers", "Deny")),
    Bad("fairness by a label that cannot be", queue("bad", fairness={"byLabel": "a b"}), ("fairness.byLabel",)),
    Bad(
        "a name that no LocalQueue has", queue("bad", kueueQueueName="Team A"), ("kueueQueueName", "name of an object")
    ),
    Bad("a LocalQueue that no Job's label can name", queue("bad", kueueQueueName="q" * 64), ("kueueQueueName", "63")),
    Bad("a negative history", queue("bad", historyLimit=-1), ("spec.historyLimit",)),
    Bad("a queue with a dot in its name", queue("a.b"), ("metadata.name", "DNS label")),
    Bad("a field that queues do not have", queue("bad", maxconcurrency=1), ("maxconcurrency",)),
    Bad("a params schema that is a list", definition("bad", paramsSchema=[]), ("spec.paramsSchema",)),
)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.sentence)
def test_is_refused_with_the_name_of_the_field(kube: Kube, bad: Bad) -> None:
    with pytest.raises(Refused) as refused:
        kube.create(bad.manifest, "default", dry_run=True)

    assert refused.value.status in (400, 422)
    assert [part for part in bad.says if part not in refused.value.message] == [], refused.value.message


@pytest.mark.parametrize(
    "manifest",
    [
        FULL_TASK,
        FULL_DEFINITION,
        FULL_QUEUE,
        queue("without-limits"),
        task("smallest"),
        task_of("resize", "from-a-definition"),
        _named(task("x"), "a" * 63),
        task("cancelled-from-the-start", cancel={}),
        task("params-of-any-depth", params={"a": {"b": [1, None, {"c": "$(HOME)"}]}}),
        task(
            "requests-at-their-limits",
            container_fields={
                "resources": {
                    "requests": {"cpu": 1, "memory": "+1Gi"},
                    "limits": {"cpu": "1000m", "memory": "1024Mi", "ephemeral-storage": "0", "hugepages-2Mi": "2Mi"}
                    | {"nvidia.com/gpu": 1},
                }
            },
        ),
        task(
            "at-the-edge-of-what-may-be",
            container_fields={
                "image": "registry.example:5000/a/b@sha256:0",
                "workingDir": "",
                "env": [{"name": f"{'V' * 250}{number:03}", "value": ""} for number in range(127)]
                + [{"name": "CELERIAC_FUNCTION", "value": "media:resize"}],
            },
            retry={"backoff": {"initialSeconds": 5, "maxSeconds": 5}},
        ),
        definition(
            "pods-at-the-edge",
            pod={
                "nodeSelector": {"example.com/" + "k" * 63: "v" * 63, "plain_Key.1": "", "a-b.c/d": "E_f.g"},
                "priorityClassName": "system-node-critical",
                "serviceAccountName": "a.b-c.d0",
                "volumes": [_folder(f"{'v' * 60}-{number:02}") for number in range(32)],
                "volumeMounts": [_mount("celeriac-tmp", "/var/tmp")]
                + [_mount(f"{'v' * 60}-{number:02}", f"/{'p' * 1000}/{number}") for number in range(31)],
            },
        ),
        queue("at-the-edge-of-a-label", kueueQueueName="q" * 63),
        definition("pods-that-wait", warm={"minReady": 2, "maxReady": 2}, worker={"minPods": 0}),
        task("fractional-cpu", container_fields={"resources": {"requests": {"cpu": 1, "memory": "1.5Gi"}}}),
    ],
    ids=lambda manifest: manifest["metadata"]["name"][:40],
)
def test_is_stored_just_as_it_was_written(kube: Kube, manifest: Obj) -> None:
    stored = kube.create(manifest, "default", dry_run=True)

    assert stored["spec"] == manifest["spec"]


IMMUTABLE: tuple[tuple[str, Obj], ...] = (
    ("container", {"container": {"image": "other"}}),
    ("container", {"container": {"args": ["other"]}}),
    ("queueName", {"queueName": "other"}),
    ("paramsRef", {"paramsRef": REF, "params": None}),
    ("concurrencyKey", {"concurrencyKey": "other"}),
    ("startTime", {"startTime": "2127-01-01T00:00:00Z"}),
    ("deadlines", {"deadlines": {"runSeconds": 61}}),
    ("deadlines", {"deadlines": None}),
    ("retry", {"retry": {"maxAttempts": 4}}),
    ("retry", {"retry": None}),
    ("definitionName", {"definitionName": "resize", "container": None}),
)


@pytest.fixture(scope="module")
def full_task(shared_namespace: Namespace) -> Namespace:
    """A namespace in which the full example stands; suspended, so that no operator runs it."""
    shared_namespace.submit(FULL_TASK)
    return shared_namespace


@pytest.mark.parametrize(
    ("field", "change"), IMMUTABLE, ids=[f"{field} as {change}"[:60] for field, change in IMMUTABLE]
)
def test_what_a_task_does_cannot_be_changed_later(full_task: Namespace, field: str, change: Obj) -> None:
    with pytest.raises(Refused, match="immutable") as refused:
        full_task.set("resize-42", **change)

    assert refused.value.status == 422
    assert field in refused.value.message


MUTABLE: tuple[Callable[[Namespace], Obj], ...] = (
    lambda ns: ns.set("resize-42", priority=7),
    lambda ns: ns.set("resize-42", priority=None),
    lambda ns: ns.set("resize-42", ttlSecondsAfterFinished=60),
    lambda ns: ns.set("resize-42", suspend=False),
    lambda ns: ns.set("resize-42", suspend=True),
    lambda ns: ns.set("resize-42", suspend=None),
    lambda ns: ns.set("resize-42", cancel={"reason": "no longer needed"}),
    lambda ns: ns.set("resize-42", cancel={"reason": "really not"}),
)


def test_priority_ttl_suspend_and_cancel_can_be_changed_later(namespace: Namespace) -> None:
    namespace.submit(FULL_TASK)

    changed = [change(namespace) for change in MUTABLE]

    assert changed[-1]["spec"]["cancel"] == {"reason": "really not"}


def test_a_cancel_cannot_be_taken_back(namespace: Namespace) -> None:
    namespace.submit({**task("x"), "spec": {**FULL_TASK["spec"], "cancel": {}}})

    with pytest.raises(Refused, match="cancel stays once it is set"):
        namespace.set("x", cancel=None)


def test_status_cannot_be_written_with_the_spec(kube: Kube) -> None:
    stored = kube.create({**task("x"), "status": {"phase": "Succeeded"}}, "default", dry_run=True)

    assert "status" not in stored


def test_the_spec_cannot_be_written_with_the_status(full_task: Namespace) -> None:
    patch = {"spec": {"priority": 999}, "status": {"message": "written"}}
    stored = full_task.kube.patch(TASKS, full_task.name, "resize-42", patch, subresource="status")

    assert stored["spec"]["priority"] == 0
    assert stored["status"]["message"] == "written"


def test_the_builders_write_valid_manifests(kube: Kube) -> None:
    for manifest in (task("x"), definition("x"), task_of("x", "y"), queue("q"), manifests.quota("q", pods="1")):
        assert kube.create(manifest, "default", dry_run=True)["metadata"]["name"] in ("x", "y", "q")
