"""``celeriac advise``."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.unit.sdk.cli.conftest import Cluster, Command

DEFINITIONS = "/apis/celeriac.dev/v1alpha1/namespaces/team/taskdefinitions"


@pytest.fixture(autouse=True)
def done(cluster: Cluster) -> None:
    async def make() -> None:
        for name, command in (("thumbnail", ["python", "-m", "celeriac.run"]), ("other", ["./run"])):
            spec = {"container": {"image": "i", "command": command, "resources": {"requests": {"cpu": "1"}}}}
            await cluster.put(f"{DEFINITIONS}/{name}", {"metadata": {"name": name, "namespace": "team"}, "spec": spec})
        for number in range(10):
            await cluster.task(f"t{number}", {"attempts": [attempt(number)]}, definitionName="thumbnail")

    asyncio.run(make())


def attempt(minute: int) -> dict[str, object]:
    return {
        "number": 1,
        "jobName": f"t{minute}-abc-a1",
        "createTime": f"2026-11-25T10:{minute:02}:00Z",
        "startTime": f"2026-11-25T10:{minute:02}:02Z",
        "finishTime": f"2026-11-25T10:{minute:02}:02Z",
        "usage": {"runMilliseconds": 40, "cpuMilliseconds": 30, "memoryBytes": 50 * 1024**2},
    }


def test_a_table(celeriac: Command) -> None:
    heading, other, thumbnail = celeriac("advise").stdout.splitlines()

    assert ["DEFINITION", "NOW", "ADVICE", "ATTEMPTS", "START", "RUN", "CPU", "MEMORY", "WHY"] == heading.split()
    assert ["other", "Pod", "-", "0", "-", "-", "1", "default", "Only"] == other.split()[:9]
    shown = ["thumbnail", "Pod", "Warm", "10", "2.0s", "40ms", "1", "→", "10m", "default", "→", "64Mi"]
    assert shown == thumbnail.split()[:12]


def test_of_one_definition_for_programs(celeriac: Command) -> None:
    (found,) = json.loads(celeriac("advise", "thumbnail", "-o", "json").stdout)

    assert ("Warm", {"cpu": "10m", "memory": "64Mi"}) == (found["suggested"], found["requests"])
    assert (2.0, 0.04, 10) == (found["startSeconds"], found["runSeconds"], found["attempts"])


def test_a_definition_that_is_not_there_is_an_error(celeriac: Command) -> None:
    assert "no TaskDefinition nobody" in celeriac("advise", "nobody").stderr


def test_in_every_namespace(celeriac: Command) -> None:
    assert "NAMESPACE" in celeriac("advise", "-A").stdout
