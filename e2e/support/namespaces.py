"""A namespace of a test's own, with the calls that tests make most."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from e2e.support.kube import (
    DEFINITIONS,
    JOBS,
    NAMESPACES,
    PATIENCE_SECONDS,
    PODS,
    SERVICE_ACCOUNTS,
    TASKS,
    Kube,
    kind_of,
)
from e2e.support.predicates import Predicate, attempts, exists, finished, gone

Obj = dict[str, Any]

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@dataclass(frozen=True)
class Namespace:
    """One namespace."""

    kube: Kube
    name: str

    def apply(self, *manifests: Obj) -> None:
        """Apply manifests, whatever kind they are of."""
        for manifest in manifests:
            self.kube.apply(manifest, self.name if kind_of(manifest).namespaced else None)

    def submit(self, *tasks: Obj) -> None:
        """Create Tasks."""
        for task in tasks:
            self.kube.create(task, self.name)

    def task(self, name: str) -> Obj:
        """A Task that must be there."""
        found = self.kube.get(TASKS, self.name, name)
        assert found is not None, f"Task {self.name}/{name} is gone"
        return found

    def wait(self, name: str, predicate: Predicate | None = None, *, timeout: float = PATIENCE_SECONDS) -> Obj:
        """Wait for something about a Task: its end, if nothing else is said."""
        return self.kube.wait(TASKS, self.name, name, predicate or finished(), timeout=timeout)

    def set(self, name: str, **spec: Any) -> Obj:
        """Change fields of a Task's spec."""
        return self.kube.patch(TASKS, self.name, name, {"spec": spec})

    def cancel(self, name: str, reason: str = "the test says so") -> None:
        """Cancel a Task."""
        self.set(name, cancel={"reason": reason})

    def jobs_of(self, task: str) -> list[Obj]:
        """The Jobs of a Task."""
        return self.kube.list(JOBS, self.name, labels=f"celeriac.dev/task={task}")

    def pods_of(self, task: str) -> list[Obj]:
        """The pods of a Task."""
        return self.kube.list(PODS, self.name, labels=f"celeriac.dev/task={task}")

    def pod_name(self, task: str, attempt: int = 1) -> str:
        """The pod of an attempt, as the Task tells it."""
        return str(next(each["podName"] for each in attempts(self.task(task)) if each["number"] == attempt))

    def job_name(self, task: str, attempt: int = 1) -> str:
        """The Job of an attempt, as the Task tells it."""
        return str(next(each["jobName"] for each in attempts(self.task(task)) if each["number"] == attempt))

    def delete_task(self, name: str) -> None:
        """Delete a Task and wait until it is gone."""
        self.kube.delete(TASKS, self.name, name)
        self.wait(name, gone())

    def define(self, manifest: Obj) -> None:
        """Apply a TaskDefinition and wait until the operator has taken note of just that."""
        applied = self.kube.apply(manifest, self.name)
        generation = applied["metadata"]["generation"]
        seen = Predicate(
            f"seen by the operator at generation {generation}",
            lambda obj: ((obj or {}).get("status") or {}).get("observedGeneration") == generation,
        )
        self.kube.wait(DEFINITIONS, self.name, manifest["metadata"]["name"], seen)


@contextmanager
def fresh_namespace(kube: Kube, prefix: str = "e2e", labels: dict[str, str] | None = None) -> Iterator[Namespace]:
    """A namespace that goes afterwards, with all that is in it; nobody waits for that."""
    name = f"{prefix}-{secrets.token_hex(3)}"
    labelled = {"name": name, "labels": {"celeriac.dev/e2e": "true", **(labels or {})}}
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": labelled})
    try:
        # A pod is refused until its service account is there.
        kube.wait(SERVICE_ACCOUNTS, name, "default", exists())
        yield Namespace(kube, name)
    finally:
        kube.delete(NAMESPACES, None, name)
