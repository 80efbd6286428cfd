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

from celeriac_operator.core.decide import decide
from celeriac_operator.core.facts import Waiting

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
