"""What a person needs to understand a failed end-to-end test: the state of the test's namespaces, in tables."""

from collections.abc import Iterator

from e2e.support.kube import EVENTS, JOBS, PODS, TASKS, Kube, Obj
from e2e.support.predicates import described, status

_MOST_TASKS = 40


def namespace_report(kube: Kube, namespace: str) -> str:
    """Tasks, Jobs, pods and events of a namespace."""
    return "\n".join(
        [
            "# Tasks",
            *_tasks(kube.list(TASKS, namespace)),
            "# Jobs",
            *(_job(job) for job in kube.list(JOBS, namespace)),
            "# Pods",
            *(_pod(pod) for pod in kube.list(PODS, namespace)),
            "# Events",
            *(_event(event) for event in sorted(kube.list(EVENTS, namespace), key=_time)[-60:]),
        ]
    )


def _tasks(tasks: list[Obj]) -> Iterator[str]:
    """Those that have not succeeded, first."""
    ordered = sorted(tasks, key=lambda task: status(task).get("phase") == "Succeeded")
    yield from (f"{task['metadata']['name']}: {described(task)}" for task in ordered[:_MOST_TASKS])


def _job(job: Obj) -> str:
    conditions = [f"{each['type']}={each['status']}" for each in status(job).get("conditions", ())]
    return f"{job['metadata']['name']}: {' '.join(conditions) or 'no conditions'}"


def _pod(pod: Obj) -> str:
    states = [each["state"] for each in status(pod).get("containerStatuses", ())]
    deleting = " deleting" if "deletionTimestamp" in pod["metadata"] else ""
    return f"{pod['metadata']['name']}: {status(pod).get('phase')}{deleting} {states}"


def _event(event: Obj) -> str:
    involved = event["involvedObject"]
    return f"{_time(event)} {involved['kind']}/{involved['name']} {event.get('reason')}: {event.get('message')}"


def _time(event: Obj) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])
