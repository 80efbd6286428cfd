"""Whole plans: what happens to a Task, rule by rule and where rules meet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.builders import (
    EFFECTIVE,
    exited,
    failed_attempt,
    finished_status,
    make_attempt,
    make_job,
    make_pod,
    make_revision,
    make_status,
    make_task,
    make_world,
    pin,
    quota,
    retries,
    running,
)
from tests.support.clock import T0, at
from tests.support.crd import problems

from celeriac.api.v1alpha1 import Deadlines, Defaults, Effective, Failure, Phase, TaskQueueSpec, TaskStatus
from celeriac_operator.core.admission.standing import Granted, NotAsked, Waits
from celeriac_operator.core.decide import RULES, decide
from celeriac_operator.core.facts import Accepted, Refusal, World
from celeriac_operator.core.plan import CreateJob, CreateRevision, DeleteJob, DeletePod, DeleteTask, Plan


def effective(**fields: Any) -> Effective:
    """A policy with deadlines or retries beyond the built-in ones."""
    given = Deadlines(**{"start_seconds": 300, "grace_seconds": 30, **fields.pop("deadlines", {})})
    exact = EFFECTIVE.retry.backoff.model_copy(update={"jitter": "None"})
    retry = EFFECTIVE.retry.model_copy(update={"backoff": exact, **fields.pop("retry", {})})
    return EFFECTIVE.model_copy(update={"deadlines": given, "retry": retry, **fields})


WORLD_FIELDS = ("strays", "live", "pinned", "refusal", "defaults", "queue", "slot")


def world_of(status: Any = None, job: Any = None, pod: Any = None, **fields: Any) -> World:
    """A world from its parts; fields of the spec go to the Task."""
    whole = {name: fields.pop(name) for name in WORLD_FIELDS if name in fields}
    return make_world(make_task(status=status, **fields), job=job, pod=pod, **whole)


def summary(plan: Plan) -> dict[str, Any]:
    """What a plan does, in the words of the tables."""
    made = {CreateJob: lambda c: f"Job {c.attempt}", CreateRevision: lambda c: f"Revision {c.revision.name[:6]}"}
    gone = {DeletePod: lambda d: f"Pod {d.uid}", DeleteJob: lambda d: f"Job {d.uid}", DeleteTask: lambda d: "Task"}
    done: dict[str, Any] = {}
    if plan.create:
        done["create"] = [made[type(c)](c) for c in plan.create]  # type: ignore[no-untyped-call]
    if plan.status is not None:
        done["status"] = f"{plan.status.phase}/{plan.status.reason}"
    if plan.delete:
        done["delete"] = [gone[type(d)](d) for d in plan.delete]  # type: ignore[no-untyped-call]
    if plan.look_again is not None:
        done["again"] = (plan.look_again - T0).total_seconds()
    return done


def replace_policy(status: TaskStatus, **retry: Any) -> TaskStatus:
    """The status with another retry policy."""
    return status.model_copy(update={"effective": effective(retry=retry)})


UNDER_WAY = make_status(make_attempt())
BOUND = make_attempt(pod_uid="pod-1", pod_name="p", start_time=at(2))
RUNS = make_status(BOUND, start_time=at(2))
CANCELLING = BOUND.model_copy(update={"failure": Failure.CANCELLED, "message": "Cancelled"})
STOPPING = make_status(CANCELLING, start_time=at(2))
TOO_LONG = BOUND.model_copy(update={"failure": Failure.RUN_DEADLINE_EXCEEDED, "message": "It ran too long"})
LATE = make_status(TOO_LONG, start_time=at(2))
UNTIL_20 = effective(deadlines={"queue_seconds": 20})
EXACT = replace_policy(RUNS)
RETRYING = make_status(failed_attempt(), next_attempt_time=at(20), effective=effective(retry={"max_attempts": 3}))
FULL = Waits("QueueFull", "Waiting: queue default is at its limit of 1")
HELD = TaskQueueSpec(stop_policy="Hold")
DRAINED = TaskQueueSpec(stop_policy="HoldAndDrain", stop_reason="upgrade")
PREEMPTED = BOUND.model_copy(update={"failure": Failure.PREEMPTED, "message": "Queue default is being drained"})
PREEMPTING = make_status(PREEMPTED, start_time=at(2))
TOO_LARGE = Refusal(
    "QuotaExceeded",
    'pods "x" is forbidden: exceeded quota: q, requested: requests.cpu=4, used: requests.cpu=0, limited: '
    "requests.cpu=1500m",
    at(30),
)
SHORT_TTL = Defaults(ttl_seconds_after_finished=60)
REVISION = make_revision()
STORED = make_revision(stored=True)
STRAY = make_pod(running(), uid="stray")

TABLE: dict[str, tuple[World, float, dict[str, Any]]] = {
    # --- starting ---
    "a task without anything in its way gets its first Job": (world_of(), 0, {"create": ["Job 1"]}),
    "a definition's content is kept before its first Job names it": (
        world_of(definition_name="resize", live=REVISION),
        0,
        {"create": ["Revision resize", "Job 1"]},
    ),
    "a definition's content that is kept already is not kept again": (
        world_of(definition_name="resize", live=STORED),
        0,
        {"create": ["Job 1"]},
    ),
    "a task whose pinned revision is gone fails and says so": (
        world_of(make_status(definition=pin(REVISION)), definition_name="resize"),
        0,
        {"status": "Failed/InvalidPod"},
    ),
    "a task that is being deleted is left alone": (
        replace(world_of(), task=make_task(deleting=True)),
        0,
        {},
    ),
    "of a task that a finalizer keeps the Job goes": (
        replace(
            world_of(make_status(make_attempt()), job=make_job(), pod=make_pod()),
            task=make_task(status=make_status(make_attempt()), deleting=True),
        ),
        5,
        {"delete": ["Job job-1"]},
    ),
    "the Job of a task that a finalizer keeps goes once": (
        replace(
            world_of(job=make_job(deleting=True), pod=make_pod()),
            task=make_task(status=make_status(make_attempt()), deleting=True),
        ),
        5,
        {},
    ),
    # --- waiting ---
    "a missing definition is said only after a second": (world_of(definition_name="resize"), 0, {"again": 1}),
    "a missing definition is waited for, ten minutes": (
        world_of(definition_name="resize"),
        1,
        {"status": "Pending/DefinitionNotFound", "again": 600},
    ),
    "a definition that is missing for ten minutes ends the task": (
        world_of(definition_name="resize"),
        600,
        {"status": "Failed/DefinitionNotFound"},
    ),
    "queueSeconds replace the ten minutes for a missing definition": (
        world_of(definition_name="resize", deadlines={"queue_seconds": 900}),
        600,
        {"status": "Pending/DefinitionNotFound", "again": 900},
    ),
    "and end the task as they would, so that nobody looks for a queue that is too full": (
        world_of(definition_name="resize", deadlines={"queue_seconds": 900}),
        900,
        {"status": "Failed/DefinitionNotFound"},
    ),
    "queueSeconds count from the startTime, for a missing definition too": (
        world_of(definition_name="resize", deadlines={"queue_seconds": 900}, start_time=at(100)),
        950,
        {"status": "Pending/DefinitionNotFound", "again": 1000},
    ),
    "params that the schema refuses fail at once": (
        world_of(
            definition_name="resize",
            live=make_revision(params_schema={"required": ["who"]}),
        ),
        0,
        {"status": "Failed/InvalidParams"},
    ),
    "a suspended task gets no Job": (world_of(suspend=True), 2, {"status": "Pending/Suspended"}),
    "a suspended task still expires": (
        world_of(suspend=True, deadlines={"queue_seconds": 60}),
        60,
        {"status": "Expired/Expired"},
    ),
    "a suspended task can be cancelled": (
        world_of(suspend=True, cancel={"reason": "no"}),
        2,
        {"status": "Cancelled/Cancelled"},
    ),
    "suspension does not touch a running attempt": (
        world_of(RUNS, make_job(), make_pod(running()), suspend=True),
        5,
        {"status": "Running/Running"},
    ),
    "a task waits for its startTime": (
        world_of(start_time=at(60)),
        5,
        {"status": "Pending/StartTimeNotReached", "again": 60},
    ),
    "a startTime that has come holds nothing up": (world_of(start_time=at(60)), 60, {"create": ["Job 1"]}),
    "queueSeconds count from startTime where that is later": (
        world_of(start_time=at(60), deadlines={"queue_seconds": 10}),
        65,
        {"create": ["Job 1"]},
    ),
    "a quota that refuses the Job is not an attempt: the task is Queued": (
        world_of(refusal=quota(8)),
        3,
        {"status": "Queued/QuotaExceeded", "again": 8},
    ),
    "a Job that a quota refused is tried again": (world_of(refusal=quota(5)), 5, {"create": ["Job 1"]}),
    "a pod that admission refuses for good fails the task": (
        world_of(refusal=Refusal("InvalidPod", "spec.image: bad", at(5))),
        0,
        {"status": "Failed/InvalidPod"},
    ),
    "a Job of somebody else under our name is said and tried again": (
        world_of(refusal=Refusal("JobNameTaken", "Job x exists", at(8))),
        3,
        {"status": "Queued/JobNameTaken", "again": 8},
    ),
    "while a refusal lasts, its status does not try to keep the definition's content again": (
        world_of(definition_name="resize", live=REVISION, refusal=quota(8)),
        3,
        {"status": "Queued/QuotaExceeded", "again": 8},
    ),
    "totalSeconds count while nothing runs": (
        world_of(deadlines={"total_seconds": 30}),
        30,
        {"status": "Failed/TotalDeadlineExceeded"},
    ),
    # --- an attempt under way ---
    "a pod that starts as it should is not worth a write for three seconds": (
        world_of(None, make_job(), make_pod()),
        1,
        {"again": 3},
    ),
    "a pod that starts in company may take longer before it is said": (
        replace(world_of(None, make_job(), make_pod()), company=60),
        17,
        {"again": 18},
    ),
    "a pod in company is said in the end": (
        replace(world_of(None, make_job(), make_pod()), company=60),
        18,
        {"status": "Starting/Starting", "again": 301},
    ),
    "a short task in company is not said to run: its end is on its way": (
        replace(world_of(None, make_job(), make_pod(running())), company=60),
        5.5,
        {"again": 6},
    ),
    "a task in company that goes on is said to run": (
        replace(world_of(None, make_job(), make_pod(running())), company=60),
        6,
        {"status": "Running/Running"},
    ),
    "what was said before is corrected after three seconds, in any company": (
        replace(world_of(make_status(phase="Queued", observed_generation=1), make_job(), make_pod()), company=60),
        3,
        {"status": "Starting/Starting", "again": 301},
    ),
    "a pod that takes longer to start is said": (
        world_of(None, make_job(), make_pod()),
        3,
        {"status": "Starting/Starting", "again": 301},
    ),
    "a Job that was never recorded is found again after a restart": (
        world_of(None, make_job(), make_pod(running())),
        5,
        {"status": "Running/Running"},
    ),
    "a running attempt has its next deadline as timer": (
        world_of(
            make_status(BOUND, start_time=at(2), effective=effective(deadlines={"run_seconds": 50})),
            make_job(),
            make_pod(running()),
        ),
        5,
        {"status": "Running/Running", "again": 52},
    ),
    "why there is no pod is asked again after as long as was waited: nobody tells": (
        world_of(None, make_job()),
        9,
        {"status": "Starting/Starting", "again": 18},
    ),
    "a pod that no node takes is said while it is tried": (
        world_of(None, make_job(), make_pod(unschedulable="0/3 nodes are available")),
        5,
        {"status": "Starting/Unschedulable", "again": 301},
    ),
    "a pod that no quota lets in: Queued, and its start deadline does not run": (
        world_of(None, make_job(), refusal=quota(400)),
        395,
        {"status": "Queued/QuotaExceeded", "again": 400},
    ),
    "a pod that the quota let in at last has all of its start deadline": (
        world_of(UNDER_WAY, make_job(), make_pod(created=at(900))),
        905,
        {"status": "Starting/Starting", "again": 1200},
    ),
    "a pod that is gone while its Job says nothing is waited for": (
        world_of(RUNS, make_job()),
        8,
        {"status": "Running/Completing", "again": 10.0},
    ),
    # --- waiting for a slot ---
    "a task whose queue has a limit asks for a slot first": (world_of(slot=NotAsked()), 0, {"again": 1}),
    "a task that got its slot starts": (world_of(slot=Granted()), 0, {"create": ["Job 1"]}),
    "why it waits is said only after a second": (world_of(slot=FULL), 0.5, {"again": 1}),
    "why it waits is said then": (world_of(slot=FULL), 1, {"status": "Queued/QueueFull"}),
    "a task that waits for a slot still expires": (
        world_of(slot=FULL, deadlines={"queue_seconds": 60}),
        60,
        {"status": "Expired/Expired"},
    ),
    "a task that waits for a slot is cancelled at once": (
        world_of(slot=FULL, cancel={}),
        5,
        {"status": "Cancelled/Cancelled"},
    ),
    "a suspended task does not ask": (world_of(slot=NotAsked(), suspend=True), 2, {"status": "Pending/Suspended"}),
    "a retry that is due asks again": (world_of(RETRYING, slot=NotAsked()), 20, {"again": 21}),
    "a full queue does not touch an attempt that runs": (
        world_of(RUNS, make_job(), make_pod(running()), slot=FULL, queue=HELD),
        8,
        {"status": "Running/Running"},
    ),
    "a queue that is drained stops what runs": (
        world_of(RUNS, make_job(), make_pod(running()), queue=DRAINED),
        8,
        {"status": "Running/Stopping", "delete": ["Pod pod-1"], "again": 18},
    ),
    "an attempt that was drained is a disruption, and another follows": (
        world_of(replace_policy(PREEMPTING), make_job(), make_pod(exited(143), deleted_at=at(8)), queue=DRAINED),
        10,
        {"status": "Retrying/Preempted", "again": 19},
    ),
    "exit code 0 wins over a drain": (
        world_of(PREEMPTING, make_job(), make_pod(exited(0), deleted_at=at(8)), queue=DRAINED),
        10,
        {"status": "Succeeded/Succeeded"},
    ),
    "a Job that waits for a quota is taken back when its queue is drained": (
        world_of(None, make_job(), refusal=quota(30), queue=DRAINED),
        8,
        {"delete": ["Job job-1"], "again": 9},
    ),
    "a container where the queue takes none fails at once": (
        world_of(queue=TaskQueueSpec(inline_containers="Deny")),
        0,
        {"status": "Failed/InlineContainerDenied"},
    ),
    "a container that was accepted goes on where the queue takes none now": (
        world_of(make_status(), queue=TaskQueueSpec(inline_containers="Deny")),
        0,
        {"create": ["Job 1"]},
    ),
    "a Job that can never fit into its quota is told so": (
        world_of(refusal=TOO_LARGE),
        5,
        {"status": "Queued/QuotaExceeded", "again": 30},
    ),
    "a pod that can never fit into its quota is told so": (
        world_of(None, make_job(), refusal=TOO_LARGE),
        5,
        {"status": "Queued/QuotaExceeded", "again": 30},
    ),
    # --- Kueue ---
    "a Job that Kueue has not admitted is asked for, and its start deadline does not run": (
        world_of(None, make_job(suspended=True)),
        900,
        {"status": "Queued/KueuePending", "again": 905},
    ),
    "a Job that Kueue has admitted has all of its start deadline from then on": (
        world_of(None, make_job(started=at(900))),
        910,
        {"status": "Starting/Starting", "again": 1200},
    ),
    "a Job that Kueue has not admitted is taken back by a cancel": (
        world_of(None, make_job(suspended=True), cancel={}),
        8,
        {"delete": ["Job job-1"], "again": 9},
    ),
    "a Job that Kueue has not admitted expires without an attempt": (
        world_of(None, make_job(accepted=None, suspended=True), deadlines={"queue_seconds": 60}),
        60,
        {"delete": ["Job job-1"], "again": 61},
    ),
    "a pod whose quota Kueue took back is a disruption, and its Job goes": (
        world_of(replace_policy(RUNS), make_job(suspended=True), make_pod(exited(143), deleted_at=at(8))),
        10,
        {"status": "Retrying/Preempted", "delete": ["Job job-1"], "again": 19},
    ),
    "a pod whose quota Kueue took back and that is gone already is one, too": (
        world_of(replace_policy(RUNS), make_job(suspended=True)),
        10,
        {"status": "Retrying/Preempted", "delete": ["Job job-1"], "again": 20},
    ),
    # --- stopping ---
    "cancel first records why, then stops the pod": (
        world_of(RUNS, make_job(), make_pod(running()), cancel={}),
        8,
        {"status": "Running/Stopping", "delete": ["Pod pod-1"], "again": 18},
    ),
    "cancel before there is a pod takes the Job back": (
        world_of(None, make_job(), cancel={}),
        1,
        {"status": "Starting/Stopping", "delete": ["Job job-1"], "again": 2},
    ),
    "a stop that was recorded is carried out after a restart": (
        world_of(STOPPING, make_job(), make_pod(running()), cancel={}),
        8,
        {"delete": ["Pod pod-1"], "again": 18},
    ),
    "a pod that is being stopped is not deleted twice": (
        world_of(STOPPING, make_job(), make_pod(running(), deleted_at=at(8)), cancel={}),
        12,
        {"again": 22},
    ),
    "runSeconds stop a running attempt": (
        world_of(
            make_status(BOUND, start_time=at(2), effective=effective(deadlines={"run_seconds": 50})),
            make_job(),
            make_pod(running()),
        ),
        52,
        {"status": "Running/Stopping", "delete": ["Pod pod-1"], "again": 62},
    ),
    "startSeconds stop an attempt that does not start": (
        world_of(UNDER_WAY, make_job(), make_pod()),
        301,
        {"status": "Starting/Stopping", "delete": ["Pod pod-1"], "again": 311},
    ),
    "queueSeconds stop a first attempt that does not start": (
        world_of(make_status(make_attempt(), effective=UNTIL_20), make_job(), make_pod()),
        20,
        {"status": "Starting/Stopping", "delete": ["Pod pod-1"], "again": 30},
    ),
    "queueSeconds are over with the first start": (
        world_of(
            make_status(BOUND, start_time=at(2), effective=effective(deadlines={"queue_seconds": 20})),
            make_job(),
            make_pod(running()),
        ),
        25,
        {"status": "Running/Running"},
    ),
    "a pod that admission refuses for good takes its attempt with it": (
        world_of(UNDER_WAY, make_job(), refusal=Refusal("InvalidPod", "violates PodSecurity", at(9))),
        5,
        {"status": "Starting/Stopping", "delete": ["Job job-1"], "again": 6},
    ),
    # --- the end of an attempt ---
    "exit code 0 ends the task well": (
        world_of(RUNS, make_job(), make_pod(exited(0))),
        10,
        {"status": "Succeeded/Succeeded"},
    ),
    "exit code 0 wins over a cancel that came first": (
        world_of(STOPPING, make_job(), make_pod(exited(0), deleted_at=at(8)), cancel={}),
        10,
        {"status": "Succeeded/Succeeded"},
    ),
    "exit code 0 wins over a deadline that passed meanwhile": (
        world_of(
            make_status(BOUND, start_time=at(2), effective=effective(deadlines={"run_seconds": 5, "total_seconds": 8})),
            make_job(),
            make_pod(exited(0)),
        ),
        60,
        {"status": "Succeeded/Succeeded"},
    ),
    "another exit code of a cancelled task is Cancelled": (
        world_of(STOPPING, make_job(), make_pod(exited(143), deleted_at=at(8)), cancel={}),
        10,
        {"status": "Cancelled/Cancelled"},
    ),
    "a failed attempt without another left fails the task": (
        world_of(RUNS, make_job(), make_pod(exited(1))),
        10,
        {"status": "Failed/AppError"},
    ),
    "a failed attempt with others left is Retrying, from the attempt's end on": (
        world_of(replace_policy(RUNS, max_attempts=2), make_job(), make_pod(exited(1))),
        10,
        {"status": "Retrying/AppError", "again": 19},
    ),
    "a Retrying task that was found late has nothing to wait for": (
        world_of(replace_policy(RUNS, max_attempts=2), make_job(), make_pod(exited(1))),
        500,
        {"status": "Retrying/AppError"},
    ),
    "a failed attempt past totalSeconds fails the task for that": (
        world_of(
            make_status(
                BOUND, start_time=at(2), effective=effective(deadlines={"total_seconds": 8}, retry={"max_attempts": 5})
            ),
            make_job(),
            make_pod(exited(1)),
        ),
        10,
        {"status": "Failed/TotalDeadlineExceeded"},
    ),
    "an attempt that was stopped before it started, past queueSeconds, is Expired": (
        world_of(
            make_status(
                make_attempt(failure=Failure.START_DEADLINE_EXCEEDED, message="Expired"),
                effective=effective(deadlines={"queue_seconds": 20}),
            ),
        ),
        31,
        {"status": "Expired/Expired"},
    ),
    "a lost Job is a disruption, not an attempt": (
        world_of(replace_policy(RUNS)),
        10,
        {"status": "Retrying/JobLost", "again": 20},
    ),
    "a disruption beyond maxDisruptions fails the task with its class": (
        world_of(replace_policy(RUNS, max_disruptions=0)),
        10,
        {"status": "Failed/JobLost"},
    ),
    "a Job that completed without its pod succeeded without a result, and warns": (
        world_of(RUNS, make_job(complete=True)),
        10,
        {"status": "Succeeded/Succeeded"},
    ),
    "a second pod of the Job goes when the task ends": (
        world_of(RUNS, make_job(), make_pod(exited(0)), strays=(STRAY,)),
        10,
        {"status": "Succeeded/Succeeded", "delete": ["Pod stray"]},
    ),
    "a second pod of the Job is not this attempt": (
        world_of(replace_policy(RUNS), make_job(), strays=(STRAY,)),
        10,
        {"status": "Retrying/PodDeleted", "delete": ["Pod stray"], "again": 20},
    ),
    "a result that the schema refuses fails the task": (
        world_of(
            make_status(BOUND, definition=pin(STORED)),
            make_job(),
            make_pod(exited(0, "7")),
            pinned=make_revision(stored=True, result_schema={"type": "string"}),
        ),
        10,
        {"status": "Failed/ResultInvalid"},
    ),
    # --- a node that does not answer ---
    "a stopped pod has its grace period and two minutes": (
        world_of(STOPPING, make_job(), make_pod(running(), deleted_at=at(8)), cancel={}),
        157,
        {"again": 167},
    ),
    "a cancelled task does not wait for its node for ever": (
        world_of(STOPPING, make_job(), make_pod(running(), deleted_at=at(8)), cancel={}),
        158,
        {"status": "Cancelled/Cancelled"},
    ),
    "a cancel that comes when another deadline has stopped the pod ends the task, too": (
        world_of(replace_policy(LATE, max_attempts=2), make_job(), make_pod(running(), deleted_at=at(8)), cancel={}),
        158,
        {"status": "Cancelled/Cancelled"},
    ),
    "a task without another attempt left does not wait for its node for ever": (
        world_of(LATE, make_job(), make_pod(running(), deleted_at=at(8))),
        158,
        {"status": "Failed/RunDeadlineExceeded"},
    ),
    "an attempt that another would follow waits for its node, so that two never run at once": (
        world_of(replace_policy(LATE, max_attempts=2), make_job(), make_pod(running(), deleted_at=at(8))),
        5000,
        {"again": 5010},
    ),
    # --- between attempts ---
    "the next attempt waits for its time": (
        world_of(RETRYING),
        15,
        {"status": "Retrying/AppError", "again": 20},
    ),
    "the next attempt starts at its time": (world_of(RETRYING), 20, {"create": ["Job 2"]}),
    "cancel between attempts is at once": (world_of(RETRYING, cancel={}), 15, {"status": "Cancelled/Cancelled"}),
    "suspension between attempts holds the next one up": (
        world_of(RETRYING, suspend=True),
        25,
        {"status": "Pending/Suspended"},
    ),
    "queueSeconds are not for retries": (
        world_of(
            make_status(
                failed_attempt(start_time=at(2)), start_time=at(2), effective=effective(deadlines={"queue_seconds": 12})
            )
        ),
        25,
        {"create": ["Job 2"]},
    ),
    "attempts count disruptions, too, so that a number is never used twice": (
        world_of(make_status(failed_attempt(7, Failure.EVICTED), attempt_count=7, disruption_count=7)),
        25,
        {"create": ["Job 8"]},
    ),
    # --- finished ---
    "a finished task is kept for its TTL": (world_of(finished_status()), 25, {"again": 3620}),
    "a finished task goes after its TTL": (world_of(finished_status()), 3620, {"delete": ["Task"]}),
    "the TTL can be changed after the end": (
        world_of(finished_status(), ttl_seconds_after_finished=0),
        25,
        {"delete": ["Task"]},
    ),
    "a task that finished before it was accepted has the operator's TTL": (
        world_of(
            finished_status(effective=None), definition_name="resize", defaults=Defaults(ttl_seconds_after_finished=60)
        ),
        25,
        {"again": 80},
    ),
    "a pod that turns up after the end is stopped": (
        world_of(finished_status(), strays=(STRAY,)),
        25,
        {"delete": ["Pod stray"], "again": 3620},
    ),
    "the pod of a task that the operator gave up is stopped": (
        world_of(finished_status(), pod=make_pod(running())),
        25,
        {"delete": ["Pod pod-1"], "again": 3620},
    ),
    "nothing changes a finished task: not cancel, not a deadline, not a pod": (
        world_of(finished_status(), make_job(), make_pod(exited(1)), cancel={}, deadlines={"total_seconds": 1}),
        25,
        {"again": 3620},
    ),
}


@pytest.mark.parametrize(("world", "now", "wanted"), TABLE.values(), ids=TABLE)
def test_plan(world: World, now: float, wanted: dict[str, Any]) -> None:
    plan = decide(world, at(now))

    assert wanted == summary(plan)


@pytest.mark.parametrize(("world", "now", "wanted"), TABLE.values(), ids=TABLE)
def test_written_status_is_one_that_the_api_server_takes(world: World, now: float, wanted: dict[str, Any]) -> None:
    status = decide(world, at(now)).status

    assert status is None or (status.message and problems(status.to_wire()) == [])


@pytest.mark.parametrize(("world", "now", "wanted"), TABLE.values(), ids=TABLE)
def test_once_written_it_is_not_written_again(world: World, now: float, wanted: dict[str, Any]) -> None:
    plan = decide(world, at(now))
    if plan.status is None:
        return
    written = type(plan.status).model_validate(plan.status.to_wire())
    again = decide(replace(world, task=replace(world.task, status=written)), at(now))

    assert again.status is None
    assert again.look_again is None or again.look_again > at(now)


@pytest.mark.parametrize(
    ("observed", "see"),
    [
        pytest.param(2, True, id="a change that comes after the end is seen"),
        pytest.param(3, False, id="once"),
        pytest.param(None, False, id="not where no status was of any generation"),
    ],
)
def test_what_is_asked_of_a_finished_task_changes_nothing_else(observed: int | None, see: bool) -> None:
    """`kubectl wait` passes over conditions of an older generation, and would not end."""
    world = world_of(finished_status(observed_generation=observed), cancel={"reason": "too late"})
    plan = decide(replace(world, task=replace(world.task, generation=3)), at(25))

    assert Plan(see=see, look_again=at(3620)) == plan


def test_a_condition_that_stays_is_seen_to_hold_of_the_present_spec() -> None:
    first = decide(world_of(suspend=True), at(5)).status
    assert first is not None
    world = world_of(first, suspend=True, priority=5)
    second = decide(replace(world, task=replace(world.task, generation=2)), at(6)).status

    assert second is not None
    assert {2} == {second.observed_generation, *(each.observed_generation for each in second.conditions)}


def test_the_job_carries_what_the_task_was_accepted_with() -> None:
    plan = decide(world_of(retry=retries(3), queue_name="slow"), T0)

    (create,) = plan.create
    assert isinstance(create, CreateJob)
    assert (create.accepted.effective.queue_name, create.accepted.effective.retry.max_attempts) == ("slow", 3)


def test_a_job_that_was_not_recorded_yet_decides_what_the_task_was_accepted_with() -> None:
    accepted = Accepted(effective(retry={"max_attempts": 7}), pin(REVISION))
    world = world_of(None, make_job(accepted=accepted), make_pod(running()), definition_name="resize")

    status = decide(world, at(5)).status
    assert status is not None
    assert (status.effective, status.definition) == (accepted.effective, accepted.definition)


def test_an_attempt_whose_policy_nobody_knows_any_more_still_ends() -> None:
    """Its Job's annotation was edited away before the first status write, and its definition deleted."""
    world = world_of(None, make_job(accepted=None), make_pod(exited(1)), definition_name="resize")

    assert summary(decide(world, at(10)))["status"] == "Failed/AppError"


def test_what_changes_only_in_words_is_not_written_again() -> None:
    """A quota's message counts what is used, and a pull fails in two phrasings in turn."""
    first = decide(world_of(refusal=quota(8)), at(3)).status
    assert first is not None
    other = replace(quota(8), message="exceeded quota: pods, used: pods=9")

    assert decide(world_of(first, refusal=other), at(4)).status is None


@pytest.mark.parametrize(
    ("reason", "first", "then", "written"),
    [
        pytest.param("QueueHeld", "held: the disk is full", "held: upgrade", True, id="another reason of a person's"),
        pytest.param("QueueHeld", "held: the disk is full", "is being drained", True, id="another way to be stopped"),
        pytest.param("QueueFull", "at its limit of 10", "at its limit of 11", False, id="a limit that is adjusted"),
    ],
)
def test_a_task_that_waits_says_a_persons_words_as_they_are_now(
    reason: str, first: str, then: str, written: bool
) -> None:
    known = decide(replace(world_of(), slot=Waits(reason, first)), at(3)).status
    again = decide(replace(world_of(known), slot=Waits(reason, then)), at(9)).status

    assert (then if written else None) == (again.message if again is not None else None)


def test_a_start_time_at_the_end_of_time_raises_nothing() -> None:
    world = world_of(start_time="9999-12-31T23:59:59Z", deadlines={"queue_seconds": 3600, "total_seconds": 3600})

    assert decide(world, at(2)).status is not None


def test_every_write_of_a_task_that_does_not_wait() -> None:
    """Job create, Running, finished: not more."""
    created = decide(world_of(), T0)
    silent = decide(world_of(None, make_job(), make_pod()), at(1))
    quick = decide(world_of(None, make_job(), make_pod(running())), at(2))
    runs = decide(world_of(None, make_job(), make_pod(running())), at(4))
    ended = decide(world_of(runs.status, make_job(), make_pod(exited(0, "7"))), at(10))
    after = decide(world_of(ended.status, make_job(complete=True), make_pod(exited(0, "7"))), at(12))

    plans = (created, silent, quick, runs, ended, after)
    assert [bool(p.create) + (p.status is not None) for p in plans] == [1, 0, 0, 1, 1, 0]
    assert ended.status is not None
    assert ended.status.phase is Phase.SUCCEEDED


def test_every_rule_is_there_once() -> None:
    assert len(set(RULES)) == len(RULES)


def test_a_task_that_a_quota_kept_out_ends_without_an_attempt() -> None:
    """The Job is taken back first; only then is there nothing that could still start."""
    kept = make_world(make_task(deadlines=Deadlines(queue_seconds=20)), job=make_job(accepted=None), refusal=quota(25))

    stopping = decide(kept, at(21))
    going = decide(replace(kept, job=make_job(accepted=None, deleting=True), refusal=None), at(22))
    gone = decide(replace(kept, job=None, refusal=None), at(23))

    assert (stopping.status, len(stopping.delete)) == (None, 1)
    assert (going.status, going.delete) == (None, ())
    assert gone.status is not None
    assert (gone.status.phase, gone.status.attempt_count) == (Phase.EXPIRED, 0)


def test_a_drain_says_which_queue_and_why() -> None:
    plan = decide(world_of(RUNS, make_job(), make_pod(running()), queue=DRAINED), at(8))

    assert plan.status is not None
    assert plan.status.attempts[-1].failure == "Preempted"
    assert plan.status.attempts[-1].message == "Queue default is being drained: upgrade"


def test_a_task_that_can_never_fit_is_stalled_and_says_what_is_too_much() -> None:
    status = decide(world_of(refusal=TOO_LARGE), at(5)).status

    assert status is not None
    stalled = status.condition("Stalled")
    assert stalled is not None
    assert stalled.status == "True"
    assert status.message == (
        "It can never fit: quota q allows requests.cpu 1500m in all, and this task needs 4. "
        "Ask for less, or have the quota raised"
    )


def test_the_job_of_a_queue_with_kueue_names_the_local_queue() -> None:
    (create,) = decide(world_of(queue=TaskQueueSpec(kueue_queue_name="team-a")), T0).create

    assert isinstance(create, CreateJob)
    assert create.kueue_queue == "team-a"
