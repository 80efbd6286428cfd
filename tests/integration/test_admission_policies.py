"""The chart's admission policies as the API server applies them: who may write what, in a namespace of one operator."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from e2e.support import rights
from e2e.support.kube import DEFINITIONS, JOBS, PODS, TASKS, Kube, Obj, Refused
from e2e.support.manifests import definition, task, task_of
from e2e.support.namespaces import Namespace, fresh_namespace
from e2e.support.predicates import Predicate, gone
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

IMAGES = ("localhost/busybox", "registry.example/media/")
OWN = [f"own-{n}" for n in range(9)]
"""Secrets, and ConfigMaps of these names, that the author may read."""

PEOPLE: dict[str, list[Obj]] = {
    "editor": [
        {"apiGroups": ["celeriac.dev"], "resources": ["tasks", "crontasks"], "verbs": ["*"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]},
        {"apiGroups": ["apps"], "resources": ["controllerrevisions"], "verbs": ["*"]},
    ],
    "author": [
        {"apiGroups": ["celeriac.dev"], "resources": ["taskdefinitions"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["get"], "resourceNames": OWN},
        {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"], "resourceNames": ["own"]},
    ],
    "owner": [
        {"apiGroups": ["celeriac.dev"], "resources": ["taskdefinitions"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]},
    ],
}
"""What each may do by RBAC; the policies say no to some of it. Others may be tried as: the operator."""


def _granting(**fields: Any) -> Obj:
    return definition("granting", **fields)


def _env(*sources: Obj) -> Obj:
    env = [{"name": f"V{n}", "valueFrom": source} for n, source in enumerate(sources)]
    return _granting(container_fields={"env": env})


def _secret(name: str) -> Obj:
    return {"secretKeyRef": {"name": name, "key": "k"}}


def _config(name: str) -> Obj:
    return {"configMapKeyRef": {"name": name, "key": "k"}}


def _volume(**source: Any) -> Obj:
    return _granting(pod={"volumes": [{"name": "v", **source}]})


def _marked(**annotations: str) -> Obj:
    manifest = task("marked", suspend=True)
    named = {f"celeriac.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {**manifest, "metadata": {"name": "marked", "annotations": named}}


def _image(image: str) -> Obj:
    return task("pictured", container_fields={"image": image}, suspend=True)


def _large(size: int) -> Obj:
    args = ["x" * min(32_000, size - start) for start in range(0, size, 32_000)]
    return task("large", container_fields={"args": args}, suspend=True)


def _cron(image: str) -> Obj:
    template = {"spec": {"container": {"image": image}}}
    spec = {"schedule": "@yearly", "suspend": True, "taskTemplate": template}
    return {"apiVersion": "celeriac.dev/v1alpha1", "kind": "CronTask", "metadata": {"name": "yearly"}, "spec": spec}


def _job(owner: Obj | None = None, name: str = "job", **annotations: str) -> Obj:
    container = {"name": "task", "image": "localhost/busybox:1.36", "command": ["true"]}
    labels = {**MANAGED, "celeriac.dev/task": "x"} if owner else {}
    metadata = {"name": name, "labels": labels, "annotations": annotations, "ownerReferences": [owner] if owner else []}
    template = {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {"backoffLimit": 0, "template": template},
    }


def _of_task(uid: str = "0", name: str = "x") -> Obj:
    return {"apiVersion": "celeriac.dev/v1alpha1", "kind": "Task", "name": name, "uid": uid, "controller": True}


def _pod(**labels: str) -> Obj:
    spec = {"containers": [{"name": "task", "image": "localhost/busybox:1.36"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod", "labels": labels}, "spec": spec}


def _revision(**spec: Any) -> Obj:
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": "resize-3fa1c2d4"},
        "revision": 1,
        "data": {"spec": spec},
    }


MANAGED = {"app.kubernetes.io/managed-by": "celeriac"}
CONTENT: Obj = {"container": {"image": "localhost/busybox:1.36"}}

REFUSED = [
    # who, what it is, the manifest, a part of the answer
    ("author", "a variable from a Secret that its author may not read", _env(_secret("other")), "the Secret other"),
    ("author", "files from a Secret that its author may not read", _volume(secret={"secretName": "other"}), "other"),
    (
        "author",
        "a registry's Secret that its author may not read",
        _granting(pod={"imagePullSecrets": ["other"]}),
        "the Secret other",
    ),
    ("author", "one such Secret after others", _env(*map(_secret, [*OWN[:5], "other"])), "the Secret other"),
    ("author", "a variable from a ConfigMap likewise", _env(_config("other")), "the ConfigMap other"),
    ("author", "files from a ConfigMap likewise", _volume(configMap={"name": "other"}), "the ConfigMap other"),
    (
        "author",
        "a ServiceAccount that its author may not use",
        _granting(pod={"serviceAccountName": "other"}),
        "spec.pod.serviceAccountName",
    ),
    ("author", "more Secrets than can be asked for", _env(*map(_secret, OWN)), "more than 8 Secrets"),
    ("author", "an image from elsewhere in a definition", _granting(container_fields={"image": "x/y"}), "x/y is none"),
    ("editor", "an image from elsewhere in a task", _image("x/y"), "x/y is none"),
    ("editor", "an image from elsewhere in a cron task", _cron("x/y"), "x/y is none"),
    ("editor", "an image of a host that begins like ours", _image("registry.example.evil/media/x"), "is none"),
    ("editor", "an image of our host at another port", _image("registry.example:5000/media/x"), "is none"),
    ("editor", "an image whose name begins like ours", _image("localhost/busybox-evil:1"), "is none"),
    ("editor", "an image below one of ours", _image("localhost/busybox/evil"), "is none"),
    ("editor", "an image with ours as its tag", _image("evil:localhost/busybox"), "is none"),
    ("editor", "params that are far too large", task("x", params={"x": "x" * 140_000}), "spec.params: is too large"),
    ("editor", "a container that is too large", _large(50_000), "spec.container: is too large"),
    ("editor", "a container as large as the API server takes", _large(1_300_000), "spec.container"),
    ("editor", "a task that says it came by message", _marked(submission="sha256:0"), "celeriac.dev/submission"),
    ("editor", "a task that says when it came", _marked(submit_time="2020-01-01T00:00:00Z"), "submit-time"),
    ("editor", "a task of a former definition", _marked(definition_digest="sha256:0"), "definition-digest"),
    ("editor", "a Job that a Task seems to control", _job(_of_task()), "operator's to write"),
    (
        "editor",
        "a Job that seems to be of a pod which waits for tasks",
        _job({**_of_task(), "kind": "TaskDefinition"}),
        "operator's to write",
    ),
    ("editor", "a TaskDefinition's content in a ControllerRevision", _revision(**CONTENT), "operator's to write"),
    ("editor", "a pod that looks like a task's", _pod(**MANAGED), "only the Job controller"),
]

ALLOWED = [
    ("author", "a variable and files from Secrets and ConfigMaps of theirs", _env(_secret("own-0"), _config("own-1"))),
    ("author", "128 variables from one Secret", _env(*[_secret("own-3")] * 128)),
    ("author", "as many Secrets as can be asked for", _env(*map(_secret, OWN[:8]), *map(_config, OWN[:8]))),
    ("author", "the ServiceAccount that they may make tokens for", _granting(pod={"serviceAccountName": "own"})),
    ("author", "a definition that grants nothing", _granting()),
    ("owner", "more Secrets, where they may read all", _env(*(_secret(f"s{n}") for n in range(100)))),
    ("owner", "any ServiceAccount, where they may impersonate all", _granting(pod={"serviceAccountName": "other"})),
    ("editor", "an image below a folder that is allowed", _image("registry.example/media/deep/er@sha256:0")),
    ("editor", "an image that is allowed, with a tag", _image("localhost/busybox:1.36")),
    ("editor", "the same with tag and digest", _image("localhost/busybox:1.36@sha256:0")),
    ("editor", "a container with a long script", _large(40_000)),
    ("editor", "a cron task of such an image", _cron("localhost/busybox")),
    ("editor", "a task of a definition, which has the image", task_of("resize", "named")),
    ("editor", "annotations that the operator does not believe", _marked(request_digest="sha256:0", note="x")),
    ("editor", "a Job of nobody", _job()),
    ("editor", "a Job of something else", _job({**_of_task(), "apiVersion": "example.com/v1"})),
    ("editor", "a pod of their own", _pod(app="mine")),
    ("editor", "a ControllerRevision of another kind of content", _revision(template={"spec": {}})),
    ("operator", "a task that came by message", _marked(submission="sha256:0", submit_time="2020-01-01T00:00:00Z")),
    ("operator", "the Job of a task", _job(_of_task())),
    ("operator", "the content of a TaskDefinition", _revision(**CONTENT)),
]


@pytest.fixture(scope="module")
def guarded(kube: Kube) -> Iterator[Namespace]:
    """A namespace with the chart's rights and policies, and with people in it."""
    with fresh_namespace(kube, prefix="e2e-api") as fresh:
        images = (f"admissionPolicies.images[{n}]={image}" for n, image in enumerate(IMAGES))
        with rights.installed(kube, fresh.name, *images):
            for who, rules in PEOPLE.items():
                fresh.apply(*_role(who, rules))
            for who, sentence, manifest, _ in REFUSED:
                _until_refused(fresh, who, sentence, manifest)
            yield fresh


def _role(who: str, rules: list[Obj]) -> tuple[Obj, Obj]:
    group = "rbac.authorization.k8s.io"
    meta = {"name": who}
    role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": rules}
    subject = {"apiGroup": group, "kind": "User", "name": who}
    reference = {"apiGroup": group, "kind": "Role", "name": who}
    binding = {"kind": "RoleBinding", "metadata": meta, "subjects": [subject], "roleRef": reference}
    return role, {"apiVersion": f"{group}/v1", **binding}


def _as(namespace: Namespace, who: str) -> Kube:
    operator = f"system:serviceaccount:{namespace.name}:{rights.OPERATOR}"
    return namespace.kube.acting_as(operator if who == "operator" else who)


@retry(retry=retry_if_exception_type(LookupError), stop=stop_after_delay(60), wait=wait_fixed(0.2), reraise=True)
def _until_refused(namespace: Namespace, who: str, sentence: str, manifest: Obj) -> None:
    """Policies and roles apply some time after they were written."""
    try:
        _as(namespace, who).create(manifest, namespace.name, dry_run=True)
    except Refused as error:
        if "ValidatingAdmissionPolicy" in error.message:
            return
    raise LookupError(f"no policy refuses {sentence}")


@pytest.mark.parametrize(
    ("who", "manifest", "part"), [(w, m, p) for w, _, m, p in REFUSED], ids=[r[1] for r in REFUSED]
)
def test_is_refused(guarded: Namespace, who: str, manifest: Obj, part: str) -> None:
    with pytest.raises(Refused) as refused:
        _as(guarded, who).create(manifest, guarded.name, dry_run=True)

    assert refused.value.status in (403, 422)
    assert "ValidatingAdmissionPolicy" in refused.value.message
    assert part in refused.value.message


@pytest.mark.parametrize(("who", "manifest"), [(w, m) for w, _, m in ALLOWED], ids=[a[1] for a in ALLOWED])
def test_is_let_in(guarded: Namespace, who: str, manifest: Obj) -> None:
    _as(guarded, who).create(manifest, guarded.name, dry_run=True)


def test_a_definition_with_an_administrators_secret_cannot_be_given_another_image_by_somebody_else(
    guarded: Namespace,
) -> None:
    theirs = {**_env(_secret("other")), "metadata": {"name": "of-the-administrator"}}
    guarded.kube.create(theirs, guarded.name)
    author = _as(guarded, "author")

    with pytest.raises(Refused, match="may not read the Secret other"):
        author.patch(DEFINITIONS, guarded.name, "of-the-administrator", {"spec": {"container": {"command": ["env"]}}})
    labelled = author.patch(DEFINITIONS, guarded.name, "of-the-administrator", {"metadata": {"labels": {"a": "b"}}})

    assert labelled["metadata"]["labels"] == {"a": "b"}


def test_marks_of_the_operator_stay_as_they_are_while_a_task_is_cancelled(guarded: Namespace) -> None:
    _as(guarded, "operator").create(_marked(submission="sha256:0"), guarded.name)
    editor = _as(guarded, "editor")

    for value in (None, "sha256:1"):
        with pytest.raises(Refused, match=r"celeriac\.dev/submission"):
            change = {"metadata": {"annotations": {"celeriac.dev/submission": value}}}
            editor.patch(TASKS, guarded.name, "marked", change)

    assert editor.patch(TASKS, guarded.name, "marked", {"spec": {"cancel": {}}})["spec"]["cancel"] == {}


@pytest.fixture
def with_job(guarded: Namespace) -> Iterator[tuple[Namespace, Obj]]:
    """A Task that nobody runs, and a Job that it controls, with a pod by the Job controller.

    Each has a name of its own: for minutes the controller makes no pod of a Job whose namesake has just lost one.
    """
    operator, token = _as(guarded, "operator"), secrets.token_hex(3)
    owner, name = f"owner-{token}", f"owned-{token}"
    uid = operator.create(task(owner, suspend=True), guarded.name)["metadata"]["uid"]
    job = operator.create(_job(_of_task(uid, owner), name, **{"celeriac.dev/accepted": "{}"}), guarded.name)
    started = Predicate("with a pod", lambda seen: ((seen or {}).get("status") or {}).get("active") == 1)
    guarded.kube.wait(JOBS, guarded.name, name, started)
    yield guarded, job
    guarded.kube.delete(TASKS, guarded.name, owner)
    guarded.kube.delete(JOBS, guarded.name, name)
    guarded.kube.wait(JOBS, guarded.name, name, gone())


def _name(obj: Obj) -> str:
    return str(obj["metadata"]["name"])


def test_a_job_of_a_task_is_not_edited_into_another(with_job: tuple[Namespace, Obj]) -> None:
    namespace, job = with_job
    editor = _as(namespace, "editor")
    other = {**job["metadata"]["ownerReferences"][0], "name": "y", "uid": "1"}

    for change in ({"annotations": {"celeriac.dev/accepted": "[]"}}, {"ownerReferences": [other]}):
        with pytest.raises(Refused, match="operator's to write"):
            editor.patch(JOBS, namespace.name, _name(job), {"metadata": change})
    editor.patch(JOBS, namespace.name, _name(job), {"metadata": {"labels": {"a": "b"}}})
    editor.patch(JOBS, namespace.name, _name(job), {"spec": {"suspend": True}})


def test_a_pod_of_a_task_is_not_relabelled_into_another(with_job: tuple[Namespace, Obj]) -> None:
    namespace, job = with_job
    of_this_job = f"batch.kubernetes.io/controller-uid={job['metadata']['uid']}"  # one of another may still end
    (pod,) = namespace.kube.list(PODS, namespace.name, labels=of_this_job)
    editor = _as(namespace, "editor")

    for value in ("y", None):
        with pytest.raises(Refused, match="only the Job controller"):
            change = {"metadata": {"labels": {"celeriac.dev/task": value}}}
            editor.patch(PODS, namespace.name, pod["metadata"]["name"], change)
    own = {"labels": {"a": "b"}, "annotations": {"a": "b"}}
    editor.patch(PODS, namespace.name, pod["metadata"]["name"], {"metadata": own})


def test_the_garbage_collector_may_let_go_of_what_it_does_not_delete(with_job: tuple[Namespace, Obj]) -> None:
    namespace, job = with_job
    owner = job["metadata"]["ownerReferences"][0]["name"]
    namespace.kube.delete(TASKS, namespace.name, owner, propagation="Orphan")

    free = Predicate("controlled by nobody", lambda seen: not (seen or {})["metadata"].get("ownerReferences"))
    namespace.kube.wait(JOBS, namespace.name, _name(job), free)


def test_a_job_can_be_deleted_in_the_foreground(with_job: tuple[Namespace, Obj]) -> None:
    namespace, job = with_job
    _as(namespace, "editor").delete(JOBS, namespace.name, _name(job), propagation="Foreground", grace_seconds=0)

    namespace.kube.wait(JOBS, namespace.name, _name(job), gone())
