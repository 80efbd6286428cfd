"""``celeriac submit``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.sdk.cli.conftest import Cluster, Command, spec_of
from tests.unit.sdk.fake_api import finished, status


@pytest.mark.parametrize(
    ("words", "params"),
    [
        pytest.param([], None, id="no params"),
        pytest.param(["a=1", "b=x", "c=[1, null]", 'd="1"', "e=", "f=a=b"],
                     {"a": 1, "b": "x", "c": [1, None], "d": "1", "e": "", "f": "a=b"}, id="JSON where it can be"),
        pytest.param(["a=NaN"], {"a": "NaN"}, id="what is not quite JSON is text"),
        pytest.param(["-f", "{file}", "b=3"], {"a": 1, "b": 3}, id="words go before the file"),
        pytest.param(["-f", "-"], {"in": "stdin"}, id="params from stdin"),
    ],
)  # fmt: skip
def test_params(
    celeriac: Command, cluster: Cluster, tmp_path: Path, words: list[str], params: dict[str, Any] | None
) -> None:
    (tmp_path / "p.yaml").write_text("a: 1\nb: 2\n")
    words = [word.replace("{file}", str(tmp_path / "p.yaml")) for word in words]

    result = celeriac("submit", "taskdefinition.celeriac.dev/resize", *words, stdin='{"in": "stdin"}')

    assert result.exit_code == 0, result.output
    assert spec_of(cluster) == {"definitionName": "resize"} | ({"params": params} if params else {})


def test_every_option(celeriac: Command, cluster: Cluster) -> None:
    options = "--queue q --priority -5 --retry 3 --queue-seconds 1 --start-seconds 2 --run-seconds 3 --total-seconds 4"
    more = "--grace-seconds 0 --ttl 60 --concurrency-key u --start-time 2026-12-01T12:00:00+02:00 --suspend"

    result = celeriac("submit", "d", *options.split(), *more.split())

    assert result.exit_code == 0, result.output
    deadlines = {"queueSeconds": 1, "startSeconds": 2, "runSeconds": 3, "totalSeconds": 4, "graceSeconds": 0}
    assert spec_of(cluster) == {
        "definitionName": "d",
        "queueName": "q",
        "priority": -5,
        "retry": {"maxAttempts": 3},
        "deadlines": deadlines,
        "ttlSecondsAfterFinished": 60,
        "concurrencyKey": "u",
        "startTime": "2026-12-01T12:00:00+02:00",
        "suspend": True,
    }


@pytest.mark.parametrize(
    ("words", "output"),
    [
        pytest.param([], "task.celeriac.dev/n submitted to namespace team\n", id="a sentence for people"),
        pytest.param(["-o", "name"], "task.celeriac.dev/n\n", id="a name for scripts"),
    ],
)
def test_output(celeriac: Command, words: list[str], output: str) -> None:
    assert celeriac("submit", "d", "--name", "n", *words).stdout == output


def test_the_whole_task_as_json(celeriac: Command) -> None:
    result = celeriac("-o", "json", "submit", "d", "--name", "n")

    assert json.loads(result.stdout)["metadata"]["name"] == "n"


@pytest.mark.parametrize(
    ("ends", "code", "stdout"),
    [
        pytest.param(finished("Succeeded", result={"value": {"é": None}}), 0, '{\n  "é": null\n}\n', id="a result"),
        pytest.param(finished("AppError"), 1, "", id="a failure"),
        pytest.param(finished("InvalidParams"), 1, "", id="params that were refused"),
    ],
)
def test_wait(celeriac: Command, cluster: Cluster, ends: dict[str, Any], code: int, stdout: str) -> None:
    cluster.ends = ends

    result = celeriac("submit", "d", "--wait")

    assert (result.exit_code, result.stdout) == (code, stdout)


@pytest.mark.parametrize(
    ("words", "code", "wanted"),
    [
        pytest.param(["a"], 2, "write KEY=VALUE", id="a param without a value"),
        pytest.param(["a=1", "b=1", "a=2"], 2, "a is given twice as a parameter: give it once", id="a param twice"),
        pytest.param(["--label", "l=1", "--label", "l=1"], 2, "l is given twice as a label", id="a label twice"),
        pytest.param(["-f", "/nowhere"], 2, "cannot be read", id="a file that is not there"),
        pytest.param(["--countdown", "1x"], 2, "not a duration", id="a countdown that is none"),
        pytest.param(["--start-time", "soon"], 2, "not a time", id="a time that is none"),
        pytest.param(
            ["--start-time", "2026-12-01T10:00:00"],
            2,
            "has no time zone: write 2026-12-01T10:00:00Z, or an offset such as +01:00 instead of Z",
            id="a time without a zone",
        ),
        pytest.param(["--retry", "0"], 2, "1 to 1000", id="no attempts"),
        pytest.param(["--priority", "9999"], 2, "spec.priority", id="a priority out of bounds"),
        pytest.param(["--name", "a", "--key", "b"], 2, "name or key", id="both name and key"),
        pytest.param(["--wait", "--timeout", "0.01s"], 124, "it goes on", id="a timeout"),
    ],
)
def test_errors(celeriac: Command, words: list[str], code: int, wanted: str) -> None:
    result = celeriac("submit", "d", *words)

    assert result.exit_code == code
    assert wanted in " ".join(result.stderr.split())


def test_a_quota_that_is_used_up_is_trouble_with_the_cluster(celeriac: Command, cluster: Cluster) -> None:
    cluster.faults = [status(403, "Forbidden", "exceeded quota: q, count/tasks.celeriac.dev")]

    assert celeriac("submit", "d").exit_code == 3
