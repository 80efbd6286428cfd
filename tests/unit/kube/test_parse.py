"""The API server's JSON as facts: as it really looks, and as nobody would expect it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import profiles  # noqa: F401
from tests.support.builders import EFFECTIVE, make_revision
from tests.support.clock import T0, at, wire
from tests.support.objects import Raw, owner, raw_job, raw_pod, raw_task, terminated
from tests.support.outside import damaged
from tests.support.profiles import examples

from celeriac.api.v1alpha1 import Result
from celeriac.wire.names import SUBMISSION, SUBMIT_TIME
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.core.decide import decide
from celeriac_operator.core.facts import Started, TaskFacts, Terminated, Waiting, World
from celeriac_operator.core.task_record import record_of
from celeriac_operator.kube.cache import UNREADABLE
from celeriac_operator.kube.parse import controller_uid, definition_of, job_of, pod_of, queue_of, revision_from, task_of


def test_a_task_that_was_just_created_has_no_status() -> None:
    found = task_of(raw_task())

    assert (found.key, found.created, found.status.phase, found.finished) == (("media", "resize-42"), T0, None, False)


@pytest.mark.parametrize(
    ("finalizers", "expected"),
    [
        pytest.param(["example.com/mine"], True, id="a task that goes as soon as others let it"),
        pytest.param(["orphan"], False, id="one that leaves its Jobs behind goes on until it is gone"),
    ],
)
def test_a_task_that_is_being_deleted(finalizers: list[str], expected: bool) -> None:
    assert expected == task_of(raw_task(deletionTimestamp=wire(at(5)), finalizers=finalizers)).deleting


def test_fields_of_a_later_version_are_ignored() -> None:
    raw = raw_task(spec={"container": {"image": "x", "sidecars": []}, "color": "red"}, status={"mood": "good"})

    assert task_of(raw).spec.container is not None


def test_a_status_that_was_written_is_read_back() -> None:
    world = World(task_of(raw_task(spec={"container": {"image": "x"}, "suspend": True})))
    status = decide(world, at(5)).status
    assert status is not None

    assert task_of(raw_task(status=json.loads(json.dumps(status.to_wire())))).status == status


def test_a_definition_and_its_revision() -> None:
    raw = {**raw_task("resize", spec={"container": {"image": "media:1.4"}}), "kind": "TaskDefinition"}

    assert definition_of(raw).revision == make_revision()


# --- Jobs ---


def test_a_jobs_conditions() -> None:
    assert not job_of(raw_job()).finished
    assert not job_of(raw_job()).taken_up
    assert job_of({**raw_job(), "status": {"startTime": "2026-01-01T00:00:00Z"}}).taken_up
    assert job_of(raw_job(conditions=[{"type": "Complete", "status": "True"}])).complete
    assert not job_of(raw_job(conditions=[{"type": "Failed", "status": "False"}])).failed
    assert job_of(raw_job(conditions=[{"type": "Failed", "status": "True", "message": "limit"}])).message == "limit"


KUEUE = {"kueue.x-k8s.io/queue-name": "team-a"}
SUSPENSIONS: dict[str, tuple[Raw, Raw, Raw, bool]] = {
    "an ordinary Job is not suspended": ({}, {}, {}, False),
    "a Job that is suspended is": ({"suspend": True}, {}, KUEUE, True),
    "a Job that Kueue has just let go has not begun": ({"suspend": False}, {}, KUEUE, True),
    "a Job of Kueue's that has begun is not": ({"suspend": False}, {"startTime": wire(at(9))}, KUEUE, False),
    "a Job that a person suspends is": ({"suspend": True}, {"startTime": wire(at(9))}, {}, True),
}


@pytest.mark.parametrize(("spec", "status", "labels", "expected"), SUSPENSIONS.values(), ids=list(SUSPENSIONS))
def test_whether_a_job_may_begin(spec: Raw, status: Raw, labels: Raw, expected: bool) -> None:
    raw = raw_job(labels=labels)
    found = job_of({**raw, "spec": {**raw["spec"], **spec}, "status": status})

    assert expected == found.suspended
    assert (at(9) if status else None) == found.started


def test_a_queue() -> None:
    spec = {"maxConcurrency": 3, "stopPolicy": "Hold", "stopReason": "upgrade"}
    found = queue_of(raw_task("media", spec=spec, status={"queued": 4, "mood": "good"}))

    assert (QueueKey("media", "media"), "100", 1) == (found.key, found.version, found.generation)
    assert (spec, 4) == (found.spec.to_wire(), found.status.queued)


def test_the_labels_of_a_task() -> None:
    assert {"tenant": "a"} == task_of(raw_task(labels={"tenant": "a"})).labels
    assert {} == task_of(raw_task()).labels


def test_a_job_tells_what_its_task_was_accepted_with() -> None:
    accepted = job_of(raw_job()).accepted

    assert accepted is not None
    assert accepted.effective == EFFECTIVE


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "{}", '{"effective": 3}', "[" * 5000, '{"effective": {}, "definition": 1}']
)
def test_an_annotation_that_somebody_edited_is_as_if_it_were_not_there(text: str) -> None:
    """Any user may put our label and this on a Job of theirs; the operator has to start over it."""
    assert job_of(raw_job(annotations={"celeriac.dev/accepted": text})).accepted is None


@pytest.mark.parametrize("labels", [{}, {"celeriac.dev/attempt": "x"}, {"celeriac.dev/attempt": "99"}])
def test_the_attempt_is_in_the_name_which_nobody_can_edit(labels: dict[str, str]) -> None:
    assert job_of(raw_job(3, labels=labels)).attempt == 3


def test_a_job_of_nobody_has_no_owner() -> None:
    assert controller_uid(raw_job(ownerReferences=[owner("Task", "a", "b", controller=False)])) == ""


# --- pods ---

EPOCH = "1970-01-01T00:00:00Z"
STATES: dict[str, tuple[Raw, object]] = {
    "no status of a container yet": (raw_pod(), Waiting()),
    "a state that is empty": (raw_pod({}), Waiting()),
    "being created is no news": (raw_pod({"waiting": {"reason": "ContainerCreating"}}), Waiting()),
    "cannot be pulled": (
        raw_pod({"waiting": {"reason": "ErrImagePull", "message": "no such image"}}),
        Waiting("ErrImagePull", "no such image"),
    ),
    "runs": (raw_pod({"running": {"startedAt": wire(at(4))}}, phase="Running"), Started(at(4))),
    "runs, since a time that the kubelet does not know": (raw_pod({"running": {"startedAt": None}}), Started(T0)),
    "ended": (raw_pod(terminated(1, "Error", "no")), Terminated(1, "Error", "no", at(2), at(9))),
    "ended at times that nobody knows": (
        raw_pod(terminated(137, "ContainerStatusUnknown", start=None, finish=None)),
        Terminated(137, "ContainerStatusUnknown"),
    ),
    "ended at the epoch": (
        raw_pod(
            {"terminated": {"exitCode": 2, "startedAt": "1970-01-01T00:00:00Z", "finishedAt": "1970-01-01T00:00:00Z"}}
        ),
        Terminated(2),
    ),
    "another container than ours": (
        raw_pod(status={"containerStatuses": [{"name": "istio-proxy", "state": {"running": {"startedAt": wire(T0)}}}]}),
        Waiting(),
    ),
}


@pytest.mark.parametrize(("raw", "wanted"), STATES.values(), ids=STATES)
def test_container(raw: Raw, wanted: object) -> None:
    assert pod_of(raw).container == wanted


def test_a_pods_deletion_began_when_its_grace_period_did() -> None:
    found = pod_of(raw_pod(deletionTimestamp=wire(at(40)), deletionGracePeriodSeconds=30))

    assert found.deleted_at == at(10)


def test_disruptions_and_the_schedulers_words() -> None:
    disrupted = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": "preempted",
    }
    homeless = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "gated"}

    assert pod_of(raw_pod(status={"conditions": [disrupted]})).disruption == "PreemptionByScheduler"
    assert pod_of(raw_pod(status={"conditions": [disrupted]})).message == "preempted"
    assert pod_of(raw_pod(status={"conditions": [{**disrupted, "status": "False"}]})).disruption == ""
    assert pod_of(raw_pod(status={"conditions": [homeless]})).unschedulable == "0/3 nodes"
    assert pod_of(raw_pod(status={"conditions": [gated]})).unschedulable == ""


@pytest.mark.parametrize("seconds", [10**11, 2**63 - 1])
def test_a_pod_that_is_deleted_with_more_grace_than_there_is_time_is_read(seconds: int) -> None:
    """``kubectl delete pod --grace-period=100000000000``: were it not read, its process would count as gone."""
    going = raw_pod({"running": {"startedAt": wire(at(2))}}, deletionTimestamp=wire(at(9)))
    going["metadata"]["deletionGracePeriodSeconds"] = seconds

    assert pod_of(going).deleted_at == at(9)


# --- whatever is stored ---


def seen(raw_: Raw) -> Raw:
    """A Task in the middle of its life, with every part of a status."""
    world = World(task_of(raw_), job_of(raw_job()), pod_of(raw_pod({"running": {"startedAt": wire(at(2))}})))
    status = decide(world, at(5)).status
    assert status is not None
    return {**raw_, "status": json.loads(json.dumps(status.to_wire()))}


FULL_SPEC: Raw = {
    "container": {"image": "x", "args": ["$(params.a)"], "env": [{"name": "A", "value": "b"}]},
    "params": {"a": [1, {"b": None}]},
    "startTime": "2026-03-01T11:00:00Z",
    "deadlines": {"queueSeconds": 60, "runSeconds": 60, "totalSeconds": 600},
    "retry": {"maxAttempts": 3, "rules": [{"onFailures": ["OOMKilled"], "action": "Fail"}]},
    "cancel": {"reason": "x"},
}
PARSERS = {
    "task": (task_of, seen(raw_task(spec=FULL_SPEC))),
    "definition": (definition_of, raw_task("resize", spec={"container": {"image": "x"}, "defaults": {"priority": 1}})),
    "revision": (revision_from, {"metadata": {"name": "a-1"}, "revision": 1, "data": {"spec": {"container": {}}}}),
    "job": (job_of, raw_job(conditions=[{"type": "Failed", "status": "True"}])),
    "pod": (pod_of, raw_pod(terminated(1, "Error"), status={"conditions": [{"type": "a", "status": "True"}]})),
}


@pytest.mark.parametrize(("parse", "raw"), PARSERS.values(), ids=PARSERS)
@examples(40)
@given(st.data())
def test_what_cannot_be_read_raises_what_the_cache_expects(parse: Any, raw: Raw, data: st.DataObject) -> None:
    try:
        parse(data.draw(damaged(raw)))
    except UNREADABLE:
        return


@examples(80)
@given(damaged(PARSERS["task"][1]), damaged(PARSERS["job"][1]), damaged(PARSERS["pod"][1]), st.integers(0, 2000))
def test_whatever_can_be_read_can_be_decided(task: Raw, job: Raw, pod: Raw, now: int) -> None:
    facts = _or_none(task_of, task)
    if isinstance(facts, TaskFacts):
        decide(World(facts, _or_none(job_of, job), _or_none(pod_of, pod)), at(now))
        decide(World(facts), at(now))


def _or_none(parse: Any, raw: Raw) -> Any:
    try:
        return parse(raw)
    except UNREADABLE:
        return None


def test_what_tasks_have_in_common_is_in_memory_once() -> None:
    world = World(task_of(raw_task(spec={"container": {"image": "x"}, "suspend": True})))
    status = decide(world, at(5)).status
    assert status is not None
    one, other = (task_of(raw_task(name, status=status.to_wire())).status for name in ("one", "other"))

    assert one.effective is other.effective
    assert one.conditions[0] is other.conditions[0]


SUBMISSIONS = {
    "none of a resource": (None, {}),
    "the stream's time": (at(-60), {SUBMISSION: "sha256:1", SUBMIT_TIME: wire(at(-60))}),
    "not after the Task's creation": (T0, {SUBMISSION: "sha256:1", SUBMIT_TIME: wire(at(60))}),
    "none without a submission": (None, {SUBMIT_TIME: wire(at(-60))}),
    "none from what is no time": (None, {SUBMISSION: "sha256:1", SUBMIT_TIME: "yesterday"}),
    "none from a time without a zone": (None, {SUBMISSION: "sha256:1", SUBMIT_TIME: "2026-01-01T00:00:00"}),
}


@pytest.mark.parametrize(("expected", "annotations"), SUBMISSIONS.values(), ids=SUBMISSIONS.keys())
def test_when_a_task_was_submitted(expected: datetime | None, annotations: dict[str, str]) -> None:
    task = task_of(raw_task(annotations=annotations))
    assert (expected, annotations.get(SUBMISSION)) == (task.submitted, task.submission)


def test_a_finished_task_is_kept_without_what_only_its_run_needed() -> None:
    finished = {"type": "Finished", "status": "True", "reason": "Succeeded", "lastTransitionTime": wire(T0)}
    attempts = [{"number": number, "jobName": f"job-{number}"} for number in (1, 2)]
    status = {"conditions": [finished], "attempts": attempts, "attemptCount": 2, "result": {"value": "x" * 4000}}
    task = task_of(raw_task(spec={"container": {"image": "x"}, "params": {"data": "x" * 30_000}}, status=status))

    assert (None, None, None) == (task.spec.container, task.spec.params, task.status.result)
    assert ([2], 2) == ([attempt.number for attempt in task.status.attempts], task.status.attempt_count)


def test_a_finished_task_still_names_its_value_elsewhere() -> None:
    finished = {"type": "Finished", "status": "True", "reason": "Succeeded", "lastTransitionTime": wire(T0)}
    ref = {"bucket": "b", "key": "k", "size": 9000, "digest": "sha256:1"}
    task = task_of(raw_task(status={"conditions": [finished], "result": {"ref": ref}}))

    assert task.status.result is not None
    assert task.status.result.ref is not None


def test_a_finished_task_that_came_by_message_keeps_its_value_for_its_record() -> None:
    finished = {"type": "Finished", "status": "True", "reason": "Succeeded", "lastTransitionTime": wire(T0)}
    status = {"conditions": [finished], "result": {"value": 7}, "finishTime": wire(T0)}
    task = task_of(raw_task(status=status, annotations={SUBMISSION: "sha256:1"}))
    record = record_of(task, task.status, timedelta(days=7))

    assert record is not None
    assert Result(value=7) == record.result
