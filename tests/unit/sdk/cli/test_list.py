"""``celeriac list``."""

from __future__ import annotations

import json

import pytest
from tests.unit.sdk.cli.conftest import Cluster, Command
from tests.unit.sdk.fake_api import finished


@pytest.fixture(autouse=True)
def tasks(cluster: Cluster) -> None:
    cluster.add("a", finished("Succeeded", phase="Succeeded"))
    cluster.add("b", {"phase": "Queued", "message": "Waiting\nfor a slot"}, queueName="q")
    cluster.add("c", {"phase": "Running"}, definitionName="d", container=None)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        pytest.param([], ["a", "b", "c"], id="all"),
        pytest.param(["--phase", "queued"], ["b"], id="by phase, in whatever case"),
        pytest.param(["-q", "q"], ["b"], id="by queue"),
        pytest.param(["-d", "d"], ["c"], id="by definition"),
        pytest.param(["-l", "x=y"], [], id="by label"),
        pytest.param(["--limit", "2"], ["b", "c"], id="the newest"),
        pytest.param(["-A"], ["a", "b", "c"], id="of every namespace"),
        pytest.param(["-n", "other"], [], id="of another namespace"),
    ],
)
def test_selection(celeriac: Command, words: list[str], names: list[str]) -> None:
    result = celeriac("list", "-o", "name", *words)

    assert result.stdout.split() == [f"task.celeriac.dev/{name}" for name in names]


def test_a_table_for_programs_is_not_cut(celeriac: Command) -> None:
    lines = celeriac("list").stdout.splitlines()

    assert lines[0].split() == ["NAME", "PHASE", "QUEUE", "WHAT", "TRIES", "RAN", "AGE", "MESSAGE"]
    assert [line.split()[:4] for line in lines[1:]] == [
        ["a", "Succeeded", "default", "busybox"],
        ["b", "Queued", "q", "busybox"],
        ["c", "Running", "default", "d"],
    ]
    assert lines[2].endswith("Waiting")


def test_json_is_a_list(celeriac: Command) -> None:
    data = json.loads(celeriac("list", "-o", "json").stdout)

    assert (data["kind"], len(data["items"])) == ("List", 3)


def test_nothing_is_said_beside_the_output(celeriac: Command) -> None:
    result = celeriac("list", "-q", "nope")

    assert (result.exit_code, result.stdout, result.stderr.strip()) == (0, "", "No tasks.")


def test_watch_prints_each_change(celeriac: Command, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.watch_faults = [[{"type": "DELETED", "object": cluster.objects[path]} for path in cluster.objects]]
    stop = KeyboardInterrupt()

    async def interrupt(_seconds: float) -> None:
        raise stop

    monkeypatch.setattr("celeriac._watch.asyncio.sleep", interrupt)
    result = celeriac("list", "--watch", "--queue", "q")

    assert [line.split()[:3] for line in result.stdout.splitlines()] == [["b", "Queued", "q"], ["b", "Deleted", "q"]]
    assert result.exit_code == 130


def test_a_phase_that_does_not_exist(celeriac: Command) -> None:
    assert celeriac("list", "--phase", "Done").exit_code == 2
