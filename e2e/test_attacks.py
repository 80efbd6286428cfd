"""Attacks that were found on other operators, class by class, tried on this one: each is refused or comes to nothing.

The attacker has the cluster's own role `edit` in a namespace, and the author writes its TaskDefinitions. Messages are
attacked in test_messages.py, test_nats.py and tests/nats/test_chart_permissions.py.
"""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from e2e.support.kube import DEFINITIONS, EVENTS, JOBS, PODS, TASKS, Kube, Obj, Refused
from e2e.support.manifests import definition, task, task_of
from e2e.support.namespaces import RESTRICTED, Namespace, fresh_namespace
from e2e.support.predicates import Predicate, gone, phase, reason, status
from e2e.support.release import Release

from celeriac_operator.core.names import job_name

pytestmark = pytest.mark.usefixtures("unharmed")

MARK = f"mark-{secrets.token_hex(8)}"
"""Looked for where params must not be."""


@dataclass(frozen=True)
class Scene:
    """A namespace under attack, and who attacks."""

    namespace: Namespace
    victim: Namespace
    """Another tenant's."""
    release: Release

    @property
    def attacker(self) -> Kube:
        """May do in the namespace what the cluster's role `edit` may."""
        return self.namespace.kube.acting_as("attacker")

    @property
    def author(self) -> Kube:
        """May write TaskDefinitions there, too, and read no Secret."""
        return self.namespace.kube.acting_as("author")

    def submit(self, manifest: Obj, validation: str = "Strict") -> Obj:
        """Submit a Task as the attacker."""
        return self.attacker.create(manifest, self.namespace.name, validation=validation)

    def ends(self, manifest: Obj) -> Obj:
        """Submit it, and wait for its end; its status."""
        self.submit(manifest)
        return status(self.namespace.wait(manifest["metadata"]["name"]))

    def refused(self, manifest: Obj, *, by: str = "attacker") -> str:
        """What the API server says to it."""
        with pytest.raises(Refused) as refused:
            self.namespace.kube.acting_as(by).create(manifest, self.namespace.name)
        return refused.value.message


@pytest.fixture(scope="module")
def scene(kube: Kube, release: Release) -> Iterator[Scene]:
    """Two tenants' namespaces, one with an attacker in it."""
    with fresh_namespace(kube, labels=RESTRICTED) as attacked, fresh_namespace(kube, labels=RESTRICTED) as victim:
        attacked.apply(_binding("attacker", "edit"), _binding("author", "celeriac-admin"))
        yield Scene(attacked, victim, release)


@pytest.fixture
def unharmed(scene: Scene) -> Iterator[None]:
    """The operator goes on as it was: the same processes, no exception, and the next Task runs."""
    before = _operators(scene.release)
    bugs = scene.release.metrics().total("celeriac_reconcile_errors_total", kind="bug")
    yield
    name = f"next-{secrets.token_hex(3)}"
    scene.namespace.submit(task(name))
    assert status(scene.namespace.wait(name))["phase"] == "Succeeded"
    assert _operators(scene.release) == before
    assert scene.release.metrics().total("celeriac_reconcile_errors_total", kind="bug") == bugs


YEAR = 31_536_000
"""The longest that a deadline may be."""
ESCAPES: Obj = {
    "podSpecPatch": '{"hostNetwork": true}',
    "hostNetwork": True,
    "hostPID": True,
    "serviceAccountName": "default",
    "automountServiceAccountToken": True,
    "nodeName": "any",
    "securityContext": {"runAsUser": 0},
    "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
    "initContainers": [{"name": "first", "image": "localhost/busybox:1.36"}],
}
IN_CONTAINER: Obj = {
    "securityContext": {"privileged": True},
    "volumeMounts": [{"name": "host", "mountPath": "/host"}],
    "envFrom": [{"secretRef": {"name": "x"}}],
    "ports": [{"hostPort": 80}],
}


# --- escaping from the pod's template


def test_a_field_of_a_pod_is_refused(scene: Scene) -> None:
    for field, value in ESCAPES.items():
        assert field in scene.refused(task("escape", **{field: value}))
    for field, value in IN_CONTAINER.items():
        assert field in scene.refused(task("escape", container_fields={field: value}))


def test_a_field_of_a_pod_comes_to_nothing_where_nobody_refuses_it(scene: Scene) -> None:
    scene.submit(task("quiet", container_fields=IN_CONTAINER, **ESCAPES), validation="Ignore")
    scene.namespace.wait("quiet")
    (job,) = scene.namespace.jobs_of("quiet")
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert not {"hostNetwork", "hostPID", "nodeName", "initContainers", "serviceAccountName"} & set(pod)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsUser"] == 65532
    assert [set(volume) for volume in pod["volumes"]] == [{"name", "emptyDir"}]
    assert not {"envFrom", "ports"} & set(container)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def test_who_submits_tasks_writes_no_definition(scene: Scene) -> None:
    assert "forbidden" in scene.refused(definition("mine"))


# --- one object that stops the operator


def test_annotations_and_owners_of_any_shape_are_just_carried(scene: Scene) -> None:
    keys = ("scheduled-time", "backfill", "retry-of", "request-digest", "idempotency-key", "accepted")
    annotations = {f"celeriac.dev/{key}": "[" * 2_000 for key in keys}
    labels = {f"celeriac.dev/{key}": "x" for key in ("task", "attempt", "queue", "definition", "cron")}
    owner = {
        "apiVersion": "celeriac.dev/v1alpha1",
        "kind": "CronTask",
        "name": "../../x",
        "uid": "0",
        "controller": True,
    }
    decorated, owned = task("decorated"), task("owned")
    decorated["metadata"] |= {"annotations": annotations, "labels": labels}
    owned["metadata"] |= {"ownerReferences": [owner]}  # of an owner that is not there: the garbage collector takes it
    scene.submit(owned)

    assert scene.ends(decorated)["phase"] == "Succeeded"


def test_times_at_the_end_of_the_calendar_wait(scene: Scene) -> None:
    far = {"startTime": "9999-12-31T23:59:59Z", "deadlines": {"queueSeconds": YEAR, "totalSeconds": YEAR}}
    scene.submit(task("far", **far))
    scene.submit(task("long-ago", startTime="1970-01-01T00:00:00Z", ttlSecondsAfterFinished=YEAR))

    scene.namespace.wait("far", phase("Pending"))
    scene.namespace.wait("long-ago")


def test_params_of_thousands_of_levels_are_refused_or_invalid(scene: Scene) -> None:
    params: Any = {}
    for _ in range(900):
        params = {"a": params}

    assert scene.ends(task("deep", params={"a": params}))["reason"] == "InvalidParams"


def test_a_pattern_that_backtracks_for_ever_is_decided_at_once(scene: Scene) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}}
    scene.author.create(definition("backtracks", paramsSchema=schema), scene.namespace.name)

    ended = scene.ends(task_of("backtracks", "backtracks", params={"x": "a" * 5_000 + "!"}))

    assert ended["reason"] == "InvalidParams"


# --- memory and size


def test_a_task_of_a_megabyte_is_refused(scene: Scene) -> None:
    assert "too large" in scene.refused(task("large", container_fields={"args": ["x" * 32_000] * 40}))
    assert "too large" in scene.refused(task("large", params={"x": "x" * 500_000}))


def test_params_that_are_multiplied_are_invalid(scene: Scene) -> None:
    fields = {"args": ["$(params.x)" * 2_000] * 2}

    assert (
        scene.ends(task("multiplied", container_fields=fields, params={"x": "x" * 30_000}))["reason"] == "InvalidParams"
    )


def test_output_without_end_is_cut_and_its_control_characters_reach_nobody(scene: Scene) -> None:
    script = "head -c 20000000 /dev/zero | tr '\\0' x; printf '\\033[2J\\033]0;title\\007\\n'; exit 1"
    ended = scene.ends(task("floods", script))

    assert ended["phase"] == "Failed"
    assert len(json.dumps(ended)) < 16_384
    assert "\x1b" not in json.dumps(ended, ensure_ascii=False)


# --- children of somebody else


def test_a_job_in_an_attempts_name_is_not_adopted(scene: Scene) -> None:
    made = scene.submit(task("spoofed", suspend=True))
    name = job_name("spoofed", made["metadata"]["uid"], 1)
    scene.attacker.create(_job(name), scene.namespace.name)
    scene.namespace.set("spoofed", suspend=False)

    scene.namespace.wait("spoofed", reason("JobNameTaken"))
    scene.attacker.delete(JOBS, scene.namespace.name, name)
    scene.namespace.kube.wait(JOBS, scene.namespace.name, name, gone())
    assert status(scene.namespace.wait("spoofed"))["phase"] == "Succeeded"


def test_a_job_that_says_it_is_a_tasks_is_refused(scene: Scene) -> None:
    made = scene.submit(task("claimed", suspend=True))
    owner = {"apiVersion": made["apiVersion"], "kind": "Task", "name": "claimed", "uid": made["metadata"]["uid"]}
    manifest = _job(job_name("claimed", made["metadata"]["uid"], 1), ownerReferences=[{**owner, "controller": True}])

    assert "operator's to write" in scene.refused(manifest)


def test_a_pod_that_says_it_is_a_tasks_is_refused(scene: Scene) -> None:
    labels = {"app.kubernetes.io/managed-by": "celeriac", "celeriac.dev/task": "claimed"}
    pod = {**_job("x")["spec"]["template"], "apiVersion": "v1", "kind": "Pod"}

    assert "only the Job controller" in scene.refused({**pod, "metadata": {"name": "claimed", "labels": labels}})


def test_a_task_that_says_it_came_by_message_is_refused(scene: Scene) -> None:
    manifest = task("marked")
    manifest["metadata"]["annotations"] = {"celeriac.dev/submission": "sha256:0"}

    assert "celeriac.dev/submission" in scene.refused(manifest)


def test_a_status_is_not_the_attackers_to_write(scene: Scene) -> None:
    scene.submit(task("forged", suspend=True))

    with pytest.raises(Refused, match="forbidden"):
        scene.attacker.patch(
            TASKS, scene.namespace.name, "forged", {"status": {"phase": "Succeeded"}}, subresource="status"
        )


def test_a_task_that_is_deleted_and_kept_by_a_finalizer_does_not_run_on(scene: Scene) -> None:
    kept = task("kept", "sleep 3600", deadlines={"graceSeconds": 1})
    kept["metadata"]["finalizers"] = ["example.com/mine"]
    scene.submit(kept)
    scene.namespace.wait("kept", phase("Running"))
    job = scene.namespace.job_name("kept")
    scene.attacker.delete(TASKS, scene.namespace.name, "kept")

    scene.namespace.kube.wait(JOBS, scene.namespace.name, job, gone())
    assert scene.namespace.pods_of("kept") == []
    scene.attacker.patch(TASKS, scene.namespace.name, "kept", {"metadata": {"finalizers": None}})
    scene.namespace.kube.wait(TASKS, scene.namespace.name, "kept", gone())


# --- parameters as code


def test_a_reference_to_what_is_no_param_is_invalid(scene: Scene) -> None:
    for number, name in enumerate(("__class__", "x.y", "../x", "x[0]")):
        fields = {"args": [f"$(params.{name})"]}
        assert (
            scene.ends(task(f"refers-{number}", container_fields=fields, params={"x": "y"}))["reason"]
            == "InvalidParams"
        )


# --- the operator as a deputy


def test_another_namespaces_definition_cannot_be_named(scene: Scene) -> None:
    for name in (f"{scene.victim.name}/theirs", f"../{scene.victim.name}/theirs", "theirs.other"):
        assert "spec.definitionName" in scene.refused(task_of(name, "deputy"))
    scene.victim.define(definition("theirs"))
    scene.submit(task_of("theirs", "deputy", deadlines={"queueSeconds": 2}))

    assert status(scene.namespace.wait("deputy"))["phase"] in ("Failed", "Expired")
    assert scene.victim.jobs_of("deputy") == scene.namespace.jobs_of("deputy") == []


def test_another_namespaces_params_cannot_be_named(scene: Scene) -> None:
    digest = f"sha256:{'0' * 64}"
    keys = (f"{scene.victim.name}.params.{'0' * 64}", f"{scene.namespace.name}.params/../{scene.victim.name}", "../x")
    for number, key in enumerate(keys):
        ref = {"bucket": "celeriac-payloads", "key": key, "size": 1, "digest": digest}
        assert scene.ends(task(f"borrows-{number}", paramsRef=ref))["reason"] == "InvalidParams"


def test_a_secret_that_its_author_may_not_read_is_not_granted(scene: Scene) -> None:
    volume = {"name": "v", "secret": {"secretName": "admins"}}

    assert "may not read the Secret admins" in scene.refused(definition("d", pod={"volumes": [volume]}), by="author")


def test_a_service_account_that_its_author_may_not_use_is_not_granted(scene: Scene) -> None:
    wanted = {"serviceAccountName": "admins"}

    assert "spec.pod.serviceAccountName" in scene.refused(definition("d", pod=wanted), by="author")


def test_another_namespace_cannot_be_looked_into(scene: Scene) -> None:
    scene.victim.submit(task("private", suspend=True))

    for kind in (TASKS, DEFINITIONS, JOBS, PODS, EVENTS):
        with pytest.raises(Refused, match="forbidden"):
            scene.attacker.list(kind, scene.victim.name)


# --- credentials and what was said in confidence


def test_a_task_gets_no_credential_by_saying_that_it_is_a_function(scene: Scene) -> None:
    command = ["python", "-m", "celeriac.run"]
    scene.submit(task("pretends", container_fields={"command": command}, deadlines={"queueSeconds": 60}))
    scene.namespace.wait("pretends", Predicate("with a Job", lambda obj: bool(status(obj).get("attemptCount"))))
    (job,) = scene.namespace.jobs_of("pretends")
    (container,) = job["spec"]["template"]["spec"]["containers"]

    assert "envFrom" not in container
    assert not [each for each in container["env"] if "PASSWORD" in each["name"] or "CREDS" in each["name"]]


def test_params_are_in_no_log_and_no_event(scene: Scene) -> None:
    scene.ends(task("confides", "exit 3", params={"password": MARK}))
    scene.ends(task("confides-badly", container_fields={"args": ["$(params.none)"]}, params={"password": MARK}))

    assert MARK not in scene.release.log(5_000)
    assert MARK not in json.dumps(scene.namespace.kube.list(EVENTS, scene.namespace.name))
    assert MARK not in json.dumps([status(scene.namespace.task(name)) for name in ("confides", "confides-badly")])


# --- what the operator could be made to fetch


def test_a_schema_that_refers_elsewhere_is_not_followed(scene: Scene) -> None:
    for number, where in enumerate(("file:///etc/passwd", "http://169.254.169.254/latest/meta-data", "//x/y")):
        name = f"fetches-{number}"
        scene.author.create(definition(name, paramsSchema={"$ref": where}), scene.namespace.name)
        assert scene.ends(task_of(name, name, params={"x": 1}))["reason"] == "InvalidParams"


def _operators(release: Release) -> dict[str, int]:
    """Restarts, by the pod's uid."""
    pods = release.pods()
    return {pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods}


def _binding(who: str, role: str) -> Obj:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": who},
        "subjects": [{"apiGroup": group, "kind": "User", "name": who}],
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
    }


def _job(name: str, **metadata: Any) -> Obj:
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "task", "image": "localhost/busybox:1.36", "command": ["true"], "securityContext": security}
    whole = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    template = {"spec": {"restartPolicy": "Never", "containers": [container], "securityContext": whole}}
    spec = {"template": template, "suspend": True}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, **metadata}, "spec": spec}
