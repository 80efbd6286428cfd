"""The command as it is installed, against a real API server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.sdk.conftest import SetStatus

pytestmark = pytest.mark.timeout(120)

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def celeriac(kubeconfig: str, where: str) -> Run:
    """Run the command in the test's namespace."""
    program = Path(sys.executable).parent / "celeriac"
    environment = os.environ | {"KUBECONFIG": kubeconfig}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(program), "-n", where, *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    return run


async def test_a_task_from_its_submission_to_its_retry(celeriac: Run, set_status: SetStatus) -> None:
    submitted = celeriac("submit", "d", "a=1", "--suspend", "--name", "n", "-o", "name")
    waited = celeriac("wait", "n", "--timeout", "0.2")
    cancelled = celeriac("cancel", "n", "--reason", "enough")
    await set_status("n", "Cancelled", phase="Cancelled", message="Cancelled: enough")
    ended = celeriac("wait", "n")
    retried = celeriac("retry", "n", "-o", "name")
    celeriac("cancel", "n-r1")

    assert (submitted.stdout, submitted.returncode) == ("task.celeriac.dev/n\n", 0)
    assert (waited.returncode, cancelled.returncode, ended.returncode) == (124, 0, 1)
    assert ended.stdout == "task.celeriac.dev/n Cancelled: enough\n"
    assert retried.stdout == "task.celeriac.dev/n-r1\n"


async def test_what_is_there_can_be_seen(celeriac: Run, set_status: SetStatus) -> None:
    celeriac("run", "-d", "--suspend", "--name", "n", "--queue", "q", "localhost/none:1", "--", "true")
    await set_status("n", "Expired", phase="Expired", message="It was too late", observedGeneration=1)

    assert "Expired" in celeriac("list", "--queue", "q").stdout
    assert json.loads(celeriac("get", "n", "-o", "json").stdout)["spec"]["container"]["command"] == ["true"]
    assert "It was too late" in celeriac("why", "n").stdout
    assert celeriac("logs", "n").returncode == 2
    assert celeriac("get", "nope").returncode == 2


def test_doctor_finds_the_definitions(celeriac: Run) -> None:
    checks = {check["name"]: check for check in json.loads(celeriac("doctor", "-o", "json").stdout)}

    assert [checks[name]["ok"] for name in ("API server", "Resources", "Namespace", "Rights", "Quota")] == [True] * 5


def test_a_cluster_that_is_not_there_is_trouble_with_the_cluster(celeriac: Run) -> None:
    result = celeriac("list", "--context", "nope")

    assert (result.returncode, result.stdout) == (3, "")
    assert "Traceback" not in result.stderr
