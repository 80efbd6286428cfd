"""The Job of a pod that waits, and what it is told."""

from __future__ import annotations

from typing import Any

from tests.support.builders import EFFECTIVE, make_revision, make_task
from tests.support.clock import T0, at

from celeriac.api.v1alpha1 import Deadlines, Effective, Resources, TaskDefinitionStatus
from celeriac.run.standby import parse_assignment
from celeriac.wire.canonical import canonical_json
from celeriac_operator.core.definition import DefinitionFacts
from celeriac_operator.core.facts import Accepted
from celeriac_operator.core.names import warm_job_name
from celeriac_operator.core.plan import Assign
from celeriac_operator.manifests.assignment import build_assignment
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
