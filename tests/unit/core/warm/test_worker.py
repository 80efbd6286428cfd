"""Tasks of workers wait for a slot, are stopped one by one, and end by their records: the rules, as tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.builders import (
    TASK_UID,
    exited,
    make_job,
    make_revision,
    make_status,
    make_task,
    make_world,
    pin,
    running,
)
from tests.support.clock import at
from tests.unit.core.warm.test_assigning import EFFECTIVE, JOB, RUNNER, claimed, given, plan, warm_pod

from celeriac.api.v1alpha1 import Attempt, Failure, TaskQueueSpec
from celeriac.wire.records import AttemptRecord, Author
from celeriac_operator.core.admission.standing import Granted, Holds
from celeriac_operator.core.facts import PodFacts, World
from celeriac_operator.core.plan import CreateJob, DeletePod, RecordAttempt, RevokeClaim, StopAttempt
from celeriac_operator.core.records import Records

WORKER = make_revision(stored=True, isolation="Worker", container=RUNNER)
CANCEL = {"cancel": {"reason": "no longer needed"}}


def worker_pod(container: Any = None, **fields: Any) -> PodFacts:
    return replace(warm_pod(container, **fields), worker=True, slots=4)


def world(*attempts: Attempt, bus: str = "Up", spec: dict[str, Any] | None = None, **facts: Any) -> World:
    pinned = {"definition": pin(WORKER), "effective": EFFECTIVE} if attempts else {"effective": None}
    task = make_task(status=make_status(*attempts, **pinned), definition_name="resize", **(spec or {}))
    told = {name: facts.pop(name, None) for name in ("claim", "record")}
    records = Records(bus, looked_up=True, attempt=told["record"], claim=told["claim"])  # type: ignore[arg-type]
    return make_world(task, live=WORKER, pinned=WORKER if attempts else None, records=records, **facts)


def under_way(**facts: Any) -> World:
    return world(given(**facts.pop("attempt", {})), **{"claim": claimed(), "pod": worker_pod(), **facts})


def record(failure: Failure | None = None, **fields: Any) -> AttemptRecord:
    ended = {"failure": failure, "result": None, "finish_time": at(2), **fields}
    return AttemptRecord(author=Author.RUNNER, task_uid=TASK_UID, attempt=1, pod_uid="pod-1", **ended)


def test_without_a_free_slot_it_waits_and_asks() -> None:
    found = plan(world(crowd=3), 2)

    assert found.status is not None
    assert (found.status.phase, found.status.reason) == ("Queued", "NoFreeWorker")
    assert found.worker is not None
    assert found.create == ()


def test_a_long_crowd_is_said_later() -> None:
    assert plan(world(crowd=500), 2).status is None
    assert plan(world(crowd=500), 27).status is not None


def test_it_keeps_the_slot_of_its_queue_meanwhile() -> None:
    assert isinstance(plan(world(crowd=0, slot=Granted())).standing, Holds)
    assert plan(world(crowd=0)).standing is None


def test_what_kueue_admits_waits_for_no_worker() -> None:
    found = plan(world(crowd=3, queue=TaskQueueSpec(kueue_queue_name="team-a")))

    assert [type(each) for each in found.create] == [CreateJob]


STOPS: dict[str, tuple[World, float, Failure, str]] = {
    "it is cancelled": (under_way(spec=CANCEL), 3, Failure.CANCELLED, "Cancelled: no longer needed"),
    "it runs too long": (under_way(), 61, Failure.RUN_DEADLINE_EXCEEDED, "It ran longer than runSeconds (60 s)"),
    "its queue is drained": (
        under_way(queue=TaskQueueSpec(stop_policy="HoldAndDrain")),
        3,
        Failure.PREEMPTED,
        "Queue default is being drained",
    ),
}


@pytest.mark.parametrize(("of", "second", "failure", "message"), STOPS.values(), ids=STOPS)
def test_its_process_is_stopped_and_not_its_pod_where(of: World, second: float, failure: str, message: str) -> None:
    found = plan(of, second)

    assert found.status is not None
    assert found.status.attempts[0].failure == failure
    (stop,) = found.delete
    assert isinstance(stop, StopAttempt)
    assert (stop.pod_uid, stop.attempt, stop.failure, stop.grace_seconds) == ("pod-1", 1, failure, 5)
    assert message in stop.message


def test_the_function_learns_the_reason() -> None:
    (stop,) = plan(under_way(spec=CANCEL), 3).delete

    assert isinstance(stop, StopAttempt)
    assert stop.first is not None
    assert stop.first.notice.message == "no longer needed"


STOPPING = {"failure": Failure.CANCELLED, "message": "Cancelled: no longer needed"}


def test_it_is_told_again_until_its_end_is_recorded() -> None:
    found = plan(under_way(attempt=STOPPING, spec=CANCEL, told_to_stop=at(3)), 4)

    assert [type(each) for each in found.delete] == [StopAttempt]
    assert (found.status, found.look_again) == (None, at(5))


def test_a_pod_that_does_not_carry_it_out_goes_as_a_whole() -> None:
    stuck = under_way(attempt=STOPPING, spec=CANCEL, told_to_stop=at(3))

    assert [type(each) for each in plan(stuck, 37).delete] == [StopAttempt]
    assert [type(each) for each in plan(stuck, 38).delete] == [DeletePod]


def test_while_nats_is_away_no_pod_goes_for_it() -> None:
    stuck = under_way(attempt=STOPPING, spec=CANCEL, told_to_stop=at(3), bus="Down")

    assert [type(each) for each in plan(stuck, 100).delete] == [StopAttempt]


ENDS: dict[str, tuple[World, str, str | None]] = {
    "its record: a success": (under_way(record=record()), "Succeeded", None),
    "its record: a failure, after which nothing lingers": (
        under_way(record=record(Failure.APP_ERROR, exit_code=139)),
        "Failed",
        "AppError",
    ),
    "its record, and the pod has ended since": (
        under_way(record=record(), pod=worker_pod(exited(1))),
        "Succeeded",
        None,
    ),
    "its record: it was stopped": (
        under_way(attempt=STOPPING, spec=CANCEL, record=record(Failure.CANCELLED, exit_code=143)),
        "Cancelled",
        "Cancelled",
    ),
    "its record: it was stopped, and succeeded": (
        under_way(attempt=STOPPING, spec=CANCEL, record=record()),
        "Succeeded",
        None,
    ),
    "out of memory as a whole": (under_way(pod=worker_pod(exited(137, reason="OOMKilled"))), "Failed", "OOMKilled"),
    "its worker went with its node": (
        under_way(pod=worker_pod(running(), phase="Failed", disruption="DeletionByPodGC")),
        "Retrying",
        "NodeLost",
    ),
}


@pytest.mark.parametrize(("of", "phase", "failure"), ENDS.values(), ids=ENDS)
def test_it_ends_by(of: World, phase: str, failure: str | None) -> None:
    found = plan(of, 10)

    assert found.status is not None
    assert (found.status.phase, found.status.attempts[0].failure) == (phase, failure)


LOST: dict[str, World] = {
    "its worker has had enough": under_way(pod=worker_pod(exited(0))),
    "its worker has crashed": under_way(pod=worker_pod(exited(1))),
    "its worker was deleted": under_way(pod=worker_pod(exited(143), deleted_at=at(5)), job=make_job(name=JOB)),
    "its worker is gone, and the Job says that it was well": under_way(pod=None, job=make_job(name=JOB, complete=True)),
    "NATS is given up for good": under_way(pod=worker_pod(exited(0)), bus="Off"),
}


@pytest.mark.parametrize("of", LOST.values(), ids=LOST)
def test_it_is_a_disruption_that(of: World) -> None:
    found = plan(of, 10)

    assert found.status is not None
    assert found.status.phase == "Retrying"
    assert found.status.attempts[0].failure == Failure.POD_DELETED
    assert found.status.disruption_count == 1


def test_first_it_is_seen_that_nobody_has_recorded_it() -> None:
    assert [type(each) for each in plan(under_way(pod=worker_pod(exited(0))), 10).record] == [RecordAttempt]


def test_while_nats_is_away_the_end_of_its_worker_tells_nothing() -> None:
    found = plan(under_way(pod=worker_pod(exited(0)), bus="Down"), 2)

    assert found.status is not None
    assert (found.status.phase, found.status.attempts[0].finish_time) == ("Running", None)
    assert (found.record, found.create, found.delete) == ((), (), ())


def test_what_no_slot_was_free_for_is_taken_back_after_five_seconds() -> None:
    found = plan(world(given(), pod=worker_pod()), 5)

    assert found.record == (RevokeClaim(1, "pod-1", 0, at(5)),)
