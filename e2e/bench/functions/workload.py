"""What is measured: a function of the standard library as a task, and a raw Job of the pod that comes of it. Pure."""

import copy
from typing import Any

from e2e.bench.workload import Subject, job, job_ended
from e2e.cluster.images.catalogue import SDK_IMAGE
from e2e.support.kube import JOBS, TASKS
from e2e.support.manifests import definition, queue, task_of

from celeriac import TaskOptions

Obj = dict[str, Any]

DEFINITION, INTAKE = "translate", "intake"
PARAMS = {"pat": "*.py"}
RESOURCES = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
OWN = ("CELERIAC_TASK", "CELERIAC_TASK_UID")
"""Variables that say whose outcome the runner records. A record is made once, and a runner that finds one fails."""


def function() -> Obj:
    """`fnmatch.translate`, which any image with the SDK has, and which takes no time."""
    fields = {
        "image": SDK_IMAGE,
        "command": ["python", "-m", "celeriac.run"],
        "env": [{"name": "CELERIAC_FUNCTION", "value": "fnmatch:translate"}],
        "resources": RESOURCES,
    }
    return definition(DEFINITION, container_fields=fields)


def intake_queue(size: int, held: bool) -> Obj:
    """A queue whose window takes so many Tasks at once; it is held while they are submitted."""
    return queue(INTAKE, maxConcurrency=size, stopPolicy="Hold" if held else "None")


def message(_number: int) -> TaskOptions:
    """A call that becomes a Task and no pod: it is suspended."""
    return {"definition": DEFINITION, "params": PARAMS, "queue": INTAKE, "suspend": True}


def created() -> Subject:
    """The same as a Task that a client creates; what is waited for is that a watch tells of it, as of the others."""
    return Subject("Task", TASKS, _suspended, lambda _: True)


def jobs(made_by_operator: Obj) -> Subject:
    """Raw Jobs of the pod of a Job that the operator made: same image, same runner, same record to NATS."""
    pod = made_by_operator["spec"]["template"]["spec"]
    return Subject("Job", JOBS, lambda name: job(name, as_another(pod, name)), job_ended)


def as_another(pod: Obj, name: str) -> Obj:
    """The pod of a task of another name and uid, so that its runner has a record of its own to make."""
    other = copy.deepcopy(pod)
    for container in other["containers"]:
        for variable in container.get("env", ()):
            if variable["name"] in OWN:
                variable["value"] = name
    return other


def _suspended(name: str) -> Obj:
    return task_of(DEFINITION, name, queueName=INTAKE, suspend=True, params=PARAMS)
