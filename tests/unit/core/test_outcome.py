"""What became of an attempt: every failure class, and the traps of what kubelets really write."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.builders import exited, make_attempt, make_job, make_pod, running
from tests.support.clock import at

from celeriac.api.v1alpha1 import Attempt, Failure
from celeriac_operator.core.facts import JobFacts, PodFacts, Terminated, Waiting
from celeriac_operator.core.outcome import Ended, NotStarted, Outcome, Running, Unclear, outcome

SEEN = make_attempt(pod_uid="pod-1", start_time=at(2))
CANCELLED = SEEN.model_copy(update={"failure": Failure.CANCELLED, "message": "Cancelled: no"})

Row = tuple[Attempt, JobFacts | None, PodFacts | None, str]


def in_words(found: Outcome) -> str:
    """An outcome in the words of the table."""
    match found:
        case Ended(None, warning=warning):
            return "succeeded, with a warning" if warning else "succeeded"
        case Ended(failure):
            return str(failure)
        case NotStarted(problem, fatal):
            return f"waits{f' for {problem}' if problem else ''}{', in vain' if fatal else ''}"
        case Running():
            return "runs"
        case Unclear():
            return "unclear"


def pod(*args: Any, **kwargs: Any) -> PodFacts:
    return make_pod(*args, **kwargs)


TABLE: dict[str, Row] = {
    # --- the process ended ---
    "exit code 0 is success": (SEEN, make_job(), pod(exited(0)), "succeeded"),
    "exit code 0 is success though a child was OOM-killed": (
        SEEN,
        make_job(),
        pod(exited(0, reason="OOMKilled")),
        "succeeded, with a warning",
    ),
    "exit code 0 is success in an evicted pod": (
        SEEN,
        make_job(),
        pod(exited(0), phase="Failed", reason="Evicted", disruption="TerminationByKubelet"),
        "succeeded",
    ),
    "exit code 0 is success in a pod that was deleted": (
        SEEN,
        make_job(),
        pod(exited(0), deleted_at=at(5)),
        "succeeded",
    ),
    "exit code 0 is success of an attempt that was being stopped": (
        CANCELLED,
        make_job(),
        pod(exited(0), deleted_at=at(5)),
        "succeeded",
    ),
    "another exit code is the app's": (SEEN, make_job(), pod(exited(1)), "AppError"),
    "SIGKILL without a reason is the app's": (SEEN, make_job(), pod(exited(137)), "AppError"),
    "OOMKilled is the container's limit": (SEEN, make_job(), pod(exited(137, reason="OOMKilled")), "OOMKilled"),
    "a container that could not start is not the app's": (
        SEEN,
        make_job(),
        pod(exited(128, reason="StartError")),
        "InvalidPod",
    ),
    "a container that the node gave up starting, as its kubelet was killed": (
        SEEN,
        make_job(),
        pod(exited(128, "failed to create shim task: context canceled: unknown", reason="StartError")),
        "NodeLost",
    ),
    "a container that the node lost": (
        SEEN,
        make_job(),
        pod(exited(137, reason="ContainerStatusUnknown")),
        "NodeLost",
    ),
    "a container whose end the node lost": (SEEN, make_job(), pod(exited(255, reason="Unknown")), "NodeLost"),
    "what was decided before stands": (CANCELLED, make_job(), pod(exited(143), deleted_at=at(5)), "Cancelled"),
    # --- disruptions ---
    "an evicted pod may say OOMKilled and 143": (
        SEEN,
        make_job(),
        pod(exited(143, reason="OOMKilled"), reason="Evicted", disruption="TerminationByKubelet"),
        "Evicted",
    ),
    "evicted, by the pod's reason alone": (SEEN, make_job(), pod(exited(137), reason="Evicted"), "Evicted"),
    "evicted before its container began": (SEEN, make_job(), pod(phase="Failed", reason="Evicted"), "Evicted"),
    "evicted for what it has written itself": (
        SEEN,
        make_job(),
        pod(exited(137), reason="Evicted", message='Usage of EmptyDir volume "tmp" exceeds the limit "1Gi". '),
        "AppError",
    ),
    "evicted for what it has written itself, said before its container's end is": (
        SEEN,
        make_job(),
        pod(
            running(),
            phase="Failed",
            reason="Evicted",
            message="Pod ephemeral local storage usage exceeds the total limit of containers 64Mi. ",
        ),
        "AppError",
    ),
    "evicted for its node's disk, which is full": (
        SEEN,
        make_job(),
        pod(
            exited(137),
            reason="Evicted",
            message="The node was low on resource: ephemeral-storage. Threshold quantity: 1, available: 0. ",
            disruption="TerminationByKubelet",
        ),
        "Evicted",
    ),
    "refused by a kubelet whose disk is full": (
        SEEN,
        make_job(),
        pod(phase="Failed", reason="Evicted", message="Pod was rejected: The node had condition: [DiskPressure]"),
        "Evicted",
    ),
    "drained": (SEEN, make_job(), pod(exited(143), disruption="EvictionByEvictionAPI"), "Evicted"),
    "preempted by the scheduler": (SEEN, make_job(), pod(exited(143), disruption="PreemptionByScheduler"), "Preempted"),
    "preempted by the kubelet": (SEEN, make_job(), pod(exited(137), reason="Preempting"), "Preempted"),
    "deleted by the taint manager": (
        SEEN,
        make_job(),
        pod(exited(137), disruption="DeletionByTaintManager"),
        "NodeLost",
    ),
    "collected from a node that is gone": (
        SEEN,
        make_job(),
        pod(running(), phase="Failed", disruption="DeletionByPodGC"),
        "NodeLost",
    ),
    "refused by the kubelet": (SEEN, make_job(), pod(phase="Failed", reason="OutOfcpu"), "Evicted"),
    "deleted by a user while it ran": (SEEN, make_job(), pod(exited(143), deleted_at=at(5)), "PodDeleted"),
    "deleted by a user after it had failed": (
        SEEN,
        make_job(),
        pod(exited(1, finish=9), deleted_at=at(10)),
        "AppError",
    ),
    "deleted by a user before it started": (SEEN, make_job(), pod(phase="Failed", deleted_at=at(5)), "PodDeleted"),
    "a pod that went with its Job is the Job's loss": (
        SEEN,
        make_job(deleting=True),
        pod(exited(143), deleted_at=at(5)),
        "JobLost",
    ),
    # --- its node is gone for good: the news of it, in the orders in which they come ---
    "its node does not answer, and nobody has seen its process end": (
        SEEN,
        make_job(),
        pod(running(), deleted_at=at(5), disruption="DeletionByTaintManager"),
        "runs",
    ),
    "then its Node was deleted": (
        SEEN,
        make_job(),
        pod(running(), phase="Failed", deleted_at=at(5), disruption="DeletionByPodGC"),
        "NodeLost",
    ),
    "then the kubelet of another node of that name told of its container": (
        SEEN,
        make_job(),
        pod(exited(137), phase="Failed", deleted_at=at(5), disruption="DeletionByPodGC"),
        "NodeLost",
    ),
    "its node went before its container began": (
        make_attempt(pod_uid="pod-1"),
        make_job(),
        pod(phase="Failed", deleted_at=at(5), disruption="DeletionByPodGC"),
        "NodeLost",
    ),
    "its node went while it was being stopped": (
        CANCELLED,
        make_job(),
        pod(running(), phase="Failed", deleted_at=at(5), disruption="DeletionByPodGC"),
        "Cancelled",
    ),
    "its node went after it had ended well": (
        SEEN,
        make_job(),
        pod(exited(0), deleted_at=at(5), disruption="DeletionByPodGC"),
        "succeeded",
    ),
    "it went with its node before anybody looked, and why is not known any more": (
        SEEN,
        make_job(failed=True, message="Job has reached the specified backoff limit"),
        None,
        "PodDeleted",
    ),
    # --- deadlines of the kubelet ---
    "the kubelet's own deadline is runSeconds' backstop": (
        SEEN,
        make_job(),
        pod(exited(137), reason="DeadlineExceeded"),
        "RunDeadlineExceeded",
    ),
    "the kubelet's deadline without a container's state": (
        SEEN,
        make_job(),
        pod(running(), phase="Failed", reason="DeadlineExceeded"),
        "RunDeadlineExceeded",
    ),
    # --- the pod or the Job is gone ---
    "a Job that is gone was deleted by something else": (SEEN, None, None, "JobLost"),
    "a pod outlives its Job for a moment": (SEEN, None, pod(running()), "runs"),
    "a Job that is gone while the attempt was being stopped": (CANCELLED, None, None, "Cancelled"),
    "a pod that is gone before its Job says so": (SEEN, make_job(), None, "unclear"),
    "a pod that is gone and a Job that failed": (SEEN, make_job(failed=True), None, "PodDeleted"),
    "a pod that is gone and a Job that is complete": (
        SEEN,
        make_job(complete=True),
        None,
        "succeeded, with a warning",
    ),
    "a Job that is complete wins over a stop": (CANCELLED, make_job(complete=True), None, "succeeded, with a warning"),
    "a pod that succeeded and lost its container's state": (
        SEEN,
        make_job(),
        pod(phase="Succeeded"),
        "succeeded, with a warning",
    ),
    "a Job without a pod yet": (make_attempt(), make_job(), None, "waits"),
    # --- it runs, or not yet ---
    "a container that runs": (SEEN, make_job(), pod(running()), "runs"),
    "a container that is being created": (make_attempt(), make_job(), pod(), "waits"),
    "an image that cannot be pulled": (
        make_attempt(),
        make_job(),
        pod(Waiting("ImagePullBackOff", "Back-off")),
        "waits for ImagePullFailed",
    ),
    "an image that may not be pulled": (
        make_attempt(),
        make_job(),
        pod(Waiting("ErrImageNeverPull")),
        "waits for ImagePullFailed, in vain",
    ),
    "an image name that is none": (
        make_attempt(),
        make_job(),
        pod(Waiting("InvalidImageName")),
        "waits for InvalidPod, in vain",
    ),
    "a secret that is missing": (
        make_attempt(),
        make_job(),
        pod(Waiting("CreateContainerConfigError", 'secret "x" not found')),
        "waits for InvalidPod",
    ),
    "a pod that no node takes": (
        make_attempt(),
        make_job(),
        pod(Waiting(), unschedulable="0/3 nodes are available", node=None),
        "waits for Unschedulable",
    ),
}


@pytest.mark.parametrize(("attempt", "job", "pod", "wanted"), TABLE.values(), ids=TABLE)
def test_outcome(attempt: Attempt, job: JobFacts | None, pod: PodFacts | None, wanted: str) -> None:
    found = outcome(attempt, job, pod)

    assert wanted == in_words(found)


def test_a_second_pod_of_the_job_ends_an_attempt_whose_own_is_gone() -> None:
    assert in_words(outcome(SEEN, make_job(), None, replaced=True)) == "PodDeleted"


def test_every_failure_has_a_message_without_control_characters_and_not_too_long() -> None:
    nasty = "\x1b]0;owned\x07" * 3000
    worlds = [
        outcome(SEEN, make_job(), pod(Terminated(1, "Error", nasty))),
        outcome(SEEN, make_job(), pod(exited(1), reason="Evicted", message=nasty)),
        outcome(SEEN, make_job(), pod(phase="Failed", message=nasty)),
        outcome(SEEN, make_job(failed=True, message=nasty), None),
        outcome(SEEN, make_job(), pod(exited(1), reason="DeadlineExceeded", message=nasty)),
    ]

    messages = [found.message for found in worlds if isinstance(found, Ended)]
    assert len(messages) == 5
    assert all(message and "\x1b" not in message and len(message.encode()) < 3000 for message in messages)


def test_the_end_of_the_output_is_part_of_the_message() -> None:
    found = outcome(SEEN, make_job(), pod(exited(1, "first\n" + "x" * 5000 + "\nValueError: no")))

    assert isinstance(found, Ended)
    assert found.message.endswith("ValueError: no")
