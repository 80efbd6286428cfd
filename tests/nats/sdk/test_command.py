"""The celeriac command where tasks go through NATS."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from tests.support.nats_operator import FakeOperator
from tests.support.nats_server import NatsServer
from typer.testing import CliRunner

from celeriac._loop import LoopThread

Command = Callable[..., Result]
_numbers = itertools.count(1)


class Desk:
    """The operator, for tests that have no event loop."""

    def __init__(self, loop: LoopThread, operator: FakeOperator) -> None:
        self._loop, self.operator = loop, operator

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.operator, name)
        return lambda *args, **kwargs: self._loop.run(method(*args, **kwargs))


@pytest.fixture
def desk(shared_server: NatsServer) -> Iterator[Desk]:
    loop = LoopThread()
    desk = Desk(loop, FakeOperator(shared_server.url, f"desk-{next(_numbers)}"))
    desk.start("default")
    yield desk
    desk.stop()
    loop.close()


@pytest.fixture
def celeriac(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Command:
    from celeriac.cli._app import app  # noqa: PLC0415 -- after the environment is set

    monkeypatch.setenv("CELERIAC_DEBUG", "1")
    monkeypatch.setenv("CELERIAC_NATS_URL", desk.operator.url)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "CELERIAC_KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str) -> Result:
        runner = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})
        return runner.invoke(app, ["-n", desk.operator.namespace, *words])

    return run


def test_submit_publishes_and_says_so(celeriac: Command, desk: Desk) -> None:
    said = celeriac("submit", "resize", "path=a.png", "--name", "n")
    [message] = desk.take()

    assert (0, f"task.celeriac.dev/n submitted to namespace {desk.operator.namespace}\n") == (
        said.exit_code,
        said.stdout,
    )
    assert {"definitionName": "resize", "params": {"path": "a.png"}} == message.spec


def test_submit_and_wait_prints_the_result(celeriac: Command, desk: Desk) -> None:
    celeriac("submit", "resize", "--name", "n")
    desk.take()
    desk.finish("n", value={"width": 3})

    said = celeriac("submit", "resize", "--name", "n", "--wait")

    assert (0, {"width": 3}) == (said.exit_code, json.loads(said.stdout))


def test_submit_and_wait_tells_of_a_failure(celeriac: Command, desk: Desk) -> None:
    celeriac("submit", "resize", "--name", "n")
    desk.take()
    desk.finish("n", "AppError", message="boom")

    said = celeriac("submit", "resize", "--name", "n", "--wait")

    assert (1, True) == (said.exit_code, "boom" in said.stderr)


def test_submit_to_a_queue_that_nobody_declared(celeriac: Command) -> None:
    said = celeriac("submit", "resize", "--queue", "nope")

    assert (2, True) == (said.exit_code, "takes no messages" in said.stderr)


def test_get_shows_what_the_record_says(celeriac: Command, desk: Desk) -> None:
    desk.finish("n", value=[1])

    said = celeriac("get", "n", "-o", "json")

    assert ([1], "Succeeded") == ((status := json.loads(said.stdout)["status"])["result"]["value"], status["phase"])
    assert "Succeeded" in celeriac("get", "n").stdout


@pytest.mark.parametrize("submitted", [True, False], ids=["in the backlog", "that nobody submitted"])
def test_get_of_one_that_the_operator_has_not_taken(celeriac: Command, submitted: bool) -> None:
    if submitted:
        celeriac("submit", "resize", "--name", "n")

    words, data = celeriac("get", "n"), celeriac("get", "n", "-o", "json")

    assert (0, 0, "Backlogged") == (words.exit_code, data.exit_code, json.loads(data.stdout)["status"]["phase"])
    for said in (words.stdout, json.loads(data.stdout)["status"]["message"]):
        assert "NATS holds it, unless nobody submitted a task of this name" in said
    assert "Backlogged" in words.stdout


@pytest.mark.parametrize(
    ("known", "said", "unsaid"),
    [
        pytest.param(False, "It is Backlogged: The operator has not taken it: NATS holds it, unless nobody submitted",
                     "it goes on", id="a name of which nothing is known"),
        pytest.param(True, "did not finish within 0.05 seconds; it goes on. It is Running: on it.", "unless nobody",
                     id="one that runs"),
    ],
)  # fmt: skip
def test_wait_in_vain_says_only_what_is_known(
    celeriac: Command, desk: Desk, known: bool, said: str, unsaid: str
) -> None:
    if known:
        desk.event("n", "Running", message="on it")

    waited = celeriac("wait", "n", "--timeout", "0.05s")

    told = " ".join(waited.stderr.split())
    assert (124, True, False) == (waited.exit_code, said in told, unsaid in told), told


def test_wait(celeriac: Command, desk: Desk) -> None:
    desk.finish("a", value=1)
    desk.finish("b", "OOMKilled", message="too much")

    said = celeriac("wait", "a", "b", "--timeout", "30")

    assert (1, "task.celeriac.dev/a Succeeded\ntask.celeriac.dev/b OOMKilled: too much\n") == (
        said.exit_code,
        said.stdout,
    )


def test_cancel(celeriac: Command, desk: Desk) -> None:
    celeriac("submit", "resize", "--name", "n")

    said = celeriac("cancel", "n", "--reason", "no longer needed")

    assert (0, "task.celeriac.dev/n cancel asked\n") == (said.exit_code, said.stdout)
    assert desk.read("n").message == "no longer needed"


def test_run_shows_how_it_went_and_that_there_is_no_log_without_a_cluster(celeriac: Command, desk: Desk) -> None:
    celeriac("run", "--name", "n", "--detach", "busybox", "--", "true")
    [message] = desk.take()
    desk.finish("n", "AppError", attempts=[{"number": 1, "jobName": "j", "failure": "AppError", "exitCode": 3}])

    said = celeriac("run", "--name", "n", "busybox", "--", "true")

    assert "busybox" == message.spec["container"]["image"]
    assert (3, True) == (said.exit_code, "The log cannot be shown: No cluster is configured" in said.stderr)


def test_list_needs_a_cluster_and_says_what_to_set(celeriac: Command) -> None:
    said = celeriac("list")

    assert (3, True) == (said.exit_code, "set KUBECONFIG" in said.stderr)


def test_doctor_looks_at_nats(celeriac: Command, desk: Desk) -> None:
    said = celeriac("doctor", "-o", "json")

    first = json.loads(said.stdout)[0]
    assert ("NATS", True, True) == (first["name"], first["ok"], "with the operator's bucket" in first["found"])
