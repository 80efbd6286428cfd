"""How Tasks are read: `kubectl get` and `explain`, field selectors, values that JSON can hold."""

import subprocess

import pytest
from e2e.cluster import kubectl
from e2e.support.kube import TASKS, Obj, Refused
from e2e.support.manifests import task
from e2e.support.namespaces import Namespace
from tenacity import retry, retry_if_exception, stop_after_attempt

NEVER = "2126-12-01T10:00:00Z"


def finished(namespace: Namespace, name: str, phase: str, **more: object) -> Obj:
    """Write a terminal status, as an operator would; one that runs leaves finished Tasks alone."""
    condition = {"type": "Finished", "status": "True", "reason": phase, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = {"phase": phase, "reason": phase, "conditions": [condition], "finishTime": "2126-01-01T00:00:00Z", **more}
    return namespace.kube.patch(TASKS, namespace.name, name, {"status": status}, subresource="status")


def ask(namespace: Namespace, *words: str) -> str:
    """What kubectl prints."""
    argv = [str(kubectl.find()), f"--kubeconfig={namespace.kube.kubeconfig}", f"--namespace={namespace.name}", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def three(shared_namespace: Namespace) -> Namespace:
    """A namespace with a succeeded and two failed Tasks, in two queues."""
    for name, queue, phase in (("good", "fast", "Succeeded"), ("bad", "fast", "Failed"), ("worse", "slow", "Failed")):
        shared_namespace.submit(task(name, queueName=queue, startTime=NEVER))
        effective = {"queueName": queue}
        finished(shared_namespace, name, phase, attemptCount=2, message=f"{name} it is", effective=effective)
    return shared_namespace


def names(namespace: Namespace, selector: str) -> set[str]:
    return {each["metadata"]["name"] for each in namespace.kube.list(TASKS, namespace.name, fields=selector)}


def test_tasks_can_be_selected_by_queue(three: Namespace) -> None:
    assert names(three, "spec.queueName=fast") == {"good", "bad"}


def test_tasks_can_be_selected_by_phase(three: Namespace) -> None:
    assert names(three, "status.phase=Failed") == {"bad", "worse"}


def test_tasks_can_be_selected_by_queue_and_phase(three: Namespace) -> None:
    assert names(three, "spec.queueName=fast,status.phase!=Succeeded") == {"bad"}


def test_other_fields_cannot_be_selected_by(three: Namespace) -> None:
    with pytest.raises(Refused, match="field label not supported"):
        names(three, "status.reason=Failed")


def test_kubectl_get_shows_what_matters(three: Namespace) -> None:
    header, *rows = ask(three, "get", "tasks", "worse").splitlines()

    assert header.split() == ["NAME", "PHASE", "REASON", "DEFINITION", "ATTEMPTS", "AGE", "FINISHED"]
    assert rows[0].split()[:4] == ["worse", "Failed", "Failed", "2"]


def test_kubectl_get_wide_shows_queue_and_message(three: Namespace) -> None:
    header, *rows = ask(three, "get", "tasks", "worse", "--output=wide").splitlines()

    assert {"QUEUE", "MESSAGE"} <= set(header.split())
    assert "slow" in rows[0].split()
    assert rows[0].endswith("worse it is")


def test_the_category_finds_tasks(three: Namespace) -> None:
    assert "task.celeriac.dev/good" in ask(three, "get", "celeriac", "--output=name").split()


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("task.spec.retry", "When and how often a failed attempt is followed by another"),
        ("task.spec.retry.backoff.jitter", "many failures do not"),
        ("task.spec.deadlines.queueSeconds", "else Expired"),
        ("task.spec.cancel", "SIGTERM"),
        ("task.status.attempts.failure", "Why it failed"),
        ("taskdefinition.spec.pod", "What its pods may have"),
    ],
)
def test_kubectl_explain_explains(three: Namespace, field: str, says: str) -> None:
    assert says in " ".join(ask(three, "explain", field).split())


@pytest.mark.parametrize(
    "value",
    [None, {"a": None}, [None, {"b": [None]}], 0, False, "", 1.5, "text", {"deep": {"er": {"est": [{}]}}}],
    ids=lambda value: f"the-value-{value!r}".replace(" ", ""),
)
def test_a_result_is_kept_as_it_is(namespace: Namespace, value: object) -> None:
    namespace.submit(task("x", startTime=NEVER))

    replaced = _replaced(namespace, {"phase": "Succeeded", "result": {"value": value}})

    assert replaced["status"]["result"] == {"value": value}


@retry(
    retry=retry_if_exception(lambda error: isinstance(error, Refused) and error.status == 409),
    stop=stop_after_attempt(20),
    reraise=True,
)
def _replaced(namespace: Namespace, status: Obj) -> Obj:
    """Not by a merge patch, which would take the nulls for deletions. An operator may write in between."""
    return namespace.kube.replace_status(TASKS, namespace.name, {**namespace.task("x"), "status": status})


def test_an_unknown_phase_is_refused(three: Namespace) -> None:
    with pytest.raises(Refused, match=r"status\.phase"):
        finished(three, "good", "Bored")


def test_an_attempt_is_found_by_its_number(three: Namespace) -> None:
    attempt = {"number": 1, "jobName": "j"}

    with pytest.raises(Refused, match=r"status\.attempts\[1\].*[Dd]uplicate"):
        finished(three, "good", "Succeeded", attempts=[attempt, attempt])
