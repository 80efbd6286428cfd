"""Why an attempt is stopped, in words."""

from __future__ import annotations

import pytest
from tests.support.builders import (
    make_attempt,
    make_container,
    make_job,
    make_pod,
    make_revision,
    make_status,
    make_task,
    make_world,
    pin,
)
from tests.support.clock import at

from celeriac.api.v1alpha1 import Attempt, Failure
from celeriac_operator.core.decide import decide
from celeriac_operator.core.facts import PodFacts, Waiting
from celeriac_operator.core.plan import Delete, DeletePod, StopAttempt
from celeriac_operator.core.stopping import stop_of_deleted

IMAGE = "registry.example/media:1.4"
LATE = "Its container did not start within startSeconds (300 s)"


@pytest.mark.parametrize("of_definition", [False, True], ids=["of the Task", "of its TaskDefinition"])
@pytest.mark.parametrize(
    ("waiting", "failure", "said"),
    [
        pytest.param(Waiting("ErrImagePull", f"failed to pull {IMAGE}: 404"), "ImagePullFailed",
                     f"The image cannot be pulled: failed to pull {IMAGE}: 404; given up after startSeconds (300 s)",
                     id="an image that the kubelet names is named once"),
        pytest.param(Waiting("ImagePullBackOff", "Back-off"), "ImagePullFailed",
                     f"The image cannot be pulled: Back-off; its image is {IMAGE}; given up after startSeconds (300 s)",
                     id="an image that the kubelet does not name"),
        pytest.param(Waiting("ErrImageNeverPull"), "ImagePullFailed",
                     f"ErrImageNeverPull: ErrImageNeverPull; its image is {IMAGE}", id="one that may not be pulled"),
        pytest.param(Waiting("InvalidImageName"), "InvalidPod",
                     f"InvalidImageName: InvalidImageName; its image is {IMAGE}", id="a name that is none"),
        pytest.param(Waiting(), "StartDeadlineExceeded", f"{LATE}; its image is {IMAGE}",
                     id="a registry that does not answer: the kubelet says nothing for so long"),
        pytest.param(None, "StartDeadlineExceeded", f"{LATE}; its image is {IMAGE}", id="no pod at all"),
    ],
)  # fmt: skip
def test_an_attempt_that_does_not_start_in_time_names_its_image(
    waiting: Waiting | None, failure: str, said: str, of_definition: bool
) -> None:
    revision = make_revision(container={"image": IMAGE})
    status = make_status(make_attempt(), definition=pin(revision) if of_definition else None)
    given = {"definition_name": "resize"} if of_definition else {"container": make_container(image=IMAGE)}
    pod = make_pod(waiting) if waiting is not None else None
    world = make_world(
        make_task(status=status, **given), job=make_job(), pod=pod, pinned=revision if of_definition else None
    )

    written = decide(world, at(302)).status

    assert written is not None
    assert (failure, said) == (written.attempts[-1].failure, written.attempts[-1].message)
    assert written.message == f"Stopping attempt 1: {said}"


GIVEN = {"job_name": "resize-w-0f652470e5", "pod_uid": "pod-1", "pod_name": "resize-w-0f652470e5-x"}
STOPPED = StopAttempt(1, "pod-1", Failure.CANCELLED, "Its Task was deleted before it had finished", 30)


@pytest.mark.parametrize(
    ("attempt", "pod", "stop"),
    [
        pytest.param(make_attempt(**GIVEN), make_pod(uid="pod-1", worker=True), STOPPED, id="a worker is told"),
        pytest.param(make_attempt(**GIVEN), make_pod(uid="pod-1", name="w"), DeletePod("w", "pod-1", 30),
                     id="a pod that waited is nobody else's"),
        pytest.param(make_attempt(**GIVEN, finish_time=at(9)), make_pod(uid="pod-1"), None, id="it has ended"),
        pytest.param(make_attempt(**GIVEN), None, None, id="its pod is gone"),
        pytest.param(make_attempt(), make_pod(), None, id="its pod is its own, and goes with it"),
        pytest.param(None, None, None, id="it has not begun"),
    ],
)  # fmt: skip
def test_what_goes_on_for_a_task_that_is_gone_is_ended(
    attempt: Attempt | None, pod: PodFacts | None, stop: Delete | None
) -> None:
    status = make_status(attempt) if attempt is not None else make_status()

    assert stop_of_deleted(make_task(status=status), pod) == stop
