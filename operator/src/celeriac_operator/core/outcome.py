"""What became of an attempt: Job and pod to outcome. Pure.

An outcome is read from the pod's container (2 s before the Job says it), and from exit code, reason, pod conditions and
pod reason together, since none of them is enough: an evicted pod can say OOMKilled, and exit code 0 can too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from celeriac.api.v1alpha1 import Attempt, Failure, ResultRef, Usage
from celeriac_operator.core.facts import JobFacts, PodFacts, Started, Terminated, Waiting
from celeriac_operator.core.text import safe

LONGEST_OUTPUT = 2048
SIGKILLED = 128 + 9
"""Under load a runtime can miss that the kernel killed for lack of memory: then only this exit code is left of it."""
LONGEST_DETAIL = 512
_TAKEN_BACK = "Its Job was suspended: Kueue gave its quota to another"

_DISRUPTIONS = {
    "PreemptionByScheduler": Failure.PREEMPTED,
    "EvictionByEvictionAPI": Failure.EVICTED,
    "TerminationByKubelet": Failure.EVICTED,
    "DeletionByTaintManager": Failure.NODE_LOST,
    "DeletionByPodGC": Failure.NODE_LOST,
}
_POD_REASONS = {
    "DeadlineExceeded": Failure.RUN_DEADLINE_EXCEEDED,
    "NodeLost": Failure.NODE_LOST,
    "Preempting": Failure.PREEMPTED,
}
_NEVER_STARTED = (Failure.INVALID_POD, "The container could not start")
_CONTAINER_REASONS = {
    "OOMKilled": (Failure.OOM_KILLED, "Killed: it used more memory than its limit"),
    "StartError": _NEVER_STARTED,
    "ContainerCannotRun": _NEVER_STARTED,
    "RunContainerError": _NEVER_STARTED,
    "ContainerStatusUnknown": (Failure.NODE_LOST, "The node lost the container"),
    "Unknown": (Failure.NODE_LOST, "The node lost how the container ended"),  # containerd, killed at that moment
}
_GIVEN_UP = "context canceled"
"""What a runtime says whose caller was gone before the container had started: the kubelet, killed or restarted."""
_OVER_ITS_LIMIT = " limit "
"""In what a kubelet says of a pod that it evicts for what that has written itself, and not for the node's sake."""
_FATAL_WAITING = {
    "InvalidImageName": Failure.INVALID_POD,
    "ErrImageNeverPull": Failure.IMAGE_PULL_FAILED,
}
_IMAGE_WAITING = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"})
_CONFIG_WAITING = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The container does not run yet."""

    problem: Failure | None = None
    """The class of the failure, should the start deadline pass like this."""
    fatal: bool = False
    """Waiting does not help."""
    message: str = ""
    of_image: bool = False
    """It is about the image."""


@dataclass(frozen=True, slots=True)
class Running:
    """The container runs."""

    start: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """The attempt is over."""

    failure: Failure | None
    """None: it succeeded."""
    message: str = ""
    exit_code: int | None = None
    start: datetime | None = None
    finish: datetime | None = None
    output: str | None = None
    """What the process wrote to its result file; None where nothing is left to read it from."""
    warning: str = ""
    ref: ResultRef | None = None
    """Where the result is kept, as the attempt's record says."""
    lingers: bool = False
    """Its function has ended, as the attempt's record says, and its process has not."""
    usage: Usage | None = None
    """What it took, as the attempt's record says."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """The pod is gone, and the Job has not yet said how it ended."""


Outcome = NotStarted | Running | Ended | Unclear


def outcome(attempt: Attempt, job: JobFacts | None, pod: PodFacts | None, *, replaced: bool = False) -> Outcome:
    """What became of the attempt, as far as it can be told.

    Args:
        pod: the pod that the attempt is bound to, if it still exists.
        replaced: the Job has another pod, which is not this attempt.
    """
    if pod is not None:
        return _with_job(_of_pod(pod, attempt), attempt, job)
    if job is None:
        return _lost(attempt, Failure.JOB_LOST, f"Job {attempt.job_name} is gone: something else deleted it")
    if job.complete:
        text = "succeeded, but its pod was deleted before its result was read"
        return Ended(None, finish=None, warning=f"Attempt {attempt.number} {text}")
    if job.failed:
        why = safe(job.message, LONGEST_DETAIL) or "the Job failed without it"
        return _lost(attempt, Failure.POD_DELETED, f"Its pod is gone: {why}")
    if attempt.pod_uid is None:
        return NotStarted()
    if job.suspended:
        return _lost(attempt, Failure.PREEMPTED, _TAKEN_BACK)
    if attempt.failure is None and not replaced:
        return Unclear()
    return _lost(attempt, Failure.POD_DELETED, "Its pod is gone, and the Job made another")


def _with_job(found: Outcome, attempt: Attempt, job: JobFacts | None) -> Outcome:
    """A pod that was deleted because its Job was, or was suspended: that is what happened."""
    if not isinstance(found, Ended) or found.failure is not Failure.POD_DELETED:
        return found
    if job is not None and job.suspended:
        return replace(found, failure=Failure.PREEMPTED, message=_TAKEN_BACK)
    if job is not None and not job.deleting:
        return found
    return replace(found, failure=Failure.JOB_LOST, message=f"Job {attempt.job_name} was deleted by something else")


def _lost(attempt: Attempt, failure: Failure, message: str) -> Ended:
    """No process is left to ask: what was decided before stands, else it was lost."""
    if attempt.failure is not None:
        return Ended(attempt.failure, attempt.message or "", start=attempt.start_time)
    return Ended(failure, message, start=attempt.start_time)


def _of_pod(pod: PodFacts, attempt: Attempt) -> Outcome:
    match pod.container:
        case Terminated() as container:
            return _terminated(pod, container, attempt)
        case _ if pod.phase == "Succeeded":
            return Ended(
                None, warning="The pod succeeded, but its container's state was lost", start=attempt.start_time
            )
        case _ if pod.ended:
            return _failed_without_container(pod, attempt)
        case Started(start):
            return Running(start)
        case Waiting() if pod.deleted_at is not None and pod.node is None:
            # It can never be bound to a node again; only its finalizer keeps it, until the pod GC comes by.
            return _lost(attempt, Failure.POD_DELETED, "Its pod was deleted before it had a node")
        case Waiting() as container:
            return _waiting(pod, container)


def _terminated(pod: PodFacts, container: Terminated, attempt: Attempt) -> Ended:
    ended = Ended(None, "", container.exit_code, container.start, container.finish, container.message)
    if container.exit_code == 0:
        oom = f"Attempt {attempt.number} ended with exit code 0, but a process in it was killed for lack of memory"
        return _with(ended, None, "", oom if container.reason == "OOMKilled" else "")
    if attempt.failure is not None and container.reason == "ContainerStatusUnknown":
        return _lost(attempt, attempt.failure, "")  # it was stopped before it ever started
    failure, message = _failure(pod, container, attempt)
    output = safe(container.message, LONGEST_OUTPUT)
    return _with(ended, failure, f"{message}: {output}" if output else message)


def _with(ended: Ended, failure: Failure | None, message: str, warning: str = "") -> Ended:
    return Ended(failure, message, ended.exit_code, ended.start, ended.finish, ended.output, warning)


def _failure(pod: PodFacts, container: Terminated, attempt: Attempt) -> tuple[Failure, str]:
    """The class of an attempt whose process ended with another exit code than 0, and a sentence."""
    code = f"exit code {container.exit_code}"
    if attempt.failure is not None:
        return attempt.failure, f"{attempt.message or attempt.failure} ({code})"
    return _failure_of_pod(pod) or _failure_of_container(pod, container, code)


def _failure_of_pod(pod: PodFacts) -> tuple[Failure, str] | None:
    """What the pod says of its own end, which counts for more than how its process ended by it."""
    said = safe(pod.message, LONGEST_DETAIL)
    if pod.reason == "Evicted" and not pod.disruption and _OVER_ITS_LIMIT in pod.message:
        return Failure.APP_ERROR, f"It wrote more than it may. {said.rstrip(' .')}"
    if pod.disruption in _DISRUPTIONS or pod.reason == "Evicted":
        return _DISRUPTIONS.get(pod.disruption, Failure.EVICTED), said or "The pod was disrupted"
    if pod.reason in _POD_REASONS:
        return _POD_REASONS[pod.reason], said or pod.reason
    return None


def _failure_of_container(pod: PodFacts, container: Terminated, code: str) -> tuple[Failure, str]:
    if container.reason in _CONTAINER_REASONS:
        failure, message = _CONTAINER_REASONS[container.reason]
        if failure is Failure.INVALID_POD and _GIVEN_UP in container.message:
            return Failure.NODE_LOST, f"The node gave up starting the container ({code})"
        return failure, f"{message} ({code})"
    if _deleted_before_end(pod, container):
        return Failure.POD_DELETED, f"Its pod was deleted ({code})"
    if container.exit_code == SIGKILLED:
        return Failure.APP_ERROR, f"The process was killed ({code}, SIGKILL); often that is for lack of memory"
    return Failure.APP_ERROR, f"The process ended with {code}"


def _deleted_before_end(pod: PodFacts, container: Terminated) -> bool:
    """Times are whole seconds: a process that ended in the second of the deletion was ended by it."""
    return pod.deleted_at is not None and (container.finish is None or container.finish >= pod.deleted_at)


def _failed_without_container(pod: PodFacts, attempt: Attempt) -> Ended:
    """The kubelet refused or lost the pod, or has not said yet how its container ended, which may come after."""
    if attempt.failure is not None:
        return _lost(attempt, attempt.failure, "")
    without_reason = Failure.POD_DELETED if pod.deleted_at else Failure.EVICTED
    said = safe(pod.message, LONGEST_DETAIL) or pod.reason or "The pod failed"
    failure, message = _failure_of_pod(pod) or (without_reason, said)
    return Ended(failure, message, start=attempt.start_time)


def _waiting(pod: PodFacts, container: Waiting) -> NotStarted:
    detail = safe(container.message, LONGEST_DETAIL) or container.reason
    if container.reason in _FATAL_WAITING:
        return NotStarted(_FATAL_WAITING[container.reason], True, f"{container.reason}: {detail}", of_image=True)
    if container.reason in _IMAGE_WAITING:
        return NotStarted(Failure.IMAGE_PULL_FAILED, False, f"The image cannot be pulled: {detail}", of_image=True)
    if container.reason in _CONFIG_WAITING:
        return NotStarted(Failure.INVALID_POD, False, f"The container cannot be created: {detail}")
    if pod.unschedulable:
        return NotStarted(Failure.UNSCHEDULABLE, False, f"No node fits: {safe(pod.unschedulable, LONGEST_DETAIL)}")
    return NotStarted()
