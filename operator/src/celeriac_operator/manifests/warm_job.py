"""The Job of a pod that is started ahead of its task, built by construction. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from celeriac.api.v1alpha1 import API_VERSION, PodOptions, Resources
from celeriac.wire.names import WORKER_LABEL
from celeriac_operator.core import names
from celeriac_operator.core.definition import DefinitionFacts
from celeriac_operator.core.facts import SHORTEST_DIGEST
from celeriac_operator.core.warm.scale import slots_of, tasks_of
from celeriac_operator.manifests.job import POD_UID, build_container, build_pod, resources
from celeriac_operator.manifests.runner import RunnerAccess, runner_access
from celeriac_operator.manifests.security import Manifest

WAITS: Manifest = {"name": "CELERIAC_STANDBY", "value": "1"}
BUILT_IN_GRACE_SECONDS = 30


def build_warm_job(definition: DefinitionFacts, name: str, defaults: Resources, access: RunnerAccess) -> Manifest:
    """The Job manifest. It is the TaskDefinition's, and of the content that this has now.

    Args:
        defaults: requests and limits where the container gives none.
        access: how the runner reaches NATS.
    """
    spec = definition.revision.spec
    options, deadlines = spec.pod or PodOptions(), spec.defaults.deadlines if spec.defaults else None
    grace = deadlines.grace_seconds if deadlines and deadlines.grace_seconds is not None else BUILT_IN_GRACE_SECONDS
    own = [
        WAITS,
        {"name": "CELERIAC_NAMESPACE", "value": definition.namespace},
        POD_UID,
        *_of_worker(definition, defaults),
    ]
    container = build_container(spec.container, options, own, {}, defaults)
    labels = {
        names.MANAGED_BY_LABEL: names.MANAGED_BY,
        names.DEFINITION_LABEL: definition.name,
        names.WARM_LABEL: content_label(definition),
        **({WORKER_LABEL: str(slots_of(spec))} if spec.isolation == "Worker" else {}),
    }
    owner = {"apiVersion": API_VERSION, "kind": "TaskDefinition", "name": definition.name, "uid": definition.uid}
    pod = build_pod(container, options, runner_access(spec.container, access, of_definition=True), grace)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": definition.namespace,
            "labels": labels,
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _of_worker(definition: DefinitionFacts, defaults: Resources) -> Iterable[Manifest]:
    """What a pod that takes many tasks is told of how many, and of the memory that they share."""
    spec = definition.revision.spec
    if spec.isolation != "Worker":
        return
    yield {"name": "CELERIAC_SLOTS", "value": str(slots_of(spec))}
    yield {"name": "CELERIAC_TASKS", "value": str(tasks_of(spec))}
    if "memory" in resources(spec.container.resources, defaults)["limits"]:
        limit = {"containerName": names.CONTAINER_NAME, "resource": "limits.memory"}
        yield {"name": "CELERIAC_MEMORY_LIMIT", "valueFrom": {"resourceFieldRef": limit}}


def content_label(definition: DefinitionFacts) -> str:
    """What its pods' label says of the content that they are made from."""
    return definition.revision.digest[:SHORTEST_DIGEST]
