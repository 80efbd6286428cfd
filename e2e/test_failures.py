"""Every class of failure, provoked for real: what goes wrong is told by its name, and by a sentence with the cause.

All tasks of the table are submitted at once and then waited for one after the other, so that the slow ones cost once.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from e2e.support.kube import PODS, Obj
from e2e.support.manifests import backoff, definition, task, task_of
from e2e.support.namespaces import Namespace
from e2e.support.predicates import attempts, condition, gone, status

ABSENT = "localhost/celeriac-e2e-absent:1"
UNREACHABLE = "registry.invalid/celeriac-e2e:1"
SEEN = 25
"""startSeconds where the kubelet must have come to it by then; a batch of pods keeps it busy for a while."""
SLEEPS = "trap 'exit 143' TERM; sleep 300 & wait"
NO_NODE = {"nodeSelector": {"celeriac.dev/e2e": "no-such-node"}}


@dataclass(frozen=True)
class Case:
    """A task, and how it must end."""

    sentence: str
    task: Obj
    phase: str
    reason: str
    says: str = ""
    """Pattern in status.message."""
    attempts: int = 1
    needs: tuple[Obj, ...] = field(default=())
    """Definitions and secrets."""
    exit_code: int | None = None


def failed(sentence: str, reason: str, wanted: Obj, says: str = "", **more: Any) -> Case:
    """A task that must fail."""
    return Case(sentence, wanted, "Failed", reason, says, **more)


def failed_of(sentence: str, reason: str, needed: Obj, says: str = "", **more: Any) -> Case:
    """A task of a definition of its own, that must fail; `spec` is the task's."""
    name = needed["metadata"]["name"]
    return failed(sentence, reason, task_of(name, name, **more.pop("spec", {})), says, needs=(needed,), **more)


def _missing_secret(key: str = "k") -> Obj:
    return {"env": [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "no-such-secret", "key": key}}}]}


_SECRET_VOLUME = {
    "volumes": [{"name": "keys", "secret": {"secretName": "no-such-secret"}}],
    "volumeMounts": [{"name": "keys", "mountPath": "/keys"}],
}
_HALF_A_DEVICE = {"resources": {"limits": {"example.com/device": "500m"}}}
_HUNGRY = {"command": ["tail", "/dev/zero"], "resources": {"limits": {"memory": "32Mi"}}}
_GLUTTON = {"resources": {"limits": {"ephemeral-storage": "64Mi"}}}
_RETRIES = {"maxAttempts": 3, "backoff": backoff()}

CASES = (
    # The process itself
    failed(
        "a process that ends with exit code 3 is an AppError with the end of its log",
        "AppError",
        task("exit-3", "echo 'Traceback: it broke in line 7' >&2; exit 3"),
        r"exit code 3.*it broke in line 7",
        exit_code=3,
    ),
    failed(
        "what a failed process wrote to its result file is in the message",
        "AppError",
        task("written", "echo 'ValueError: bad width' > $CELERIAC_RESULT_FILE; exit 1"),
        "ValueError: bad width",
    ),
    failed(
        "control characters of the output reach no terminal",
        "AppError",
        task("coloured", r"printf 'a \033[31mred\033[0m end\n'; exit 1"),
        r"a \\x1b\[31mred",
    ),
    failed(
        "of a flood of output the end is kept",
        "AppError",
        # A second for the runtime to write the log: the kubelet reads its end the moment the process is gone.
        task("flood", "yes some line | head -n 20000; echo the very end; sleep 1; exit 1"),
        r"the very end",
    ),
    failed(
        "a process that eats too much memory is OOMKilled",
        "OOMKilled",
        task("hungry", container_fields=_HUNGRY),
        "memory",
        exit_code=137,
    ),
    failed(
        "a process that writes more than it may is an AppError, and no disruption",
        "AppError",
        task("glutton", "head -c 100000000 /dev/zero > /tmp/all; sleep 300", container_fields=_GLUTTON),
        r"ephemeral.*limit.*64Mi",  # and no exit code for sure: a kubelet can say this before how its container ended
    ),
    Case(
        "a child that was OOM-killed does not undo exit code 0, but is told",
        task("hungry-child", "tail /dev/zero; true", container_fields={"resources": {"limits": {"memory": "32Mi"}}}),
        "Succeeded",
        "Succeeded",
        "memory",
    ),
    # Before the process
    failed(
        "an image that may not be pulled fails at once",
        "ImagePullFailed",
        task("never-pulled", container_fields={"image": ABSENT, "imagePullPolicy": "Never"}),
        "ErrImageNeverPull",
    ),
    failed(
        "an image that cannot be pulled fails after startSeconds",
        "ImagePullFailed",
        task("unreachable", container_fields={"image": UNREACHABLE}, deadlines={"startSeconds": SEEN}),
        r"cannot be pulled.*startSeconds",
    ),
    failed(
        "a command that is not there is an InvalidPod with its name",
        "InvalidPod",
        task("no-command", container_fields={"command": ["/no/such/program"]}, retry=_RETRIES),
        "/no/such/program",
    ),
    failed(
        "an image name that is none fails at once",
        "InvalidPod",
        task("no-image", container_fields={"image": "Not:A:Name"}),
        "InvalidImageName",
    ),
    failed(
        "a resource that no container can have is refused with the field",
        "InvalidPod",
        task("half-a-device", container_fields=_HALF_A_DEVICE),
        r"resources\.limits\[example\.com/device\]",
        attempts=0,
    ),
    failed_of(
        "a secret that is not there fails after startSeconds with its name",
        "InvalidPod",
        definition("no-secret", container_fields=_missing_secret()),
        "no-such-secret",
        spec={"deadlines": {"startSeconds": SEEN}},
    ),
    failed_of(
        "a volume that cannot be mounted exceeds the start deadline",
        "StartDeadlineExceeded",
        definition("no-volume", pod=_SECRET_VOLUME),
        "startSeconds",
        spec={"deadlines": {"startSeconds": 6}},
    ),
    failed_of(
        "a service account that is not there is told with its name",
        "InvalidPod",
        definition("no-account", pod={"serviceAccountName": "no-such-account"}),
        "no-such-account",
        spec={"deadlines": {"startSeconds": 6}},
    ),
    failed_of(
        "a pod that fits no node is Unschedulable after startSeconds",
        "Unschedulable",
        definition("no-node", pod=NO_NODE),
        "No node fits",
        spec={"deadlines": {"startSeconds": 5}},
    ),
    failed(
        "a pod that is too large for every node is Unschedulable",
        "Unschedulable",
        task("too-large", container_fields={"resources": {"requests": {"cpu": "900"}}}, deadlines={"startSeconds": 5}),
        "cpu",
    ),
    # Deadlines
    failed(
        "a process that runs too long exceeds its run deadline",
        "RunDeadlineExceeded",
        task("too-long", SLEEPS, deadlines={"runSeconds": 2}),
        r"runSeconds \(2 s\)",
        exit_code=143,
    ),
    failed(
        "a process that does not listen to SIGTERM is killed after its grace period",
        "RunDeadlineExceeded",
        task("deaf", "trap '' TERM; sleep 300 & wait; wait", deadlines={"runSeconds": 2, "graceSeconds": 2}),
        "runSeconds",
        exit_code=137,
    ),
    failed(
        "a run deadline uses up an attempt, and the next one follows",
        "RunDeadlineExceeded",
        task("too-long-twice", SLEEPS, deadlines={"runSeconds": 1}, retry={"maxAttempts": 2, "backoff": backoff()}),
        "2 attempts of 2",
        attempts=2,
    ),
    failed(
        "retries end with totalSeconds",
        "TotalDeadlineExceeded",
        task("for-ever", "exit 1", deadlines={"totalSeconds": 12}, retry={"maxAttempts": 900, "backoff": backoff(1)}),
        r"totalSeconds \(12 s\)",
        attempts=-1,
    ),
    failed(
        "a running process ends with totalSeconds",
        "TotalDeadlineExceeded",
        task("over-all", SLEEPS, deadlines={"totalSeconds": 10}, retry=_RETRIES),
        r"totalSeconds \(10 s\)",
    ),
    Case(
        "a task that never starts expires after queueSeconds, and says what it waited for",
        task_of("no-node", "waits-for-node", deadlines={"queueSeconds": 5}),
        "Expired",
        "Expired",
        r"queueSeconds \(5 s\).*No node fits",
    ),
    Case(
        "a suspended task expires too",
        task("asleep", suspend=True, deadlines={"queueSeconds": 3}),
        "Expired",
        "Expired",
        r"queueSeconds \(3 s\).*[Ss]uspended",
        attempts=0,
    ),
    failed(
        "a task whose definition does not come within queueSeconds fails",
        "DefinitionNotFound",
        task_of("never-defined", "undefined", deadlines={"queueSeconds": 3}),
        "never-defined",
        attempts=0,
    ),
    Case(
        "exit code 0 within the grace period of a run deadline is success",
        task("in-time", "trap 'exit 0' TERM; sleep 300 & wait", deadlines={"runSeconds": 1}),
        "Succeeded",
        "Succeeded",
    ),
    # Params and results
    failed_of(
        "params that the schema refuses are InvalidParams, with the parameter",
        "InvalidParams",
        definition("typed", paramsSchema={"properties": {"width": {"type": "integer"}}}),
        "spec.params.width",
        spec={"params": {"width": "wide"}},
        attempts=0,
    ),
    failed(
        "a parameter that is missing is InvalidParams, with its name",
        "InvalidParams",
        task("missing", "echo $(params.who)"),
        r"params\.who",
        attempts=0,
    ),
    failed(
        "a result of 4,096 bytes is too large, and is not cut off",
        "ResultInvalid",
        task("large-result", "head -c 4096 /dev/zero | tr '\\0' x > $CELERIAC_RESULT_FILE", retry=_RETRIES),
        "4095 bytes",
        exit_code=0,
    ),
    failed_of(
        "a result that the schema refuses is ResultInvalid",
        "ResultInvalid",
        definition("promises", "echo '\"text\"' > $CELERIAC_RESULT_FILE", resultSchema={"type": "integer"}),
        "integer",
    ),
    failed_of(
        "a result that is promised and not written is ResultInvalid",
        "ResultInvalid",
        definition("forgets", resultSchema={"type": "integer"}),
        "resultSchema",
    ),
    # Retries
    failed(
        "a retry rule on an exit code ends it at the first attempt",
        "AppError",
        task(
            "rule-42",
            "exit 42",
            retry={**_RETRIES, "rules": [{"onExitCodes": {"operator": "In", "values": [42]}, "action": "Fail"}]},
        ),
        exit_code=42,
    ),
    failed(
        "a retry rule can have retried what is not by default",
        "ResultInvalid",
        task(
            "rule-result",
            "head -c 4096 /dev/zero | tr '\\0' x > $CELERIAC_RESULT_FILE",
            retry={
                "maxAttempts": 2,
                "backoff": backoff(),
                "rules": [{"onFailures": ["ResultInvalid"], "action": "Retry"}],
            },
        ),
        attempts=2,
    ),
    failed(
        "a task fails when its attempts are used up",
        "AppError",
        task("three-times", "exit 1", retry=_RETRIES),
        "3 attempts of 3",
        attempts=3,
    ),
)


@pytest.fixture(scope="module")
def batch(shared_namespace: Namespace) -> Namespace:
    """The namespace in which the whole table was submitted."""
    for needed in {each["metadata"]["name"]: each for case in CASES for each in case.needs}.values():
        shared_namespace.define(needed)
    patient = sorted(CASES, key=lambda case: case.task["spec"].get("deadlines", {}).get("startSeconds") != SEEN)
    shared_namespace.submit(*(case.task for case in patient))
    return shared_namespace


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence)
def test_failure(batch: Namespace, case: Case) -> None:
    ended = batch.wait(case.task["metadata"]["name"])

    found = status(ended)
    assert (found["phase"], found["reason"]) == (case.phase, case.reason)
    assert re.search(case.says, found["message"], re.DOTALL), found["message"]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", found["message"])
    assert len(found["message"]) <= 4096
    if case.attempts >= 0:
        assert [each["number"] for each in attempts(ended)] == list(range(1, case.attempts + 1))
    if case.exit_code is not None:
        assert attempts(ended)[-1].get("exitCode") == case.exit_code
    succeeded = case.phase == "Succeeded"
    assert condition(ended, "Succeeded") == str(succeeded)
    assert condition(ended, "Stalled") == str(not succeeded)
    assert condition(ended, "Running") == "False"
    assert "finishTime" in found


def test_no_process_of_a_finished_task_is_left(batch: Namespace) -> None:
    for case in CASES:
        batch.wait(case.task["metadata"]["name"])

    for pod in batch.kube.list(PODS, batch.name):
        if "deletionTimestamp" in pod["metadata"] or not _ended(pod):
            batch.kube.wait(PODS, batch.name, pod["metadata"]["name"], gone())


def test_finished_pods_and_jobs_are_kept_for_their_logs(batch: Namespace) -> None:
    ended = batch.wait("exit-3")

    assert "it broke in line 7" in batch.kube.log(batch.name, attempts(ended)[0]["podName"])


def _ended(pod: Obj) -> bool:
    return all("terminated" in each["state"] for each in pod["status"].get("containerStatuses", ()))
