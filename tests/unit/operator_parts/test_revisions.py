"""A message runs from the content that it was made for, whatever its TaskDefinition says by then."""

from __future__ import annotations

from tests.support.clock import Clock
from tests.support.cluster import NAMESPACE, Cluster
from tests.support.process import Process

from celeriac.wire.names import DEFINITION_DIGEST_ANNOTATION, SUBMISSION
from celeriac_operator.core.facts import Key
from celeriac_operator.watch import WATCHED


def settle(process: Process) -> None:
    for kind in WATCHED:
        process.hear(kind)
    process.work_off()


def defined(image: str = "media:1", *, queue: bool = True, nats: bool = True) -> Process:
    """A TaskDefinition, in a namespace with a queue or without."""
    cluster = Cluster(Clock())
    cluster.bucket.enabled = nats
    process = Process(cluster)
    if queue:
        cluster.add("taskqueues", {"metadata": {"name": "media"}, "spec": {}})
    cluster.add("taskdefinitions", {"metadata": {"name": "resize"}, "spec": {"container": {"image": image}}})
    settle(process)
    return process


def digest(process: Process) -> str:
    definition = process.cache.definitions.get(Key(NAMESPACE, "resize"))
    assert definition is not None
    return definition.revision.digest


def change(process: Process, image: str) -> None:
    process.cluster.edit("taskdefinitions", "resize", container={"image": image})
    settle(process)


def submit(process: Process, wanted: str) -> None:
    notes = {SUBMISSION: "sha256:1", DEFINITION_DIGEST_ANNOTATION: wanted}
    task = {"metadata": {"name": "queued", "annotations": notes}, "spec": {"definitionName": "resize"}}
    process.cluster.add("tasks", task)
    settle(process)


def images(process: Process) -> list[str]:
    pods = (job["spec"]["template"]["spec"] for job in process.cluster.all("jobs"))
    return [container["image"] for pod in pods for container in pod["containers"]]


def test_a_task_runs_from_what_its_message_was_made_for() -> None:
    process = defined("media:1")
    wanted = digest(process)
    change(process, "media:2")
    submit(process, wanted)

    assert ["media:1"] == images(process)


def test_a_task_whose_definition_has_not_changed_runs_from_it() -> None:
    process = defined("media:1")
    submit(process, digest(process))

    assert ["media:1"] == images(process)


def test_a_content_is_kept_once_as_it_appears() -> None:
    process = defined()
    change(process, "media:2")
    change(process, "media:1")
    process.start()
    settle(process)

    assert 2 == process.cluster.writes["create controllerrevisions"]


def test_where_no_message_can_come_nothing_is_kept() -> None:
    process = defined(queue=False)

    assert 0 == process.cluster.writes["create controllerrevisions"]


def test_with_the_first_queue_of_a_namespace_what_is_there_is_kept() -> None:
    process = defined(queue=False)
    process.cluster.add("taskqueues", {"metadata": {"name": "media"}, "spec": {}})
    settle(process)

    assert 1 == process.cluster.writes["create controllerrevisions"]


def test_without_nats_nothing_is_kept_before_a_task_runs_from_it() -> None:
    assert 0 == defined(nats=False).cluster.writes["create controllerrevisions"]


def test_so_it_is_where_a_task_is_seen_before_that_queue() -> None:
    process = defined(queue=False)
    process.cluster.add("taskqueues", {"metadata": {"name": "media"}, "spec": {}})
    spec = {"queueName": "media", "container": {"image": "media:1"}}
    process.cluster.add("tasks", {"metadata": {"name": "resize-42"}, "spec": spec})
    process.hear("tasks")
    process.work_off()
    settle(process)

    assert 1 == process.cluster.writes["create controllerrevisions"]
