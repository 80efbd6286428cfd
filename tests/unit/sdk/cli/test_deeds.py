"""get, logs, wait, cancel, retry, why."""

from __future__ import annotations

import json

import pytest
import yaml
from tests.unit.sdk.cli.conftest import Cluster, Command
from tests.unit.sdk.fake_api import finished
from tests.unit.sdk.test_logs import attempt


def test_get_shows_what_people_want_to_know(celeriac: Command, cluster: Cluster) -> None:
    attempts = [attempt(1, "p1", exitCode=1, failure="AppError", message="boom\nbang")]
    cluster.add("n", finished("AppError", phase="Failed", attempts=attempts, result={"value": 0}), params={"a": 1})

    shown = celeriac("get", "n").stdout

    for wanted in (
        "team/n",
        "Failed",
        "busybox",
        "Params",
        '{"a": 1}',
        "AppError, exit code 1, pod p1: boom",
        "Result",
    ):
        assert wanted in shown


def test_get_as_yaml_is_a_manifest(celeriac: Command, cluster: Cluster) -> None:
    cluster.add("n")

    manifest = yaml.safe_load(celeriac("get", "n", "-o", "yaml").stdout)

    assert (manifest["kind"], manifest["metadata"]["name"]) == ("Task", "n")


@pytest.mark.parametrize("written", ["a", "task/a", "tasks/a", "task.celeriac.dev/a", "tasks.celeriac.dev/a"])
def test_names_are_taken_as_they_are_printed(celeriac: Command, cluster: Cluster, written: str) -> None:
    cluster.add("a", finished("Succeeded"))

    waited = celeriac("wait", written, "-o", "name")

    assert (waited.exit_code, waited.stdout) == (0, "task.celeriac.dev/a\n")
    assert celeriac("why", written, "-o", "name").stdout == waited.stdout


@pytest.mark.parametrize("written", ["crontask.celeriac.dev/a", "default/a", "/a"])
def test_names_of_other_kinds_are_no_tasks(celeriac: Command, cluster: Cluster, written: str) -> None:
    cluster.add("a", finished("Succeeded"))

    refused = celeriac("get", "a", written)

    assert refused.exit_code == 2
    assert "is no name of a task: write NAME, or task/NAME" in " ".join(refused.stderr.replace("│", "").split())


def test_get_of_several_reports_those_that_are_missing(celeriac: Command, cluster: Cluster) -> None:
    cluster.add("a")

    result = celeriac("get", "a", "b", "-o", "name")

    assert (result.exit_code, result.stdout) == (2, "task.celeriac.dev/a\n")
    assert "no task b" in result.stderr


@pytest.mark.parametrize(
    ("statuses", "words", "code"),
    [
        pytest.param({"a": finished("Succeeded")}, [], 0, id="all succeeded"),
        pytest.param({"a": finished("Succeeded"), "b": finished("AppError")}, [], 1, id="one failed"),
        pytest.param({"a": finished("Succeeded"), "b": {}}, ["--timeout", "0.05"], 124, id="one did not finish"),
    ],
)
def test_wait(
    celeriac: Command, cluster: Cluster, statuses: dict[str, dict[str, object]], words: list[str], code: int
) -> None:
    for name, status in statuses.items():
        cluster.add(name, status)

    result = celeriac("wait", *statuses, *words)

    assert result.exit_code == code
    assert "task.celeriac.dev/a Succeeded\n" in result.stdout


@pytest.mark.parametrize(
    ("outcome", "message", "said"),
    [
        pytest.param("AppError", "Attempt 1 failed", "AppError: Attempt 1 failed", id="a failure, and its sentence"),
        pytest.param("Cancelled", "Cancelled: enough", "Cancelled: enough", id="a sentence that begins with the word"),
        pytest.param("Expired", "", "Expired", id="no sentence"),
    ],
)
def test_wait_says_why(celeriac: Command, cluster: Cluster, outcome: str, message: str, said: str) -> None:
    cluster.add("a", finished(outcome, message=message))

    assert f"task.celeriac.dev/a {said}\n" == celeriac("wait", "a").stdout


def test_wait_for_what_is_not_there(celeriac: Command) -> None:
    assert celeriac("wait", "nope").exit_code == 2


def test_cancel(celeriac: Command, cluster: Cluster) -> None:
    cluster.add("a")
    cluster.add("b", finished("Succeeded"))

    result = celeriac("cancel", "a", "b", "--reason", "enough")

    assert result.stdout == "task.celeriac.dev/a cancel asked\ntask.celeriac.dev/b had finished: Succeeded\n"


def test_retry(celeriac: Command, cluster: Cluster) -> None:
    cluster.add("a", finished("AppError"))
    cluster.add("b")

    result = celeriac("retry", "a", "b")

    assert (result.exit_code, result.stdout) == (2, "task.celeriac.dev/a-r1 submitted, a retry of a\n")
    assert "has not finished" in result.stderr


@pytest.mark.parametrize("words", [[], ["-f"]], ids=["once", "following"])
def test_logs(celeriac: Command, cluster: Cluster, words: list[str]) -> None:
    cluster.ends = finished("Succeeded")
    celeriac("run", "-d", "--name", "n", "img")
    if not words:
        cluster.logs["p1"] = [b"hello\n"]

    assert celeriac("logs", "n", *words).stdout == "hello\n"


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        pytest.param("table", 'one "two"\nthree\n', id="as it is"),
        pytest.param("json", '{"line": "one \\"two\\""}\n{"line": "three"}\n', id="a JSON object for each line"),
        pytest.param("yaml", '- line: one "two"\n- line: three\n', id="one YAML list"),
    ],
)
def test_logs_for_programs(celeriac: Command, cluster: Cluster, output: str, wanted: str) -> None:
    cluster.ends = finished("Succeeded")
    celeriac("run", "-d", "--name", "n", "img")
    cluster.logs["p1"] = [b'one "two"\nthree\n']

    assert celeriac("logs", "n", "-o", output).stdout == wanted


def test_lines_have_no_names(celeriac: Command) -> None:
    result = celeriac("logs", "n", "-o", "name")

    assert (2, "") == (result.exit_code, result.stdout)
    assert "have no names" in result.stderr


def test_no_log_is_not_found(celeriac: Command, cluster: Cluster) -> None:
    cluster.add("n")

    assert celeriac("logs", "n").exit_code == 2


def test_why(celeriac: Command, cluster: Cluster) -> None:
    cluster.add("n", {"phase": "Queued", "reason": "QueueFull", "message": "Waiting: full"})

    assert "team/n is Queued (QueueFull): Waiting: full" in celeriac("why", "n").stdout
    assert json.loads(celeriac("why", "n", "-o", "json").stdout)["summary"] == "Waiting: full"
