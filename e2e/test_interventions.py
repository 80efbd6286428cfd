"""What people and the cluster do to tasks meanwhile: cancel, suspend, evict, delete, fill a quota, change a definition.

Tasks that are to be interfered with are submitted at once; each test then waits for its own.
"""

from datetime import datetime, timedelta

import pytest
from e2e.cluster import commands, kubectl
from e2e.support.kube import DEFINITIONS, JOBS, NAMESPACES, PODS, QUOTAS, REVISIONS, TASKS, Kube, Obj
from e2e.support.manifests import backoff, definition, quota, secret, task, task_of
from e2e.support.namespaces import Namespace
from e2e.support.predicates import (
    Predicate,
    attempt_ended,
    attempt_runs,
    attempts,
    condition,
    gone,
    phase,
    reason,
    status,
)
from tests.support.invariants import said

FAR = "2126-12-01T10:00:00Z"
SLEEPS = "trap 'exit 143' TERM; sleep 300 & wait"
FIRST_SLEEPS = f'[ "$CELERIAC_ATTEMPT" = 1 ] || exit 0; {SLEEPS}'
ONCE_MORE = {"backoff": backoff()}
TWICE = {"maxAttempts": 2, "backoff": backoff()}

EARLY: list[Obj] = []


def early(manifest: Obj) -> str:
    """A Task that is submitted with all the others; its name."""
    EARLY.append(manifest)
    return str(manifest["metadata"]["name"])


@pytest.fixture(scope="module")
def submitted(shared_namespace: Namespace) -> Namespace:
    """The namespace in which all early Tasks were submitted."""
    shared_namespace.submit(*EARLY)
    return shared_namespace


def ending(task_obj: Obj) -> tuple[str, str]:
    found = status(task_obj)
    return found["phase"], found["reason"]


def failures(task_obj: Obj) -> list[str | None]:
    return [each.get("failure") for each in attempts(task_obj)]


def later(time: str, seconds: int) -> str:
    return (datetime.fromisoformat(time) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


# Cancel

RUNNING = early(task("cancel-running", SLEEPS))
GRACEFUL = early(task("cancel-graceful", "trap 'echo 7 > $CELERIAC_RESULT_FILE; exit 0' TERM; sleep 300 & wait"))
DEAF = early(task("cancel-deaf", "trap '' TERM; sleep 300 & wait; wait", deadlines={"graceSeconds": 2}))
NOT_YET = early(task("cancel-not-yet", startTime=FAR))
ASLEEP = early(task("cancel-asleep", suspend=True))
BETWEEN = early(task("cancel-between", "exit 1", retry={"maxAttempts": 2, "backoff": backoff(3600)}))


def test_a_running_task_is_cancelled_with_its_reason(submitted: Namespace) -> None:
    submitted.wait(RUNNING, attempt_runs(1))
    pod = submitted.pod_name(RUNNING)

    submitted.cancel(RUNNING, "no longer needed")

    ended = submitted.wait(RUNNING)
    assert ending(ended) == ("Cancelled", "Cancelled")
    assert "no longer needed" in status(ended)["message"]
    assert failures(ended) == ["Cancelled"]
    assert attempts(ended)[0]["exitCode"] == 143
    assert condition(ended, "Stalled") == "False"
    submitted.kube.wait(PODS, submitted.name, pod, gone())


def test_exit_code_0_within_the_grace_period_of_a_cancel_is_success(submitted: Namespace) -> None:
    submitted.wait(GRACEFUL, attempt_runs(1))

    submitted.cancel(GRACEFUL)

    ended = submitted.wait(GRACEFUL)
    assert ending(ended) == ("Succeeded", "Succeeded")
    assert status(ended)["result"] == {"value": 7}


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_period_of_a_cancel(submitted: Namespace) -> None:
    submitted.wait(DEAF, attempt_runs(1))

    submitted.cancel(DEAF)

    ended = submitted.wait(DEAF)
    assert ending(ended) == ("Cancelled", "Cancelled")
    assert attempts(ended)[0]["exitCode"] == 137


@pytest.mark.parametrize("name", [NOT_YET, ASLEEP])
def test_a_task_that_waits_is_cancelled_without_ever_starting(submitted: Namespace, name: str) -> None:
    submitted.wait(name, phase("Pending"))

    submitted.cancel(name)

    assert ending(submitted.wait(name)) == ("Cancelled", "Cancelled")
    assert submitted.jobs_of(name) == []


def test_a_task_is_cancelled_between_two_attempts(submitted: Namespace) -> None:
    submitted.wait(BETWEEN, phase("Retrying"))

    submitted.cancel(BETWEEN)

    ended = submitted.wait(BETWEEN)
    assert ending(ended) == ("Cancelled", "Cancelled")
    assert failures(ended) == ["AppError"]


def test_a_task_that_was_cancelled_before_it_was_seen_never_starts(namespace: Namespace) -> None:
    namespace.submit(task("stillborn", cancel={"reason": "a mistake"}))

    assert ending(namespace.wait("stillborn")) == ("Cancelled", "Cancelled")
    assert namespace.jobs_of("stillborn") == []


def test_a_task_whose_pod_fits_no_node_is_cancelled(submitted: Namespace) -> None:
    submitted.define(definition("no-node", pod={"nodeSelector": {"celeriac.dev/e2e": "no-such-node"}}))
    submitted.submit(task_of("no-node", "cancel-unschedulable"))
    submitted.wait("cancel-unschedulable", reason("Unschedulable"))

    submitted.cancel("cancel-unschedulable")

    assert ending(submitted.wait("cancel-unschedulable")) == ("Cancelled", "Cancelled")


# Suspend and startTime

SUSPENDED = early(task("suspended", suspend=True))


def test_a_suspended_task_says_so_and_starts_when_it_is_resumed(submitted: Namespace) -> None:
    waiting = submitted.wait(SUSPENDED, reason("Suspended"))
    assert status(waiting)["phase"] == "Pending"
    assert submitted.jobs_of(SUSPENDED) == []

    submitted.set(SUSPENDED, suspend=False)

    assert ending(submitted.wait(SUSPENDED)) == ("Succeeded", "Succeeded")


def test_a_running_attempt_goes_on_when_its_task_is_suspended(namespace: Namespace) -> None:
    namespace.submit(task("goes-on", "sleep 4"))
    namespace.wait("goes-on", attempt_runs(1))

    namespace.set("goes-on", suspend=True)

    assert ending(namespace.wait("goes-on")) == ("Succeeded", "Succeeded")


def test_no_further_attempt_starts_while_its_task_is_suspended(submitted: Namespace) -> None:
    name = "paused-between"
    submitted.submit(task(name, '[ "$CELERIAC_ATTEMPT" = 2 ]', retry={"maxAttempts": 2, "backoff": backoff(6)}))
    submitted.wait(name, attempt_ended(1))
    submitted.set(name, suspend=True)
    waiting = submitted.wait(name, reason("Suspended"))
    assert status(waiting)["phase"] == "Pending"

    submitted.set(name, suspend=False)

    ended = submitted.wait(name)
    assert ending(ended) == ("Succeeded", "Succeeded")
    assert failures(ended) == ["AppError", None]


def test_a_task_starts_not_before_its_start_time(submitted: Namespace) -> None:
    now = submitted.kube.create(task("probe"), submitted.name, dry_run=True)["metadata"]["creationTimestamp"]
    at = later(now, 6)
    submitted.submit(task("eta", startTime=at))

    waiting = submitted.wait("eta", reason("StartTimeNotReached"))
    assert status(waiting)["phase"] == "Pending"
    ended = submitted.wait("eta")
    assert ending(ended) == ("Succeeded", "Succeeded")
    assert status(ended)["admitTime"] >= at
    assert submitted.jobs_of("eta")[0]["metadata"]["creationTimestamp"] >= at


# Disruptions

POD_DELETED = early(task("pod-deleted", FIRST_SLEEPS, retry=ONCE_MORE))
JOB_DELETED = early(task("job-deleted", FIRST_SLEEPS, retry=ONCE_MORE))
EVICTED = early(task("evicted", FIRST_SLEEPS, retry=ONCE_MORE))
TOO_OFTEN = early(task("too-often", SLEEPS, retry={"maxDisruptions": 0, "maxAttempts": 5}))


def _delete_pod(namespace: Namespace, name: str) -> None:
    namespace.kube.delete(PODS, namespace.name, namespace.pod_name(name))


def _delete_job(namespace: Namespace, name: str) -> None:
    namespace.kube.delete(JOBS, namespace.name, namespace.job_name(name))


def _evict(namespace: Namespace, name: str) -> None:
    namespace.kube.evict(namespace.name, namespace.pod_name(name))


@pytest.mark.parametrize(
    ("name", "disrupt", "failure"),
    [
        pytest.param(POD_DELETED, _delete_pod, "PodDeleted", id="its pod is deleted"),
        pytest.param(JOB_DELETED, _delete_job, "JobLost", id="its Job is deleted"),
        pytest.param(EVICTED, _evict, "Evicted", id="its pod is evicted"),
    ],
)
def test_a_task_is_tried_again_without_using_up_an_attempt_when(
    submitted: Namespace, name: str, disrupt: object, failure: str
) -> None:
    submitted.wait(name, attempt_runs(1))

    assert callable(disrupt)
    disrupt(submitted, name)

    ended = submitted.wait(name)
    assert failures(ended) == [failure, None]
    assert ending(ended) == ("Succeeded", "Succeeded")
    assert status(ended)["disruptionCount"] == 1
    assert status(ended)["effective"]["retry"]["maxAttempts"] == 1


def test_a_task_that_was_disrupted_too_often_fails_with_that_class(submitted: Namespace) -> None:
    submitted.wait(TOO_OFTEN, attempt_runs(1))

    _evict(submitted, TOO_OFTEN)

    ended = submitted.wait(TOO_OFTEN)
    assert ending(ended) == ("Failed", "Evicted")
    assert len(attempts(ended)) == 1


def test_a_pod_that_is_killed_without_grace_is_a_disruption(namespace: Namespace) -> None:
    namespace.submit(task("shot", FIRST_SLEEPS, retry=ONCE_MORE))
    namespace.wait("shot", attempt_runs(1))

    namespace.kube.delete(PODS, namespace.name, namespace.pod_name("shot"), grace_seconds=0)

    ended = namespace.wait("shot")
    assert failures(ended) == ["PodDeleted", None]
    assert ending(ended) == ("Succeeded", "Succeeded")


# Quotas

COUNTED = Predicate("counted", lambda obj: "used" in status(obj))
"""A new quota holds once the quota controller has counted."""


@pytest.mark.parametrize(
    "hard",
    [pytest.param({"pods": "0"}, id="the quota counts pods"), pytest.param({"jobs": "0"}, id="the quota counts Jobs")],
)
def test_a_full_quota_is_waited_for_without_an_attempt_when(namespace: Namespace, hard: dict[str, str]) -> None:
    namespace.apply(quota("full", **hard))
    namespace.kube.wait(QUOTAS, namespace.name, "full", COUNTED)
    namespace.submit(task("waits", deadlines={"startSeconds": 5}))
    waiting = namespace.wait("waits", reason("QuotaExceeded"))
    assert status(waiting)["phase"] == "Queued"
    assert "full" in status(waiting)["message"]

    namespace.apply(quota("full", **dict.fromkeys(hard, "10")))

    ended = namespace.wait("waits")
    assert ending(ended) == ("Succeeded", "Succeeded")
    assert [each["number"] for each in attempts(ended)] == [1]


def test_a_task_that_waits_for_a_quota_can_be_cancelled(namespace: Namespace) -> None:
    namespace.apply(quota("full", pods="0"))
    namespace.kube.wait(QUOTAS, namespace.name, "full", COUNTED)
    namespace.submit(task("waits"))
    namespace.wait("waits", reason("QuotaExceeded"))

    namespace.cancel("waits")

    assert ending(namespace.wait("waits")) == ("Cancelled", "Cancelled")


# Definitions


def _says(text: str) -> str:
    return f"""echo '"{text}"' > $CELERIAC_RESULT_FILE; [ "$CELERIAC_ATTEMPT" = 2 ]"""


@pytest.mark.parametrize(
    "change",
    [pytest.param(True, id="was changed"), pytest.param(False, id="was deleted")],
)
def test_a_waiting_task_keeps_the_revision_it_was_accepted_with_when_its_definition(
    namespace: Namespace, change: bool
) -> None:
    namespace.define(definition("voice", _says("old")))
    namespace.submit(task_of("voice", "keeps", retry={"maxAttempts": 2, "backoff": backoff(4)}))
    before = namespace.wait("keeps", attempt_ended(1))

    if change:
        namespace.define(definition("voice", _says("new")))
        namespace.submit(task_of("voice", "new", retry=TWICE))
        assert status(namespace.wait("new"))["result"] == {"value": "new"}
    else:
        namespace.kube.delete(DEFINITIONS, namespace.name, "voice")

    ended = namespace.wait("keeps")
    assert status(ended)["result"] == {"value": "old"}
    assert status(ended)["definition"] == status(before)["definition"]


def test_a_revision_is_written_once_for_many_tasks(namespace: Namespace) -> None:
    namespace.define(definition("shared"))
    namespace.submit(*(task_of("shared", f"task-{number}") for number in range(4)))

    ended = [namespace.wait(f"task-{number}") for number in range(4)]

    (revision,) = {status(each)["definition"]["revision"] for each in ended}
    stored = namespace.kube.list(REVISIONS, namespace.name)
    assert [each["metadata"]["name"] for each in stored] == [revision]


def test_a_task_that_came_before_its_definition_waits_for_it(submitted: Namespace) -> None:
    submitted.submit(task_of("comes-later", "first"))
    waiting = submitted.wait("first", reason("DefinitionNotFound"))
    assert status(waiting)["phase"] == "Pending"
    assert condition(waiting, "Accepted") == "False"

    submitted.define(definition("comes-later"))

    ended = submitted.wait("first")
    assert ending(ended) == ("Succeeded", "Succeeded")
    assert condition(ended, "Accepted") == "True"


def test_a_definition_grants_a_secret_to_its_tasks(submitted: Namespace) -> None:
    variable = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "tokens", "key": "api"}}}
    submitted.apply(secret("tokens", api="s3cret"))
    submitted.define(
        definition("granted", 'printf "%s" "$TOKEN" > $CELERIAC_RESULT_FILE', container_fields={"env": [variable]})
    )
    submitted.submit(task_of("granted", "granted"))

    assert status(submitted.wait("granted"))["result"] == {"value": "s3cret"}


def test_defaults_of_the_definition_hold_where_the_task_says_nothing(submitted: Namespace) -> None:
    defaults = {"priority": 5, "retry": {"maxAttempts": 4, "backoff": backoff()}, "deadlines": {"runSeconds": 50}}
    submitted.define(definition("defaults", defaults=defaults))
    submitted.submit(task_of("defaults", "defaulted", deadlines={"totalSeconds": 500}, retry={"maxAttempts": 2}))

    effective = status(submitted.wait("defaulted"))["effective"]
    assert effective["priority"] == 5
    assert effective["retry"]["maxAttempts"] == 2
    assert effective["retry"]["backoff"]["initialSeconds"] == 0
    assert effective["deadlines"] == {"startSeconds": 300, "runSeconds": 50, "totalSeconds": 500, "graceSeconds": 30}


# The end


def test_a_finished_task_and_its_jobs_go_after_its_ttl(submitted: Namespace) -> None:
    submitted.submit(task("short-lived", ttlSecondsAfterFinished=1))

    submitted.wait("short-lived", gone())
    for job in submitted.jobs_of("short-lived"):
        submitted.kube.wait(JOBS, submitted.name, job["metadata"]["name"], gone())
    for pod in submitted.pods_of("short-lived"):
        submitted.kube.wait(PODS, submitted.name, pod["metadata"]["name"], gone())


def test_the_ttl_can_be_shortened_after_the_end(submitted: Namespace) -> None:
    submitted.submit(task("kept"))
    submitted.wait("kept")

    submitted.set("kept", ttlSecondsAfterFinished=0)

    submitted.wait("kept", gone())


def test_a_deleted_task_takes_its_running_pod_with_it(namespace: Namespace) -> None:
    namespace.submit(task("deleted", SLEEPS))
    namespace.wait("deleted", attempt_runs(1))
    pod = namespace.pod_name("deleted")

    namespace.delete_task("deleted")

    namespace.kube.wait(PODS, namespace.name, pod, gone())
    assert namespace.jobs_of("deleted") == []


def test_what_is_finished_stays_as_it_is(namespace: Namespace) -> None:
    namespace.submit(task("done", "echo 1 > $CELERIAC_RESULT_FILE"))
    ended = namespace.wait("done")

    namespace.cancel("done")
    wait_with_kubectl(namespace, "done", "Finished")
    for job in namespace.jobs_of("done"):
        namespace.kube.delete(JOBS, namespace.name, job["metadata"]["name"])
        namespace.kube.wait(JOBS, namespace.name, job["metadata"]["name"], gone())
    namespace.submit(task("after"))
    namespace.wait("after")

    assert said(status(namespace.task("done"))) == said(status(ended))
    assert namespace.jobs_of("done") == []


def wait_with_kubectl(namespace: Namespace, name: str, condition: str) -> None:
    """As people do. It passes over a condition of an older generation than the spec's."""
    where = (f"--kubeconfig={namespace.kube.kubeconfig}", f"--namespace={namespace.name}")
    commands.run(kubectl.find(), *where, "wait", f"task/{name}", f"--for=condition={condition}", "--timeout=120s")


def test_a_task_of_the_same_name_runs_again_after_a_deletion(namespace: Namespace) -> None:
    for _ in range(2):
        namespace.submit(task("again"))
        assert ending(namespace.wait("again")) == ("Succeeded", "Succeeded")
        namespace.delete_task("again")


def test_a_namespace_with_running_tasks_can_be_deleted(kube: Kube, namespace: Namespace) -> None:
    namespace.submit(task("runs", SLEEPS), task("waits", suspend=True))
    namespace.wait("runs", attempt_runs(1))

    kube.delete(NAMESPACES, None, namespace.name)

    kube.wait(NAMESPACES, None, namespace.name, gone())
    assert kube.list(TASKS, namespace.name) == []
