"""The chart as Helm renders it. Only rendering: what a cluster makes of it is for the e2e tests."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from celeriac_operator.settings import Settings

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "celeriac"
KUBE_VERSION = "1.34.0"  # a helm that was built without its release script says v1.20.0 of itself
NAMESPACED = ("--set", "watch.namespaces={media,reports}")
EVERYTHING = (
    "--set=serviceMonitor.enabled=true,networkPolicy.enabled=true,priorityClassName=high,image.tag=dev",
    "--set=podLabels.team=a,podAnnotations.note=b,nodeSelector.disk=ssd,serviceAccount.annotations.x=y",
    "--set=tolerations[0].key=k,imagePullSecrets[0].name=s,extraEnv[0].name=A,extraEnv[0].value=b",
    '--set-json=affinity={"nodeAffinity":{}}',
    '--set-json=topologySpreadConstraints=[{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"ScheduleAnyway"}]',
    '--set-json=networkPolicy.ingressFrom=[{"podSelector":{}}]',
)

Manifest = dict[str, Any]


def find_helm() -> str | None:
    """The helm of the environment variable HELM, of PATH, or of the project's cache of tools."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "celeriac"
    cached = (str(p) for p in sorted(cache.glob("bin/helm-*/helm")) if p.is_file() and os.access(p, os.X_OK))
    return os.environ.get("HELM") or shutil.which("helm") or next(cached, None)


HELM = find_helm()
pytestmark = pytest.mark.skipif(HELM is None, reason="no helm: not in HELM, on PATH or in the project's cache")


def helm(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((str(HELM), *args), capture_output=True, text=True, check=False)  # fixed command, no shell


@functools.cache
def template(*args: str, release: str = "celeriac", namespace: str = "celeriac-system") -> tuple[Manifest, ...]:
    done = helm("template", release, str(CHART), "--namespace", namespace, "--kube-version", KUBE_VERSION, *args)
    assert done.returncode == 0, done.stderr
    return tuple(m for m in yaml.safe_load_all(done.stdout) if m)


def refusal(*args: str) -> str:
    done = helm("template", "celeriac", str(CHART), "--kube-version", KUBE_VERSION, *args)
    assert done.returncode != 0, "these values were let in"
    return done.stderr


def is_test(manifest: Manifest) -> bool:
    return "helm.sh/hook" in manifest["metadata"].get("annotations", {})


def is_nats(manifest: Manifest) -> bool:
    return bool(manifest["metadata"]["labels"]["app.kubernetes.io/component"] == "nats")


def of_kind(kind: str, *args: str, **kwargs: str) -> list[Manifest]:
    """All but the objects of NATS, which test_nats.py is about."""
    return [m for m in template(*args, **kwargs) if m["kind"] == kind and not is_test(m) and not is_nats(m)]


def only(kind: str, *args: str, **kwargs: str) -> Manifest:
    (manifest,) = of_kind(kind, *args, **kwargs)
    return manifest


def named(kind: str, name: str, *args: str) -> Manifest:
    (manifest,) = (m for m in of_kind(kind, *args) if m["metadata"]["name"] == name)
    return manifest


def pod_of_operator(*args: str) -> Manifest:
    pod: Manifest = only("Deployment", *args)["spec"]["template"]["spec"]
    return pod


def pod_of_test(*args: str, **kwargs: str) -> Manifest:
    (pod,) = (m for m in template(*args, **kwargs) if m["kind"] == "Pod")
    return pod


def environment(pod: Manifest) -> dict[str, Any]:
    return {e["name"]: e.get("value", e.get("valueFrom")) for e in pod["containers"][0]["env"]}


def rules(role: Manifest) -> dict[str, str]:
    """group/resource → its verbs, and a failure where one is given twice."""
    table: dict[str, str] = {}
    for rule in role["rules"]:
        assert set(rule) == {"apiGroups", "resources", "verbs"}
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs = table.get(f"{group}:{resource}", "").split() + rule["verbs"]
                table[f"{group}:{resource}"] = " ".join(verbs)
    return table


VALUE_SETS = [
    pytest.param((), id="the defaults"),
    pytest.param(NAMESPACED, id="some namespaces only"),
    pytest.param(EVERYTHING, id="every option in use"),
]


# ---- the chart as a whole


@pytest.mark.parametrize("values", VALUE_SETS)
def test_lint_has_nothing_to_say(values: tuple[str, ...]) -> None:
    done = helm("lint", "--strict", "--kube-version", KUBE_VERSION, str(CHART), *values)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", VALUE_SETS)
def test_every_object_has_the_recommended_labels_and_no_name_is_used_twice(values: tuple[str, ...]) -> None:
    manifests = template(*values)

    for m in manifests:
        labels = m["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "celeriac"
        assert labels["app.kubernetes.io/instance"] == "celeriac"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
    keys = [(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in manifests]
    assert len(set(keys)) == len(keys)


def test_by_default_it_is_exactly_these_objects() -> None:
    found = sorted(f"{m['kind']} {m['metadata']['name']}" for m in template() if not is_test(m))

    assert found == [
        "ClusterRole celeriac",
        "ClusterRole celeriac-admin",
        "ClusterRole celeriac-edit",
        "ClusterRole celeriac-view",
        "ClusterRoleBinding celeriac",
        "ConfigMap celeriac-nats",
        "Deployment celeriac",
        "PodDisruptionBudget celeriac",
        "PodDisruptionBudget celeriac-nats",
        "Role celeriac-leases",
        "RoleBinding celeriac-leases",
        "Secret celeriac-nats-auth",
        "Secret celeriac-nats-client",
        "Service celeriac-metrics",
        "Service celeriac-nats",
        "ServiceAccount celeriac",
        "StatefulSet celeriac-nats",
        "ValidatingAdmissionPolicy celeriac-children",
        "ValidatingAdmissionPolicy celeriac-definition-grants",
        "ValidatingAdmissionPolicy celeriac-pods",
        "ValidatingAdmissionPolicy celeriac-task-marks",
        "ValidatingAdmissionPolicy celeriac-task-params",
        "ValidatingAdmissionPolicyBinding celeriac-children",
        "ValidatingAdmissionPolicyBinding celeriac-definition-grants",
        "ValidatingAdmissionPolicyBinding celeriac-pods",
        "ValidatingAdmissionPolicyBinding celeriac-task-marks",
        "ValidatingAdmissionPolicyBinding celeriac-task-params",
    ]


def test_a_very_long_release_name_still_gives_names_that_kubernetes_takes() -> None:
    manifests = template(*NAMESPACED, release="r" * 53)

    assert max(len(m["metadata"]["name"]) for m in manifests if "namespace" in m["metadata"]) <= 63


def test_the_readme_lists_every_value() -> None:
    def paths(values: dict[str, Any], prefix: str = "") -> list[str]:
        whole = {"defaults", "queueDefaults", "defaultResources", "resources"}
        found = []
        for key, value in values.items():
            nested = isinstance(value, dict) and value and key not in whole
            found += paths(value, f"{prefix}{key}.") if nested else [prefix + key]
        return found

    values = paths(yaml.safe_load((CHART / "values.yaml").read_text()))
    table = (CHART / "README.md").read_text().partition("## Values")[2]
    listed = re.findall(r"`([A-Za-z.]+)`", "\n".join(line.split(" | ")[0] for line in table.splitlines()))

    assert sorted(listed) == sorted(values)


# ---- refused values


@pytest.mark.parametrize(
    ("values", "named_in_message"),
    [
        pytest.param("replcias=1", "replcias", id="a name that does not exist"),
        pytest.param("log.levle=info", "levle", id="a nested name that does not exist"),
        pytest.param("replicas=-1", "/replicas", id="less than no replica"),
        pytest.param("shards=0", "/shards", id="no shard at all"),
        pytest.param("leaderElection.leaseSeconds=1.5", "/leaderElection/leaseSeconds", id="half seconds in a lease"),
        pytest.param("extraEnv[0].name=CELERIAC_SHARDS", "/extraEnv/0/name", id="a variable that a value is for"),
        pytest.param("log.level=loud", "/log/level", id="a log level that does not exist"),
        pytest.param("watch.namespaces={Media}", "/watch/namespaces/0", id="a namespace that cannot exist"),
        pytest.param("watch.namespaces={a,a}", "/watch/namespaces", id="a namespace given twice"),
        pytest.param("defaults.timeout=3", "timeout", id="a default that Tasks do not have"),
        pytest.param("queueDefaults.maxConcurrency=0", "/queueDefaults/maxConcurrency", id="a queue without any slot"),
        pytest.param("queueDefaults.limit=1", "limit", id="a queue default that TaskQueues do not have"),
        pytest.param("defaults.retry.maxAttempts=0", "/defaults/retry/maxAttempts", id="a default out of bounds"),
        pytest.param("concurrency=1000", "/concurrency", id="more parallel reconciles than the operator takes"),
        pytest.param("maxFinishedTasks=many", "/maxFinishedTasks", id="a word for a number"),
        pytest.param("image.pullPolicy=Sometimes", "/image/pullPolicy", id="a pull policy that does not exist"),
        pytest.param("admissionPolicies.images={a b}", "/admissionPolicies/images/0", id="an image with a space"),
        pytest.param("image.digest=latest", "/image/digest", id="a digest that is none"),
        pytest.param("extraEnv[0].name=CELERIAC_DEFAULTS", "/extraEnv/0/name", id="a variable that the chart sets"),
        pytest.param(
            "serviceMonitor.enabled=true,service.enabled=false",
            "serviceMonitor.enabled needs service.enabled",
            id="a ServiceMonitor without a Service to find",
        ),
    ],
)
def test_refused_by_name(values: str, named_in_message: str) -> None:
    message = refusal("--set", values)

    assert named_in_message in message


SAME_SCHEMAS = {"defaults": ("taskdefinitions", "defaults"), "queueDefaults": ("taskqueues", None)}


@pytest.mark.parametrize("value", SAME_SCHEMAS)
def test_the_schema_of_a_value_is_that_of_the_resource(value: str) -> None:
    """What the operator's defaults may be and what a resource may say must not drift apart."""
    plural, field = SAME_SCHEMAS[value]

    def core(node: Any) -> Any:
        dropped = {"description", "additionalProperties", "oneOf", "x-kubernetes-validations"}
        if not isinstance(node, dict):
            return node
        return {k: core(v) for k, v in node.items() if k not in dropped}

    crd = yaml.safe_load((ROOT / "crds" / f"celeriac.dev_{plural}.yaml").read_text())
    (version,) = crd["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"][value]

    assert core(schema) == core(spec["properties"][field] if field else spec)


# ---- the operator's pod


@pytest.mark.parametrize("values", VALUE_SETS)
@pytest.mark.parametrize("whose", ["the operator", "the test"])
def test_the_pod_meets_the_restricted_standard(whose: str, values: tuple[str, ...]) -> None:
    pod = pod_of_operator(*values) if whose == "the operator" else pod_of_test(*values)["spec"]

    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod)
    (volume,) = pod["volumes"]
    assert set(volume) == {"name", "emptyDir"}
    assert "sizeLimit" in volume["emptyDir"]
    assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/tmp"}]
    assert "memory" in container["resources"]["limits"]
    assert pod["enableServiceLinks"] is False, "a Service called celeriac-http would set CELERIAC_HTTP_PORT"


def test_the_token_is_mounted_into_the_operator_only() -> None:
    assert only("ServiceAccount")["automountServiceAccountToken"] is False
    assert pod_of_operator()["automountServiceAccountToken"] is True
    assert pod_of_operator()["serviceAccountName"] == "celeriac"


def test_a_standby_is_ready_before_a_pod_goes() -> None:
    spec = only("Deployment")["spec"]

    assert spec["replicas"] == 2
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def test_the_pods_prefer_different_nodes() -> None:
    deployment = only("Deployment")["spec"]
    (preferred,) = deployment["template"]["spec"]["affinity"]["podAntiAffinity"].pop(
        "preferredDuringSchedulingIgnoredDuringExecution"
    )

    assert preferred["podAffinityTerm"] == {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": deployment["selector"],
    }
    assert deployment["template"]["spec"]["affinity"] == {"podAntiAffinity": {}}, "one node must do, too"


@pytest.mark.parametrize(
    ("values", "image"),
    [
        pytest.param((), "localhost/celeriac-operator:0.1.0", id="by default the appVersion"),
        pytest.param(("--set=image.tag=dev",), "localhost/celeriac-operator:dev", id="the tag that is given"),
        pytest.param(
            ("--set", f"image.repository=r,image.tag=t,image.digest=sha256:{'a' * 64}"),
            f"r:t@sha256:{'a' * 64}",
            id="the digest that is given",
        ),
    ],
)
def test_image(values: tuple[str, ...], image: str) -> None:
    (container,) = pod_of_operator(*values)["containers"]

    assert container["image"] == image
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert not {"command", "args"} & set(container), "the image knows its command"


def test_probes_ask_the_port_named_http() -> None:
    (container,) = pod_of_operator()["containers"]

    assert container["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    startup = container["startupProbe"]
    assert startup["httpGet"] == {"path": "/healthz", "port": "http"}
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 300
    assert pod_of_operator()["terminationGracePeriodSeconds"] == 30


def test_settings_by_default() -> None:
    variables = environment(pod_of_operator("--set=nats.enabled=false"))

    assert json.loads(variables.pop("CELERIAC_DEFAULTS")) == {}
    assert json.loads(variables.pop("CELERIAC_QUEUE_DEFAULTS")) == {}
    assert json.loads(variables.pop("CELERIAC_DEFAULT_RESOURCES")) == {
        "requests": {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "64Mi"},
        "limits": {"memory": "512Mi", "ephemeral-storage": "1Gi"},
    }
    assert variables == {
        "CELERIAC_NAMESPACES": "",
        "CELERIAC_OPERATOR_NAMESPACE": {"fieldRef": {"fieldPath": "metadata.namespace"}},
        "CELERIAC_POD_NAME": {"fieldRef": {"fieldPath": "metadata.name"}},
        "CELERIAC_POD_UID": {"fieldRef": {"fieldPath": "metadata.uid"}},
        "CELERIAC_LEASE_NAME": "celeriac",
        "CELERIAC_LEASE_SECONDS": "12",
        "CELERIAC_RENEW_DEADLINE_SECONDS": "8",
        "CELERIAC_LEASE_RETRY_SECONDS": "2",
        "CELERIAC_SHARDS": "1",
        "CELERIAC_HTTP_PORT": "8080",
        "CELERIAC_LOG_LEVEL": "info",
        "CELERIAC_LOG_FORMAT": "json",
        "CELERIAC_MAX_FINISHED_TASKS": "5000",
        "CELERIAC_CONCURRENCY": "16",
        "CELERIAC_RELIST_SECONDS": "300",
        "CELERIAC_NATS_URL": "",
    }


def test_settings_are_passed_on_as_they_were_given() -> None:
    given = {
        "deadlines": {"runSeconds": 31536000},
        "retry": {"rules": [{"onFailures": ["OOMKilled"], "action": "Fail"}]},
    }
    queue = {"maxConcurrency": 7, "fairness": {"byLabel": "example.com/tenant"}}
    variables = environment(
        pod_of_operator(
            "--set=log.level=debug,log.format=console,maxFinishedTasks=1000000,concurrency=4,relistSeconds=60",
            "--set=watch.namespaces={media,reports},defaultResources.limits.memory=null",
            f"--set-json=defaults={json.dumps(given)}",
            f"--set-json=queueDefaults={json.dumps(queue)}",
            "--set=extraEnv[0].name=TZ,extraEnv[0].value=UTC,shards=3,leaderElection.leaseSeconds=15",
            "--set=leaderElection.renewDeadlineSeconds=9,leaderElection.retrySeconds=3",
        )
    )

    assert json.loads(variables["CELERIAC_DEFAULTS"]) == given
    assert json.loads(variables["CELERIAC_QUEUE_DEFAULTS"]) == queue
    assert json.loads(variables["CELERIAC_DEFAULT_RESOURCES"])["limits"] == {"ephemeral-storage": "1Gi"}
    assert variables["CELERIAC_NAMESPACES"] == "media,reports"
    assert variables["CELERIAC_LOG_LEVEL"] == "debug"
    assert variables["CELERIAC_LOG_FORMAT"] == "console"
    assert variables["CELERIAC_MAX_FINISHED_TASKS"] == "1000000"
    assert variables["CELERIAC_CONCURRENCY"] == "4"
    assert variables["CELERIAC_RELIST_SECONDS"] == "60"
    assert variables["TZ"] == "UTC"
    assert variables["CELERIAC_SHARDS"] == "3"
    assert variables["CELERIAC_LEASE_SECONDS"] == "15"
    assert variables["CELERIAC_RENEW_DEADLINE_SECONDS"] == "9"
    assert variables["CELERIAC_LEASE_RETRY_SECONDS"] == "3"


def test_the_chart_sets_only_what_the_operator_knows() -> None:
    known = {f"CELERIAC_{name.upper()}" for name in Settings.model_fields}

    assert set() == set(environment(pod_of_operator())) - known


def test_scheduling_options_reach_the_pod() -> None:
    deployment = only("Deployment", *EVERYTHING)
    pod = deployment["spec"]["template"]

    assert pod["metadata"]["labels"]["team"] == "a"
    assert pod["metadata"]["annotations"]["note"] == "b"
    assert pod["spec"]["priorityClassName"] == "high"
    assert pod["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert pod["spec"]["tolerations"] == [{"key": "k"}]
    assert pod["spec"]["affinity"] == {"nodeAffinity": {}}
    assert pod["spec"]["imagePullSecrets"] == [{"name": "s"}]
    assert [c["topologyKey"] for c in pod["spec"]["topologySpreadConstraints"]] == ["zone"]


@pytest.mark.parametrize("kind", ["Deployment", "Service", "PodDisruptionBudget", "ServiceMonitor", "NetworkPolicy"])
def test_selects_the_operator_and_not_the_pod_of_the_test(kind: str) -> None:
    spec = only(kind, *EVERYTHING)["spec"]
    selector = spec.get("podSelector") or spec["selector"]
    wanted = selector.get("matchLabels", selector).items()
    target = only("Service", *EVERYTHING) if kind == "ServiceMonitor" else only("Deployment")["spec"]["template"]

    assert wanted <= target["metadata"]["labels"].items()
    assert not wanted <= pod_of_test()["metadata"]["labels"].items()


# ---- rights

OPERATOR_RULES = {
    "celeriac.dev:tasks": "create get list watch patch delete",
    "celeriac.dev:tasks/status": "patch",
    "celeriac.dev:taskdefinitions": "get list watch",
    "celeriac.dev:taskdefinitions/status": "patch",
    "celeriac.dev:taskqueues": "get list watch",
    "celeriac.dev:taskqueues/status": "patch",
    "celeriac.dev:crontasks": "get list watch",
    "celeriac.dev:crontasks/status": "patch",
    "batch:jobs": "create get list delete",
    ":pods": "get list watch delete",
    ":events": "create list",
    "apps:controllerrevisions": "create get list delete",
}
LEASE_RULES = {"coordination.k8s.io:leases": "create list update"}
USER_RULES = {
    "view": {
        "celeriac.dev:tasks": "get list watch",
        "celeriac.dev:taskdefinitions": "get list watch",
        "celeriac.dev:taskqueues": "get list watch",
        "celeriac.dev:crontasks": "get list watch",
    },
    "edit": {
        "celeriac.dev:tasks": "get list watch create update patch delete",
        "celeriac.dev:taskdefinitions": "get list watch",
        "celeriac.dev:taskqueues": "get list watch",
        "celeriac.dev:crontasks": "get list watch create update patch delete",
    },
    "admin": {
        "celeriac.dev:tasks": "get list watch create update patch delete",
        "celeriac.dev:taskdefinitions": "get list watch create update patch delete",
        "celeriac.dev:taskqueues": "get list watch create update patch delete",
        "celeriac.dev:crontasks": "get list watch create update patch delete",
    },
}


def test_the_operator_may_do_exactly_this_in_the_cluster() -> None:
    binding = only("ClusterRoleBinding")

    assert rules(named("ClusterRole", "celeriac")) == OPERATOR_RULES
    assert binding["roleRef"]["name"] == "celeriac"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "celeriac", "namespace": "celeriac-system"}]
    assert [m["metadata"]["name"] for m in of_kind("Role") + of_kind("RoleBinding")] == ["celeriac-leases"] * 2


@pytest.mark.parametrize("values", [(), NAMESPACED], ids=["for the whole cluster", "for some namespaces only"])
def test_the_operator_may_handle_leases_in_the_namespace_of_its_release_only(values: tuple[str, ...]) -> None:
    role, binding = named("Role", "celeriac-leases", *values), named("RoleBinding", "celeriac-leases", *values)

    assert rules(role) == LEASE_RULES
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "celeriac-leases"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "celeriac", "namespace": "celeriac-system"}]
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "celeriac-system"


@pytest.mark.parametrize("namespace", ["media", "reports"])
def test_the_operator_may_do_exactly_this_in_a_watched_namespace(namespace: str) -> None:
    (role,) = (
        m
        for m in of_kind("Role", *NAMESPACED)
        if (m["metadata"]["namespace"], m["metadata"]["name"]) == (namespace, "celeriac")
    )
    (binding,) = (m for m in of_kind("RoleBinding", *NAMESPACED) if m["metadata"]["namespace"] == namespace)

    assert rules(role) == OPERATOR_RULES
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "celeriac"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "celeriac", "namespace": "celeriac-system"}]


def test_with_watched_namespaces_there_is_no_cluster_role_and_nothing_in_other_namespaces() -> None:
    roles = [m for m in template(*NAMESPACED) if m["kind"] in ("Role", "RoleBinding") and not is_test(m)]

    assert not of_kind("ClusterRole", *NAMESPACED) + of_kind("ClusterRoleBinding", *NAMESPACED)
    assert {m["metadata"]["namespace"] for m in roles if not m["metadata"]["name"].endswith("-leases")} == {
        "media",
        "reports",
    }


def test_with_watched_namespaces_and_no_admission_policy_nothing_is_cluster_scoped() -> None:
    manifests = template(*NAMESPACED, "--set=admissionPolicies.enabled=false")

    assert [m["kind"] for m in manifests if "namespace" not in m["metadata"]] == []


@pytest.mark.parametrize("who", list(USER_RULES))
def test_people_get_roles_that_add_up_and_only_admins_write_task_definitions(who: str) -> None:
    role = named("ClusterRole", f"celeriac-{who}")
    aggregated = {k: v for k, v in role["metadata"]["labels"].items() if "aggregate-to" in k}

    assert rules(role) == USER_RULES[who]
    assert aggregated == {f"rbac.authorization.k8s.io/aggregate-to-{who}": "true"}


@pytest.mark.parametrize("who", list(USER_RULES))
def test_with_watched_namespaces_people_get_roles_in_these(who: str) -> None:
    roles = [m for m in of_kind("Role", *NAMESPACED) if m["metadata"]["name"] == f"celeriac-{who}"]

    assert [m["metadata"]["namespace"] for m in roles] == ["media", "reports"]
    assert [rules(m) for m in roles] == [USER_RULES[who]] * 2
    assert "aggregate-to" not in json.dumps(roles)


@pytest.mark.parametrize(
    ("values", "cluster_roles", "aggregated"),
    [
        pytest.param("rbac.aggregate=false", 4, False, id="without aggregation the roles for people stay, to be bound"),
        pytest.param("rbac.userRoles=false", 1, False, id="without roles for people there is the operator's only"),
        pytest.param("rbac.create=false", 0, False, id="without rbac there is no role at all"),
    ],
)
def test_switches_of_rbac(values: str, cluster_roles: int, aggregated: bool) -> None:
    roles = of_kind("ClusterRole", "--set", values)

    assert len(roles) == cluster_roles
    assert ("aggregate-to" in json.dumps(roles)) is aggregated


def test_nobody_gets_secrets_exec_or_wildcards_from_the_chart() -> None:
    for values in ((), NAMESPACED):
        for role in (m for m in template(*values) if m["kind"] in ("Role", "ClusterRole")):
            table = rules(role)
            assert not [r for r in table if "secrets" in r or "exec" in r or "*" in r]
            assert not [v for v in table.values() if "*" in v or "escalate" in v or "bind" in v]


@pytest.mark.parametrize(
    ("values", "account"),
    [
        pytest.param("serviceAccount.name=mine", "mine", id="made with another name"),
        pytest.param("serviceAccount.create=false,serviceAccount.name=theirs", "theirs", id="made by somebody else"),
    ],
)
def test_service_account_by_another_name_is_used_and_bound(values: str, account: str) -> None:
    args = ("--set", values)

    assert pod_of_operator(*args)["serviceAccountName"] == account
    assert [s["name"] for s in only("ClusterRoleBinding", *args)["subjects"]] == [account]
    assert [m["metadata"]["name"] for m in of_kind("ServiceAccount", *args)] == ([account] if account == "mine" else [])


# ---- what can be switched on and off


@pytest.mark.parametrize(
    ("kind", "switch", "default"),
    [
        ("Service", "service.enabled", True),
        ("ServiceMonitor", "serviceMonitor.enabled", False),
        ("PodDisruptionBudget", "podDisruptionBudget.enabled", True),
        ("NetworkPolicy", "networkPolicy.enabled", False),
    ],
    ids=lambda v: {True: "is on by default", False: "is off by default"}.get(v) if isinstance(v, bool) else v,
)
def test_optional_object(kind: str, switch: str, default: bool) -> None:
    assert len(of_kind(kind)) == int(default)
    assert len(of_kind(kind, f"--set={switch}={str(not default).lower()}")) == int(not default)


@pytest.mark.parametrize(
    ("replicas", "budget"),
    [
        pytest.param(2, {"minAvailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"}, id="of two, one stays"),
        pytest.param(1, {"maxUnavailable": 1}, id="a single one may go, or no node could be drained"),
    ],
)
def test_the_disruption_budget_never_blocks_a_drain(replicas: int, budget: dict[str, Any]) -> None:
    spec = dict(only("PodDisruptionBudget", f"--set=replicas={replicas}")["spec"])

    assert {key: value for key, value in spec.items() if key != "selector"} == budget


def test_metrics_are_scraped_from_the_port_named_http() -> None:
    monitor = only("ServiceMonitor", *EVERYTHING)["spec"]
    (port,) = only("Service", *EVERYTHING)["spec"]["ports"]

    assert (port["name"], port["targetPort"]) == ("http", "http")
    assert [(e["port"], e["path"]) for e in monitor["endpoints"]] == [("http", "/metrics")]
    assert monitor["namespaceSelector"] == {"matchNames": ["celeriac-system"]}


def test_the_network_policy_lets_in_the_http_port_only_and_lets_out_everything() -> None:
    spec = only("NetworkPolicy", "--set=networkPolicy.enabled=true")["spec"]

    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]
    assert spec["egress"] == [{}]


def test_the_network_policy_lets_in_only_those_who_are_named() -> None:
    (ingress,) = only("NetworkPolicy", *EVERYTHING)["spec"]["ingress"]

    assert ingress["from"] == [{"podSelector": {}}]


# ---- helm test


@pytest.mark.parametrize(
    ("namespace", "values", "where"),
    [
        pytest.param("celeriac-system", (), "celeriac-system", id="in the release's namespace"),
        pytest.param("reports", NAMESPACED, "reports", id="in the release's namespace when that is watched"),
        pytest.param("celeriac-system", NAMESPACED, "media", id="in the first watched namespace when it is not"),
    ],
)
def test_helm_test_makes_its_task_where_an_operator_sees_it(
    namespace: str, values: tuple[str, ...], where: str
) -> None:
    hooks = [m for m in template(*values, namespace=namespace) if is_test(m)]
    places = {m["kind"]: m["metadata"]["namespace"] for m in hooks}
    pod = pod_of_test(*values, namespace=namespace)["spec"]

    assert environment(pod)["TEST_NAMESPACE"] == where
    assert places == {"ServiceAccount": namespace, "Role": where, "RoleBinding": where, "Pod": namespace}


def test_helm_test_leaves_no_rights_behind_but_the_pod_whose_logs_people_ask_for() -> None:
    hooks = {m["kind"]: m["metadata"]["annotations"] for m in template() if is_test(m)}

    assert {a["helm.sh/hook"] for a in hooks.values()} == {"test"}
    assert {kind: a["helm.sh/hook-delete-policy"] for kind, a in hooks.items()} == {
        "ServiceAccount": "before-hook-creation,hook-succeeded",
        "Role": "before-hook-creation,hook-succeeded",
        "RoleBinding": "before-hook-creation,hook-succeeded",
        "Pod": "before-hook-creation",
    }


def test_helm_test_may_only_handle_tasks() -> None:
    (role,) = (m for m in template() if m["kind"] == "Role" and is_test(m))

    assert rules(role) == {"celeriac.dev:tasks": "create get delete"}


def test_helm_test_runs_a_task_with_the_operators_image_unless_told_otherwise() -> None:
    default, told = pod_of_test(), pod_of_test("--set=test.image=python:3")

    assert environment(default["spec"])["TEST_IMAGE"] == "localhost/celeriac-operator:0.1.0"
    assert environment(told["spec"])["TEST_IMAGE"] == "python:3"
    assert told["spec"]["containers"][0]["image"] == "localhost/celeriac-operator:0.1.0"


def test_the_script_of_helm_test_survives_the_template() -> None:
    (container,) = pod_of_test()["spec"]["containers"]
    (script,) = container["args"]

    assert container["command"] == ["python", "-c"]
    assert ast.dump(ast.parse(script)) == ast.dump(ast.parse((CHART / "files" / "run_a_task.py").read_text()))
    assert "$(" not in script, "Kubernetes would substitute it"
