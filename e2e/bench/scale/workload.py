"""Tasks and Jobs of one pod that only a fake node takes. Pure."""

from dataclasses import replace

from e2e.bench import workload
from e2e.bench.scale.fake_nodes import MARK, TOLERATION
from e2e.bench.workload import Obj, Subject

DEFINITION = "fake"


def definition() -> Obj:
    """What grants the pod its place: a Task cannot choose one."""
    return {
        "apiVersion": "celeriac.dev/v1alpha1",
        "kind": "TaskDefinition",
        "metadata": {"name": DEFINITION},
        "spec": {
            "container": workload.task("")["spec"]["container"],
            "pod": {"nodeSelector": MARK, "tolerations": [TOLERATION]},
            "defaults": {"deadlines": {"startSeconds": 3600}},  # the last of a large burst waits for all before it
        },
    }


def tasks() -> Subject:
    """Celeriac's way."""
    return replace(workload.tasks(), manifest=task)


def task(name: str) -> Obj:
    """A Task of that definition."""
    return {**workload.task(name), "spec": {"definitionName": DEFINITION}}
