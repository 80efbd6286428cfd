"""The Job of a pod that waits, and what it is told."""

from __future__ import annotations

from typing import Any

from tests.support.builders import EFFECTIVE, make_revision, make_task
from tests.support.clock import T0, at

from celeriac.api.v1alpha1 import Deadlines, Effective, Failure, Resources, TaskDefinitionStatus
from celeriac.run.standby import parse_assignment, parse_stop
from celeriac.wire.canonical import canonical_json
from celeriac.wire.records import StopNotice
from celeriac_operator.core.definition import DefinitionFacts
from celeriac_operator.core.facts import Accepted
from celeriac_operator.core.names import warm_job_name
from celeriac_operator.core.plan import Assign, StopAttempt, TellRunner
from celeriac_operator.manifests.assignment import build_assignment, build_stop
from celeriac_operator.manifests.runner import RunnerAccess
from celeriac_operator.manifests.warm_job import build_warm_job

RUNNER = {"image": "media:1.4", "command": ["python", "-m", "celeriac.run"], "env": [{"name": "A", "value": "b"}]}


def built(**spec: Any) -> dict[str, Any]:
    revision = make_revision(**{"isolation": "Warm", "container": RUNNER, **spec})
    facts = DefinitionFacts("media", "resize", "1", 1, TaskDefinitionStatus(), revision, "uid-d", T0)
    return build_warm_job(facts, "resize-w-0123456789", Resources(), RunnerAccess("nats://n:4222", "creds"))


def test_the_job_is_its_definitions_and_waits() -> None:
    job = built()
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    env = {each["name"]: each.get("value") for each in container["env"]}

    assert job["metadata"]["ownerReferences"][0]["uid"] == "uid-d"
    assert "celeriac.dev/task" not in job["spec"]["template"]["metadata"]["labels"]
    assert (env["CELERIAC_STANDBY"], env["CELERIAC_NAMESPACE"], env["A"]) == ("1", "media", "b")
    assert "activeDeadlineSeconds" not in pod
    assert container["envFrom"] == [{"secretRef": {"name": "creds", "optional": True}}]
    assert pod["terminationGracePeriodSeconds"] == 30
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_the_grace_is_the_definitions() -> None:
    pod = built(defaults={"deadlines": {"graceSeconds": 5}})["spec"]["template"]["spec"]

    assert pod["terminationGracePeriodSeconds"] == 5


def test_pods_names_are_not_cut() -> None:
    """A Job's controller adds a dash and five characters, and cuts what is longer than 63 characters."""
    assert len(warm_job_name("x" * 63, "seed")) <= 63 - 6


def test_an_assignment_is_read_as_it_was_written() -> None:
    effective = Effective(deadlines=Deadlines(run_seconds=60, grace_seconds=5))
    task = make_task(params={"price": "$5", "who": "ö"}, definition_name="resize")
    told = build_assignment(task, Assign(2, "pod-1", 7, Accepted(effective)), at(10))
    read = parse_assignment(canonical_json(told))

    assert read is not None
    assert (read.uid, read.attempt, read.expect, read.seconds) == (task.uid, 2, 7, 65)
    assert read.env["CELERIAC_PARAMS"] == '{"price":"$5","who":"ö"}'
    assert read.env["CELERIAC_DEADLINE"] == "2026-03-01T12:01:10Z"
    assert read.env["CELERIAC_ATTEMPT"] == "2"


def test_without_a_run_deadline_it_may_take_as_long_as_it_likes() -> None:
    told = build_assignment(make_task(), Assign(1, "pod-1", 0, Accepted(EFFECTIVE)), at(10))

    assert told["seconds"] is None


def test_a_worker_is_told_how_many_tasks_it_takes_and_of_its_memory() -> None:
    limits = {**RUNNER, "resources": {"limits": {"memory": "1Gi"}}}
    job = built(isolation="Worker", container=limits, worker={"slotsPerPod": 2, "tasksPerPod": 50})
    template = job["spec"]["template"]
    env = {each["name"]: each for each in template["spec"]["containers"][0]["env"]}

    assert template["metadata"]["labels"]["celeriac.dev/worker"] == "2"
    assert (env["CELERIAC_SLOTS"]["value"], env["CELERIAC_TASKS"]["value"]) == ("2", "50")
    source = env["CELERIAC_MEMORY_LIMIT"]["valueFrom"]["resourceFieldRef"]
    assert source == {"containerName": "task", "resource": "limits.memory"}


def test_a_worker_without_a_limit_has_no_shares() -> None:
    job = built(isolation="Worker")
    env = {each["name"]: each.get("value") for each in job["spec"]["template"]["spec"]["containers"][0]["env"]}

    assert (env["CELERIAC_SLOTS"], env["CELERIAC_TASKS"]) == ("4", "1000")
    assert "CELERIAC_MEMORY_LIMIT" not in env


def test_a_pod_that_waits_for_one_task_is_no_worker() -> None:
    assert "celeriac.dev/worker" not in built()["metadata"]["labels"]


def test_a_stop_is_read_as_it_was_written() -> None:
    first = TellRunner(2, StopNotice(failure=Failure.CANCELLED, message="no longer needed"))
    stop = StopAttempt(2, "pod-1", Failure.CANCELLED, "Cancelled: no longer needed", 5, first)
    read = parse_stop(canonical_json(build_stop(make_task(), stop)))

    assert read is not None
    assert (read.attempt, read.failure, read.grace) == (2, "Cancelled", 5.0)
    assert (read.message, read.said) == ("no longer needed", "Cancelled: no longer needed")
