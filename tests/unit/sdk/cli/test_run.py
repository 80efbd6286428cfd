"""``celeriac run``."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.sdk.cli.conftest import Cluster, Command, spec_of
from tests.unit.sdk.fake_api import finished
from tests.unit.sdk.test_logs import attempt


@pytest.mark.parametrize(
    ("words", "container"),
    [
        pytest.param(["img", "--", "sh", "-c", "echo hi"], {"command": ["sh", "-c", "echo hi"]}, id="a command"),
        pytest.param(["img", "--args", "--", "-v"], {"args": ["-v"]}, id="arguments of the entry point"),
        pytest.param(["-e", "A=b=c", "img"], {"env": [{"name": "A", "value": "b=c"}]}, id="a variable"),
        pytest.param(
            ["img", "--limits", "cpu=1,memory=1Gi", "--requests", "cpu=100m"],
            {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}}},
            id="resources",
        ),
        pytest.param(
            ["img", "-w", "/w", "--pull", "Never"], {"workingDir": "/w", "imagePullPolicy": "Never"}, id="the rest"
        ),
    ],
)
def test_container(celeriac: Command, cluster: Cluster, words: list[str], container: dict[str, Any]) -> None:
    result = celeriac("run", "-d", *words)

    assert result.exit_code == 0, result.output
    assert spec_of(cluster)["container"] == {"image": "img"} | container


def test_the_log_goes_to_stdout_and_progress_to_stderr(celeriac: Command, cluster: Cluster) -> None:
    cluster.ends = finished("Succeeded", message="Succeeded in attempt 1")
    cluster.log = ("one", "two")

    result = celeriac("run", "img")

    assert (result.exit_code, result.stdout) == (0, "one\ntwo\n")
    assert "Succeeded in attempt 1" in result.stderr


def test_a_task_that_was_submitted_before_does_not_seem_to_run_again(celeriac: Command, cluster: Cluster) -> None:
    cluster.ends = finished("Succeeded")
    outputs = [celeriac("run", "--name", "n", "img").stderr for _ in range(2)]

    assert ["does not run again" in output for output in outputs] == [False, True]


def test_quiet(celeriac: Command, cluster: Cluster) -> None:
    cluster.ends = finished("Succeeded")

    result = celeriac("run", "-q", "img")

    assert (result.stdout, result.stderr) == ("hello\n", "")


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        pytest.param(finished("AppError", attempts=[attempt(1, "p1", exitCode=7)]), 7, id="the process's own"),
        pytest.param(finished("AppError", attempts=[attempt(1, "p1")]), 1, id="1 where it had none"),
        pytest.param(finished("ResultInvalid", attempts=[attempt(1, "p1", exitCode=0)]), 1, id="1 where its was 0"),
        pytest.param(finished("Expired", attempts=[]), 1, id="1 where it never started"),
    ],
)
def test_exit_code(celeriac: Command, cluster: Cluster, ends: dict[str, Any], code: int) -> None:
    cluster.ends = ends

    assert celeriac("run", "img").exit_code == code


def test_a_pull_policy_that_is_none(celeriac: Command) -> None:
    result = celeriac("run", "img", "--pull", "Sometimes")

    assert result.exit_code == 2
    assert "Always, IfNotPresent, Never" in result.stderr


def test_ctrl_c_cancels_where_nobody_can_be_asked(
    celeriac: Command, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("celeriac.cli._run._show_progress", interrupt)
    result = celeriac("run", "--name", "n", "img")

    assert result.exit_code == 130
    assert [call.body["spec"]["cancel"] for call in cluster.calls if call.method == "PATCH"] == [
        {"reason": "interrupted at the command line"}
    ]
