"""``celeriac dev`` with real subprocesses: the operator decides as in a cluster, with NATS and without."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from celeriac import Client, errors

from .conftest import APP, COMMAND, Lab, lab

PATIENCE = 120


def test_a_task_runs_and_its_result_comes_back(running: Lab) -> None:
    with running.client() as client:
        assert 5 == client.submit(definition="add", params={"a": 2, "b": 3}).get(PATIENCE)


def test_a_task_is_tried_again_as_its_retry_says(running: Lab) -> None:
    path = str(running.directory / "tries")
    Path(path).unlink(missing_ok=True)
    with running.client() as client:
        handle = client.submit(definition="third-time", params={"path": path})

        assert 3 == handle.get(PATIENCE)
        assert 3 == client.get(handle.name).status.attempt_count


def test_an_exception_comes_back_with_its_traceback(running: Lab) -> None:
    with running.client() as client, pytest.raises(errors.TaskFailed, match="it cannot be done"):
        client.submit(definition="fails").get(PATIENCE)


def test_a_deadline_ends_the_process(running: Lab) -> None:
    with running.client() as client, pytest.raises(errors.TaskFailed, match="RunDeadlineExceeded"):
        client.submit(definition="too-slow").get(PATIENCE)


@pytest.mark.parametrize(
    ("definition", "failure"),
    [
        pytest.param("hurried", "RunDeadlineExceeded", id="a soft deadline that nobody catches"),
        pytest.param("mistaken", "ResultInvalid", id="a result that is not what the annotation says"),
    ],
)
def test_the_class_of_a_failure_is_the_same_with_nats_and_without(definition: str, failure: str, running: Lab) -> None:
    with running.client() as client, pytest.raises(errors.TaskFailed) as raised:
        client.submit(definition=definition).get(PATIENCE)

    assert failure == raised.value.failure


def test_a_cancelled_task_ends_with_its_process(running: Lab) -> None:
    path = running.directory / "pid"
    path.unlink(missing_ok=True)
    with running.client() as client:
        handle = client.submit(definition="waits", params={"path": str(path)})
        pid = _pid(path)
        handle.cancel("no longer needed")
        with pytest.raises(errors.TaskCancelled, match="no longer needed"):
            handle.get(PATIENCE)

    _gone(pid)


def test_the_reason_of_a_cancel_reaches_the_function(running: Lab) -> None:
    if "CELERIAC_NATS_URL" not in running.env:
        pytest.skip("it goes by NATS")
    path = running.directory / "waits-for-reason"
    with running.client() as client:
        handle = client.submit(definition="waits", params={"path": str(path), "then": "return"})
        _pid(path)
        handle.cancel("no longer needed")

        assert "Cancelled: no longer needed" == handle.get(PATIENCE)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        pytest.param("function", ": ", id="a function"),
        pytest.param("container", "after all", id="a container of its own"),
    ],
)
def test_what_returns_after_a_cancel_has_a_result(kind: str, expected: str, running: Lab) -> None:
    if kind == "container" and "CELERIAC_NATS_URL" in running.env:
        pytest.skip("a message brings no container")
    path = running.directory / f"returns-{kind}"
    trap = "trap \"printf 'after all' > $CELERIAC_RESULT_FILE; exit 0\" TERM"
    script = f"{trap}; echo 1 > {path}; while :; do sleep 0.1; done"
    with running.client() as client:
        handle = (
            client.submit(definition="waits", params={"path": str(path), "then": "return"})
            if kind == "function"
            else client.submit(image="busybox", command=["sh", "-c", script])
        )
        _pid(path)
        handle.cancel()

        assert expected in handle.get(PATIENCE)


def test_params_that_the_schema_refuses_fail_at_once(running: Lab) -> None:
    with running.client() as client, pytest.raises((errors.TaskFailed, errors.InvalidParams), match="a"):
        client.submit(definition="add", params={"a": "two", "b": 3}).get(PATIENCE)


def test_a_definition_that_never_comes_is_said_and_ends_the_wait(running: Lab) -> None:
    with running.client() as client:
        handle = client.submit(definition="never", queue_seconds=3)
        first = next(task for task in client.watch(handle.name) if task.status.reason is not None)
        with pytest.raises(errors.UnknownDefinition, match=r"TaskDefinition never is not .*queueSeconds \(3 s\)"):
            handle.get(PATIENCE)

    assert ("Pending", "DefinitionNotFound") == (first.phase, first.status.reason)


def test_a_queue_that_a_route_names_is_there(running: Lab) -> None:
    with running.client() as client:
        handle = client.submit(definition="routed", queue="side", name="by-a-route")

        assert "by-a-route" == handle.get(PATIENCE)


class _NotYet(Exception):  # noqa: N818  it says how things are
    """No pod waited for the task: it had one of its own."""


@retry(retry=retry_if_exception_type(_NotYet), stop=stop_after_delay(PATIENCE), wait=wait_fixed(0.5), reraise=True)
def _served(lab: Lab) -> list[str]:
    """The log of a task that a pod took which had waited."""
    with lab.client() as client:
        handle = client.submit(definition="served", params={"a": 7})
        assert 7 == handle.get(PATIENCE)
        (attempt,) = client.get(handle.name).status.attempts
        if "-w-" not in attempt.job_name:
            raise _NotYet(attempt.job_name)
        return [str(line) for line in handle.logs()]


def test_a_pod_that_waited_takes_a_task_and_its_log_is_the_tasks(running: Lab) -> None:
    if "CELERIAC_NATS_URL" in running.env:
        assert ["serving 7"] == _served(running)
    else:
        with pytest.raises(_NotYet):
            _served.__wrapped__(running)  # type: ignore[attr-defined]


@pytest.mark.parametrize("follow", [False, True], ids=["as it is", "followed"])
def test_the_log_of_a_task_can_be_read(follow: bool, running: Lab) -> None:
    with running.client() as client:
        handle = client.submit(definition="add", params={"a": 20, "b": 3})
        handle.get(PATIENCE)

        assert "adding 20 and 3" in list(handle.logs(follow=follow))


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        pytest.param(lambda client: client.retry("none"), errors.TaskNotFound, id="a task to be retried"),
        pytest.param(lambda client: client.why("none"), errors.TaskNotFound, id="a task to be explained"),
        pytest.param(lambda client: client.pause("none"), errors.UnknownQueue, id="a queue"),
        pytest.param(
            lambda client: client.submit(definition="none", check=True), errors.UnknownDefinition, id="a definition"
        ),
    ],
)
def test_what_is_not_there_is_said(ask: Callable[[Client], object], expected: type[Exception], running: Lab) -> None:
    with running.client() as client, pytest.raises(expected, match="none"):
        ask(client)


def test_large_params_and_results_go_by_reference(running: Lab) -> None:
    if "CELERIAC_NATS_URL" not in running.env:
        pytest.skip("the object store is NATS'")
    with running.client() as client:
        assert "x" * 50_000 == client.submit(definition="big", params={"size": 50_000}).get(PATIENCE)
        assert 60_000 == client.submit(definition="length", params={"text": "y" * 60_000}).get(PATIENCE)


def test_more_than_there_are_slots_for_all_come_back(running: Lab) -> None:
    with running.client() as client:
        handles = [client.submit(definition="add", params={"a": number, "b": 1}) for number in range(12)]

        assert [number + 1 for number in range(12)] == [handle.get(PATIENCE) for handle in handles]


def test_nobody_without_the_token_may_submit(running: Lab) -> None:
    cluster = yaml.safe_load(Path(running.env["CELERIAC_KUBECONFIG"]).read_text())["clusters"][0]["cluster"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{cluster['server']}/apis/celeriac.dev/v1alpha1/tasks")

    assert 401 == refused.value.code
    refused.value.close()
    assert 0o600 == Path(running.env["CELERIAC_KUBECONFIG"]).stat().st_mode & 0o777


def test_a_bad_manifest_is_refused_with_the_name_of_its_field(running: Lab) -> None:
    config = yaml.safe_load(Path(running.env["CELERIAC_KUBECONFIG"]).read_text())
    task = {"metadata": {"name": "bad"}, "spec": {"definitionName": "add", "priority": "high", "hostNetwork": True}}
    request = urllib.request.Request(
        f"{config['clusters'][0]['cluster']['server']}/apis/celeriac.dev/v1alpha1/namespaces/default/tasks",
        data=json.dumps(task).encode(),
        headers={"Authorization": f"Bearer {config['users'][0]['user']['token']}", "Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    message = json.loads(refused.value.read())["message"]
    refused.value.close()

    assert 422 == refused.value.code
    assert "spec.priority" in message and "hostNetwork" in message


# ---- with a program


def _dev(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (directory / "lab.py").write_text(APP)
    return subprocess.run(
        [COMMAND, "dev", *words], cwd=directory, env=dict(os.environ), capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip


def test_a_program_finds_it_and_its_exit_code_is_the_commands(tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text("import sys; from lab import add; sys.exit(add.delay(2, 3).get(timeout=60))")
    done = _dev(tmp_path, "lab:app", "--", sys.executable, "use.py")

    assert 5 == done.returncode, done.stderr
    assert "lab:app is ready: 12 tasks, queues default" in done.stderr
    assert "(add) Succeeded" in done.stderr


def test_what_the_documentation_shows_runs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/dev.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (command,) = re.findall(r"^celeriac dev shop:app -- .*$", page, re.MULTILINE)
    (tmp_path / "shop.py").write_text(code)
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, env={**os.environ, "PATH": f"{COMMAND.parent}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip

    assert (0, "3.5\n") == (done.returncode, done.stdout), done.stderr


@pytest.mark.parametrize(
    ("location", "said"),
    [("none:app", "No module named 'none'"), ("lab:none", "has no none"), ("lab", "MODULE:APP")],
    ids=["no such module", "no such app", "no app at all"],
)
def test_what_cannot_be_found_is_said(location: str, said: str, tmp_path: Path) -> None:
    done = _dev(tmp_path, location)

    assert 2 == done.returncode
    assert said in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("sent", "code", "options", "definition"),
    [
        pytest.param(signal.SIGINT, 130, ["--no-nats"], "waits", id="by Ctrl-C"),
        pytest.param(signal.SIGTERM, 143, ["--no-nats"], "waits", id="by SIGTERM"),
        pytest.param(signal.SIGHUP, -1, ["--no-nats"], "waits", id="by a terminal that is closed"),
        pytest.param(signal.SIGKILL, -9, [], "waits", id="by SIGKILL"),
        pytest.param(signal.SIGKILL, -9, [], "works", id="by SIGKILL, while a worker has a task"),
    ],
)
def test_nothing_is_left_when_it_is_ended(
    sent: signal.Signals, code: int, options: list[str], definition: str, tmp_path: Path
) -> None:
    with lab(tmp_path, *options) as found:
        kubeconfig = Path(found.env["CELERIAC_KUBECONFIG"])
        path = tmp_path / "pid"
        with found.client() as client:
            client.submit(definition=definition, params={"path": str(path)})
            pid = _pid(path)
        programs = _children(found.process.pid)
        found.process.send_signal(sent)

        assert code == found.process.wait(timeout=60)
    assert len(programs) >= 3
    for each in {pid, *programs}:
        _gone(each)
    assert not kubeconfig.parent.exists()


def _children(parent: int) -> set[int]:
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = (map(int, line.split()) for line in listed.splitlines())
    return {pid for pid, its_parent in pairs if its_parent == parent}


@retry(
    retry=retry_if_exception_type((OSError, ValueError)), stop=stop_after_delay(60), wait=wait_fixed(0.1), reraise=True
)
def _pid(path: Path) -> int:
    return int(path.read_text())


@retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(60), wait=wait_fixed(0.1), reraise=True)
def _gone(pid: int) -> None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return
    raise AssertionError(f"process {pid} is still there")
