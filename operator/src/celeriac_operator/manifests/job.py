"""The Job of an attempt, built by construction: never by merging what a user wrote into a pod. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from celeriac.api.rules import FUNCTION_VARIABLE, OUR_VARIABLES
from celeriac.api.v1alpha1 import API_VERSION, Container, Deadlines, DefinitionContainer, PodOptions, Resources
from celeriac.api.v1alpha1.container import DefinitionEnvVar
from celeriac_operator.core import names
from celeriac_operator.core.clocks import after, earliest, origin
from celeriac_operator.core.facts import Accepted, TaskFacts
from celeriac_operator.core.plan import CreateJob
from celeriac_operator.core.substitution import escaped, substituted
from celeriac_operator.manifests.runner import NO_ACCESS, Access, RunnerAccess, runner_access
from celeriac_operator.manifests.security import TMP_SIZE_LIMIT, TMP_VOLUME, Manifest, container_security, pod_security

RESULT_FILE = "/dev/termination-log"
BACKSTOP_SECONDS = 60
"""The kubelet's own deadline comes so much later than the operator's: it is for when no operator is there."""


def build_job(
    task: TaskFacts, create: CreateJob, defaults: Resources, now: datetime, access: RunnerAccess = NO_ACCESS
) -> Manifest:
    """The Job manifest of an attempt.

    Args:
        defaults: requests and limits of containers that give none.
        now: the moment of creation.
        access: how the runner reaches NATS.
    """
    labels = _labels(task, create)
    kueue = {names.KUEUE_QUEUE_LABEL: create.kueue_queue} if create.kueue_queue else {}
    accepted = json.dumps(accepted_to_wire(create.accepted), separators=(",", ":"))
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names.job_name(task.key.name, task.uid, create.attempt),
            "namespace": task.key.namespace,
            "labels": {**labels, **kueue},
            "annotations": {names.ACCEPTED_ANNOTATION: accepted},
            "ownerReferences": [_owner(task)],
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            **({"suspend": True} if kueue else {}),
            "template": {"metadata": {"labels": labels}, "spec": _pod(task, create, defaults, now, access)},
        },
    }


def accepted_to_wire(accepted: Accepted) -> Manifest:
    """What the Task was accepted with, as it is kept on the Job."""
    definition = {"definition": accepted.definition.to_wire()} if accepted.definition else {}
    return {"effective": accepted.effective.to_wire(), **definition}


def _labels(task: TaskFacts, create: CreateJob) -> dict[str, str]:
    labels = {
        names.MANAGED_BY_LABEL: names.MANAGED_BY,
        names.TASK_LABEL: task.key.name,
        names.ATTEMPT_LABEL: str(create.attempt),
        names.QUEUE_LABEL: create.accepted.effective.queue_name,
    }
    definition = task.spec.definition_name
    return {**labels, names.DEFINITION_LABEL: definition} if definition else labels


def _owner(task: TaskFacts) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": "Task", "name": task.key.name, "uid": task.uid, "controller": True}


def _pod(task: TaskFacts, create: CreateJob, defaults: Resources, now: datetime, access: RunnerAccess) -> Manifest:
    options = (create.revision.spec.pod if create.revision else None) or PodOptions()
    deadlines = create.accepted.effective.deadlines
    given = create.revision.spec.container if create.revision else task.spec.container
    assert given is not None  # noqa: S101  exactly one of the two, says the CRD
    container = build_container(given, options, _own_env(task, create, now), task.spec.params or {}, defaults)
    nats = runner_access(given, access, of_definition=create.revision is not None)
    return {**build_pod(container, options, nats, deadlines.grace_seconds), **_backstop(deadlines)}


def build_pod(container: Manifest, options: PodOptions, nats: Access, grace_seconds: int | None) -> Manifest:
    """The spec of a pod with that one container."""
    service_account = {"serviceAccountName": options.service_account_name} if options.service_account_name else {}
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": options.service_account_name is not None,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds,
        "securityContext": pod_security(options.security_context),
        "containers": [_with_access(container, nats)],
        "volumes": [
            {"name": TMP_VOLUME, "emptyDir": {"sizeLimit": TMP_SIZE_LIMIT}},
            *nats.volumes,
            *(volume.to_wire() for volume in options.volumes or ()),
        ],
        **service_account,
        **_placement(options),
    }


def _backstop(deadlines: Deadlines) -> Manifest:
    if deadlines.run_seconds is None:
        return {}
    parts = (deadlines.start_seconds, deadlines.run_seconds, deadlines.grace_seconds, BACKSTOP_SECONDS)
    return {"activeDeadlineSeconds": sum(part or 0 for part in parts)}


def _placement(options: PodOptions) -> Manifest:
    wire = options.to_wire()
    fields = ("nodeSelector", "tolerations", "affinity", "priorityClassName", "runtimeClassName")
    secrets = [{"name": name} for name in options.image_pull_secrets or ()]
    return {
        **{field: wire[field] for field in fields if field in wire},
        **({"imagePullSecrets": secrets} if secrets else {}),
    }


def build_container(
    container: Container | DefinitionContainer,
    options: PodOptions,
    own_env: Iterable[Manifest],
    params: Mapping[str, Any],
    defaults: Resources,
) -> Manifest:
    """The container, with the variables of ours, and params in the place of references to them.

    Args:
        defaults: requests and limits where it gives none.
    """
    wire = container.to_wire()
    plain: Manifest = {field: wire[field] for field in ("image", "imagePullPolicy", "workingDir") if field in wire}
    texts: Manifest = {
        field: [substituted(text, params) for text in wire[field]] for field in ("command", "args") if field in wire
    }
    mounts = [mount.to_wire() for mount in options.volume_mounts or ()]
    tmp = [] if any(mount["mountPath"] == "/tmp" for mount in mounts) else [{"name": TMP_VOLUME, "mountPath": "/tmp"}]  # noqa: S108
    return {
        "name": names.CONTAINER_NAME,
        **plain,
        **texts,
        "env": [*own_env, *_user_env(container, params)],
        "resources": resources(container.resources, defaults),
        "securityContext": container_security(options.security_context),
        "terminationMessagePath": RESULT_FILE,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [*tmp, *mounts],
    }


def _with_access(container: Manifest, nats: Access) -> Manifest:
    """The container with what its runner reaches NATS by; a container without runner gets none of it."""
    given: Manifest = {
        "env": [*container["env"], *nats.env],
        "volumeMounts": [*container["volumeMounts"], *nats.mounts],
    }
    return {**container, **given, **({"envFrom": list(nats.env_from)} if nats.env_from else {})}


def _user_env(container: Container | DefinitionContainer, params: Mapping[str, Any]) -> Iterable[Manifest]:
    for variable in container.env or ():
        if variable.name.startswith(OUR_VARIABLES) and variable.name != FUNCTION_VARIABLE:
            continue
        if isinstance(variable, DefinitionEnvVar) and variable.value_from is not None:
            yield {"name": variable.name, "valueFrom": variable.value_from.to_wire()}
        else:
            yield {"name": variable.name, "value": substituted(variable.value or "", params)}


POD_UID: Manifest = {"name": "CELERIAC_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}


def _own_env(task: TaskFacts, create: CreateJob, now: datetime) -> list[Manifest]:
    values = variables(task, create.attempt, create.accepted.effective.deadlines, now)
    return [*({"name": name, "value": escaped(value)} for name, value in values.items()), POD_UID]


def variables(task: TaskFacts, attempt: int, deadlines: Deadlines, now: datetime) -> dict[str, str]:
    """What an attempt's process is told, as it shall see it."""
    ends = earliest(after(origin(task), deadlines.total_seconds), after(now, deadlines.run_seconds))
    return {
        "CELERIAC_TASK": task.key.name,
        "CELERIAC_NAMESPACE": task.key.namespace,
        "CELERIAC_ATTEMPT": str(attempt),
        "CELERIAC_TASK_UID": task.uid,
        **_params(task),
        "CELERIAC_DEADLINE": ends.strftime("%Y-%m-%dT%H:%M:%SZ") if ends else "",
        "CELERIAC_RESULT_FILE": RESULT_FILE,
    }


def _params(task: TaskFacts) -> dict[str, str]:
    """The params, or where they are: a process that knows only the first finds none, rather than empty ones."""
    ref = task.spec.params_ref
    name, value = ("CELERIAC_PARAMS", task.spec.params or {}) if ref is None else ("CELERIAC_PARAMS_REF", ref.to_wire())
    return {name: json.dumps(value, separators=(",", ":"), ensure_ascii=False)}


def resources(given: Resources | None, defaults: Resources) -> Manifest:
    """Requests and limits: the given ones, and for each resource that is not mentioned at all the defaults.

    A request without a limit is its own limit, so that no task takes more of a node than was set aside for it, but for
    CPU, which is shared out fairly anyway.
    """
    requests, limits = dict((given and given.requests) or {}), dict((given and given.limits) or {})
    mentioned = {*requests, *limits}
    limits |= {name: value for name, value in requests.items() if name not in limits and name != "cpu"}
    limits |= {name: value for name, value in (defaults.limits or {}).items() if name not in mentioned}
    requests |= {name: value for name, value in (defaults.requests or {}).items() if name not in mentioned}
    return {"requests": requests, "limits": limits}
