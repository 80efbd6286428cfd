"""A Task is bound to a pod that waits, told again, taken back or followed: the rules about assignments, as a table."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.builders import (
    TASK_UID,
    exited,
    failed_attempt,
    make_attempt,
    make_pod,
    make_revision,
    make_status,
    make_task,
    make_world,
    pin,
    retries,
    running,
)
from tests.support.clock import at

from celeriac.api.v1alpha1 import Attempt, Deadlines, Effective, Failure, TaskQueueSpec
from celeriac.wire.names import begin_line
from celeriac.wire.records import AttemptRecord, Author
from celeriac_operator.core.admission.standing import Holds
from celeriac_operator.core.decide import decide
from celeriac_operator.core.facts import PodFacts, World
from celeriac_operator.core.plan import Assign, CreateJob, Plan, RevokeClaim
from celeriac_operator.core.records import Claim, Records
from celeriac_operator.core.warm.holding import NOBODY

RUNNER = {"image": "media:1.4", "command": ["python", "-m", "celeriac.run"]}
WARM = make_revision(stored=True, isolation="Warm", container=RUNNER)
EFFECTIVE = Effective(deadlines=Deadlines(start_seconds=300, grace_seconds=5, run_seconds=60))
JOB = "resize-w-0123456789"


def warm_pod(container: Any = None, uid: str = "pod-1", **fields: Any) -> PodFacts:
    """A pod that waits since a minute before, or runs."""
    given = {"name": f"{JOB}-{uid}", "job_uid": "job-w", "job_name": JOB, "definition": "resize", "created": at(-60)}
    return make_pod(container or running(-50), uid=uid, **{**given, "content": WARM.digest[:8], **fields})


def given(pod: str = "pod-1", number: int = 1, **fields: Any) -> Attempt:
    """An attempt that a waiting pod was given."""
    return make_attempt(number, job_name=JOB, pod_name=f"{JOB}-{pod}", pod_uid=pod, **fields)


def world(
    *attempts: Attempt,
    claim: Claim | None = None,
    record: AttemptRecord | None = None,
    bus: str = "Up",
    spec: dict[str, Any] | None = None,
    **facts: Any,
) -> World:
    pinned = {"definition": pin(WARM), "effective": EFFECTIVE} if attempts else {"effective": None}
    task = make_task(status=make_status(*attempts, **pinned), definition_name="resize", **(spec or {}))
    records = Records(bus, looked_up=True, attempt=record, claim=claim)  # type: ignore[arg-type]
    return make_world(task, live=WARM, pinned=WARM if attempts else None, records=records, **facts)


def claimed(pod: str = "pod-1", second: float = 1) -> Claim:
    return Claim(pod, False, at(second), 7)


def revoked(pod: str = "pod-1") -> Claim:
    return Claim(pod, True, at(1), 7)


def plan(of: World, second: float = 1) -> Plan:
    return decide(of, at(second))


def test_a_task_that_may_start_is_bound_to_the_pod_that_waits_before_it_is_told() -> None:
    found = plan(world(waiting_pod=warm_pod()))

    assert found.status is not None
    assert found.assign is not None
    (attempt,) = found.status.attempts
    assert (attempt.job_name, attempt.pod_uid, attempt.number) == (JOB, "pod-1", 1)
    assert (found.status.phase, found.status.reason) == ("Starting", "Assigned")
    assert (found.assign.pod_uid, found.assign.expect) == ("pod-1", 0)
    assert isinstance(found.standing, Holds)
    assert not found.create


COLD: dict[str, World] = {
    "no pod waits": world(),
    "Kueue admits what runs in this queue": world(
        waiting_pod=warm_pod(), queue=TaskQueueSpec(kueue_queue_name="team-a")
    ),
    "the pod that had it before gave it back, and no other waits": world(given(), claim=revoked()),
}


@pytest.mark.parametrize("of", COLD.values(), ids=COLD)
def test_it_gets_a_pod_of_its_own_where(of: World) -> None:
    found = plan(of)

    assert [create.attempt for create in found.create if isinstance(create, CreateJob)] == [1]
    assert found.assign is None


AGAIN = {
    "the claim has not come yet": world(given(), pod=warm_pod()),
    "NATS has another pod's revocation, from before": world(given("pod-2"), claim=revoked(), pod=warm_pod(uid="pod-2")),
}


@pytest.mark.parametrize("of", AGAIN.values(), ids=AGAIN)
def test_the_pod_is_told_again_while(of: World) -> None:
    found = plan(of, 2)

    assert isinstance(found.assign, Assign)
    assert found.assign.expect == (of.records.claim.revision if of.records.claim else 0)
    assert (found.status, found.record, found.look_again) == (None, (), at(3))


BACK: dict[str, tuple[World, float]] = {
    "it had five seconds": (world(given(), pod=warm_pod()), 5),
    "it has ended": (world(given(), pod=warm_pod(exited(0))), 1),
    "it is being deleted": (world(given(), pod=warm_pod(deleted_at=at(1))), 1),
    "it is gone": (world(given()), 1),
    "nobody listened": (world(given(), pod=warm_pod(), heard=False), 1),
    "the task is cancelled": (world(given(), pod=warm_pod(), spec={"cancel": {"reason": "x"}}), 1),
    "the queue is drained": (world(given(), pod=warm_pod(), queue=TaskQueueSpec(stop_policy="HoldAndDrain")), 1),
    "it was to be stopped while NATS was away": (
        world(given(failure=Failure.START_DEADLINE_EXCEEDED), pod=warm_pod()),
        1,
    ),
}


@pytest.mark.parametrize(("of", "second"), BACK.values(), ids=BACK)
def test_it_is_taken_back_from_the_pod_because(of: World, second: float) -> None:
    found = plan(of, second)

    assert found.record == (RevokeClaim(1, "pod-1", 0, at(second)),)
    assert (found.status, found.assign, found.create, found.delete) == (None, None, (), ())


def test_while_nats_is_away_nobody_else_is_told() -> None:
    found = plan(world(given(), pod=warm_pod(exited(0)), bus="Down"), 20)

    assert (found.record, found.assign, found.create) == ((), None, ())


def test_what_was_taken_back_goes_to_another_pod_with_the_revocation_to_claim_against() -> None:
    found = plan(world(given(), claim=revoked(), waiting_pod=warm_pod(uid="pod-2")))

    assert found.status is not None
    assert [(each.number, each.pod_uid) for each in found.status.attempts] == [(1, "pod-2")]
    assert found.status.attempt_count == 1
    assert found.assign is not None
    assert (found.assign.pod_uid, found.assign.expect) == ("pod-2", 7)


def test_what_was_taken_back_from_a_pod_is_given_to_it_again_once_neither_status_nor_key_name_it() -> None:
    first = plan(world(given(), claim=revoked(), waiting_pod=warm_pod()))
    assert first.status is not None
    assert (first.status.phase, first.status.attempts, first.assign, first.record) == ("Queued", (), None, ())

    second = plan(world(claim=revoked(), waiting_pod=warm_pod()))
    assert (second.status, second.assign) == (None, None)
    assert second.record == (RevokeClaim(1, NOBODY, 7, at(1)),)

    third = plan(world(claim=revoked(NOBODY), waiting_pod=warm_pod()))
    assert third.assign is not None
    assert (third.assign.pod_uid, third.assign.expect) == ("pod-1", 7)


def test_a_cancelled_task_whose_attempt_was_taken_back_never_ran() -> None:
    found = plan(world(given(), claim=revoked(), spec={"cancel": {"reason": "x"}}))

    assert found.status is not None
    assert (found.status.phase, found.status.attempts, found.status.attempt_count) == ("Cancelled", (), 0)


def test_a_claim_is_the_start() -> None:
    found = plan(world(given(), claim=claimed(), pod=warm_pod()), 3)

    assert found.status is not None
    assert (found.status.phase, found.status.attempts[0].start_time) == ("Running", at(1))


def test_a_quick_task_is_not_said_to_run() -> None:
    assert plan(world(given(), claim=claimed(), pod=warm_pod()), 1).status is None


def test_the_run_deadline_counts_from_the_claim_and_the_grace_is_the_tasks() -> None:
    before = plan(world(given(), claim=claimed(), pod=warm_pod()), 60)
    after = plan(world(given(), claim=claimed(), pod=warm_pod()), 61)

    assert before.delete == ()
    assert after.status is not None
    assert after.status.attempts[0].failure == Failure.RUN_DEADLINE_EXCEEDED
    assert [(f"{JOB}-pod-1", "pod-1", 5)] == [(each.name, each.uid, each.grace_seconds) for each in after.delete]


ENDS: dict[str, tuple[World, str, str | None]] = {
    "exit code 0 and no record": (world(given(), claim=claimed(), pod=warm_pod(exited(0))), "Succeeded", None),
    "another exit code": (world(given(), claim=claimed(), pod=warm_pod(exited(3))), "Failed", "AppError"),
    "out of memory": (
        world(given(), claim=claimed(), pod=warm_pod(exited(137, reason="OOMKilled"))),
        "Failed",
        "OOMKilled",
    ),
}


@pytest.mark.parametrize(("of", "phase", "failure"), ENDS.values(), ids=ENDS)
def test_a_claimed_attempt_ends_by_its_container_with(of: World, phase: str, failure: str | None) -> None:
    found = plan(of, 10)

    assert found.status is not None
    (attempt,) = found.status.attempts
    assert (found.status.phase, attempt.failure, attempt.start_time) == (phase, failure, at(1))


def test_what_the_pod_said_while_it_waited_is_not_the_reason() -> None:
    said = f"importing\n{begin_line(TASK_UID, 1)}\n{begin_line(TASK_UID, 1)}\nSegmentation fault"
    found = plan(world(given(), claim=claimed(), pod=warm_pod(exited(139, said))), 10)

    assert found.status is not None
    assert found.status.attempts[0].message == "The process ended with exit code 139: Segmentation fault"


def test_the_record_decides_as_for_any_pod() -> None:
    record = AttemptRecord(
        author=Author.RUNNER, task_uid=TASK_UID, attempt=1, pod_uid="pod-1", result=None, finish_time=at(2)
    )
    found = plan(world(given(), claim=claimed(), record=record, pod=warm_pod()), 2)

    assert found.status is not None
    assert found.status.phase == "Succeeded"


def test_a_retry_finds_a_pod_too() -> None:
    first = failed_attempt(job_name=JOB, pod_uid="pod-1", finish=2)
    found = decide(
        world(first, waiting_pod=warm_pod(uid="pod-2"), spec={"retry": retries(3, 0)}),
        at(30),
    )

    assert found.assign is not None
    assert (found.assign.attempt, found.assign.pod_uid) == (2, "pod-2")


def test_without_nats_for_good_the_container_is_believed() -> None:
    found = plan(world(given(), pod=warm_pod(exited(0)), bus="Off"), 10)

    assert found.status is not None
    assert found.status.phase == "Succeeded"
