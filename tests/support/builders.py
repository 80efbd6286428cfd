"""Facts for tests about deciding: each builder has a sensible default for all that the test is not about."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.support.clock import T0, at

from celeriac.api.v1alpha1 import (
    Attempt,
    Backoff,
    Condition,
    Container,
    Deadlines,
    Defaults,
    DefinitionRevision,
    Effective,
    Failure,
    Retry,
    TaskDefinitionSpec,
    TaskSpec,
    TaskStatus,
)
from celeriac_operator.core.facts import (
    Accepted,
    JobFacts,
    Key,
    PodFacts,
    Refusal,
    Revision,
    Started,
    TaskFacts,
    Terminated,
    Waiting,
    World,
)
from celeriac_operator.core.names import job_name
from celeriac_operator.manifests.revision import revision_of

TASK_UID = "11111111-2222-3333-4444-555555555555"
EFFECTIVE = Effective(deadlines=Deadlines(start_seconds=300, grace_seconds=30))


def make_container(**fields: Any) -> Container:
    """A container of a Task."""
    return Container(**{"image": "busybox:1.36", **fields})


def make_spec(**fields: Any) -> TaskSpec:
    """A Task's spec, with a container unless it names a definition."""
    if "definition_name" not in fields:
        fields.setdefault("container", make_container())
    return TaskSpec(**fields)


def make_task(
    spec: TaskSpec | None = None,
    status: TaskStatus | None = None,
    *,
    name: str = "resize-42",
    created: datetime = T0,
    generation: int = 1,
    deleting: bool = False,
    submission: str | None = None,
    **fields: Any,
) -> TaskFacts:
    """A Task; further fields are its spec's."""
    return TaskFacts(
        key=Key("media", name),
        uid=TASK_UID,
        version="100",
        generation=generation,
        created=created,
        spec=spec or make_spec(**fields),
        status=status or TaskStatus(),
        deleting=deleting,
        submission=submission,
    )


def make_attempt(number: int = 1, **fields: Any) -> Attempt:
    """An attempt that is under way."""
    defaults: dict[str, Any] = {"number": number, "job_name": name_of(number), "create_time": T0}
    return Attempt(**{**defaults, **fields})


def failed_attempt(number: int = 1, failure: Failure = Failure.APP_ERROR, finish: float = 10, **fields: Any) -> Attempt:
    """An attempt that has ended."""
    ended = {"finish_time": at(finish), "failure": failure, "message": "The process ended with exit code 1"}
    return make_attempt(number, **{**ended, **fields})


def name_of(number: int, task: str = "resize-42") -> str:
    """The name of the attempt's Job."""
    return job_name(task, TASK_UID, number)


def make_status(*attempts: Attempt, effective: Effective | None = EFFECTIVE, **fields: Any) -> TaskStatus:
    """The status of a Task that was accepted."""
    defaults: dict[str, Any] = {
        "effective": effective,
        "attempts": attempts,
        "attempt_count": attempts[-1].number if attempts else 0,
        "disruption_count": 0,
        "create_time": T0,
    }
    return TaskStatus(**{**defaults, **fields})


def finished_status(finish: float = 20, **fields: Any) -> TaskStatus:
    """The status of a Task that has ended."""
    done = Condition(type="Finished", status="True", reason="Succeeded", last_transition_time=at(finish))
    known: dict[str, Any] = {"phase": "Succeeded", "conditions": (done,), "observed_generation": 1}
    return make_status(**{**known, "finish_time": at(finish), **fields})


def make_job(attempt: int = 1, **fields: Any) -> JobFacts:
    """The Job of an attempt."""
    defaults: dict[str, Any] = {
        "name": name_of(attempt),
        "uid": f"job-{attempt}",
        "owner_uid": TASK_UID,
        "attempt": attempt,
        "created": T0,
        "accepted": Accepted(EFFECTIVE),
    }
    return JobFacts(**{**defaults, **fields})


def make_pod(
    container: Waiting | Started | Terminated | None = None, *, attempt: int = 1, uid: str = "pod-1", **fields: Any
) -> PodFacts:
    """The pod of an attempt; it has not started unless the container says so."""
    defaults: dict[str, Any] = {
        "name": f"{name_of(attempt)}-x7k2p",
        "uid": uid,
        "job_uid": f"job-{attempt}",
        "created": at(1),
        "container": container or Waiting("ContainerCreating"),
        "node": "node-a",
        "phase": {Started: "Running", Terminated: "Failed"}.get(type(container), "Pending"),
    }
    if isinstance(container, Terminated) and container.exit_code == 0:
        defaults["phase"] = "Succeeded"
    return PodFacts(**{**defaults, **fields})


def running(start: float = 2) -> Started:
    """A container that runs."""
    return Started(at(start))


def exited(code: int = 0, output: str = "", *, reason: str = "", start: float = 2, finish: float = 9) -> Terminated:
    """A container that has ended."""
    return Terminated(code, reason or ("Error" if code else "Completed"), output, at(start), at(finish))


def make_revision(name: str = "resize", *, stored: bool = False, generation: int = 1, **spec: Any) -> Revision:
    """A TaskDefinition's content."""
    spec.setdefault("container", {"image": "media:1.4"})
    return revision_of(name, generation, TaskDefinitionSpec.model_validate(spec), stored=stored)


def pin(revision: Revision) -> DefinitionRevision:
    """How a status names a revision."""
    return DefinitionRevision(revision=revision.name, generation=revision.generation)


def make_world(task: TaskFacts | None = None, **fields: Any) -> World:
    """A snapshot."""
    return World(task=task or make_task(), **{"defaults": Defaults(), **fields})


def quota(seconds: float = 5) -> Refusal:
    """A full quota; tried again so many seconds after T0."""
    return Refusal(
        "QuotaExceeded", "exceeded quota: pods, requested: pods=1, used: pods=4, limited: pods=4", at(seconds)
    )


def retries(attempts: int, pause: int = 10, **fields: Any) -> Retry:
    """A retry policy without jitter."""
    backoff = Backoff(initial_seconds=pause, multiplier_percent=100, max_seconds=pause, jitter="None")
    return Retry(max_attempts=attempts, backoff=backoff, **fields)
