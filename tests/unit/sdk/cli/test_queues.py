"""``celeriac queues``, ``pause``, ``resume`` and ``drain``."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.unit.sdk.cli.conftest import Cluster, Command
from tests.unit.sdk.fake_api import QUEUES
from tests.unit.sdk.test_queue import active


@pytest.fixture(autouse=True)
def queues(cluster: Cluster) -> None:
    async def make() -> None:
        status = {"running": 2, "queued": 5, "oldestQueuedSeconds": 90, **active("Drained", 1)}
        await cluster.queue("media", status, maxConcurrency=10, rateLimit={"tasks": 5, "periodSeconds": 60})
        await cluster.queue("slow", {}, stopPolicy="Hold", stopReason="upgrade")

    asyncio.run(make())


def spec(cluster: Cluster, name: str) -> dict[str, object]:
    found: dict[str, object] = cluster.objects[f"{QUEUES}/{name}"]["spec"]
    return found


def test_a_table_for_programs_is_not_cut(celeriac: Command) -> None:
    heading, media, slow = celeriac("queues").stdout.splitlines()

    assert ["NAME", "STATE", "RUNNING", "QUEUED", "OLDEST", "RATE", "WHY"] == heading.split()
    assert ["media", "Active", "2/10", "5", "1m30s", "5", "in", "1m"] == media.split()
    assert ["slow", "Held", "0", "0", "-", "-", "upgrade"] == slow.split()


def test_of_every_namespace(celeriac: Command) -> None:
    assert ["NAMESPACE", "team", "team"] == [line.split()[0] for line in celeriac("queues", "-A").stdout.splitlines()]


def test_names(celeriac: Command) -> None:
    assert ["taskqueue.celeriac.dev/media", "taskqueue.celeriac.dev/slow"] == celeriac(
        "queues", "-o", "name"
    ).stdout.split()


def test_json_is_a_list(celeriac: Command) -> None:
    data = json.loads(celeriac("queues", "-o", "json").stdout)

    assert ("List", ["TaskQueue"] * 2) == (data["kind"], [item["kind"] for item in data["items"]])


def test_nothing_is_said_beside_the_output(celeriac: Command) -> None:
    result = celeriac("queues", "-n", "other")

    assert (0, "") == (result.exit_code, result.stdout)
    assert "operator's defaults" in result.stderr


def test_pause_says_why(celeriac: Command, cluster: Cluster) -> None:
    result = celeriac("pause", "media", "--reason", "upgrade")

    assert "taskqueue.celeriac.dev/media paused: upgrade\n" == result.stdout
    assert ("Hold", "upgrade") == (spec(cluster, "media")["stopPolicy"], spec(cluster, "media")["stopReason"])


def test_resume(celeriac: Command, cluster: Cluster) -> None:
    assert "taskqueue.celeriac.dev/slow resumed\n" == celeriac("resume", "taskqueue.celeriac.dev/slow").stdout
    assert {} == spec(cluster, "slow")


def test_drain_waits_until_nothing_runs(celeriac: Command, cluster: Cluster) -> None:
    result = celeriac("drain", "media", "--reason", "upgrade")

    assert "taskqueue.celeriac.dev/media drained: upgrade\n" == result.stdout
    assert "HoldAndDrain" == spec(cluster, "media")["stopPolicy"]
    assert "Draining team/media: 2 running, 5 queued" in result.stderr


def test_drain_gives_up_waiting_but_goes_on_draining(celeriac: Command, cluster: Cluster) -> None:
    result = celeriac("drain", "slow", "--timeout", "0")

    assert 124 == result.exit_code
    assert "goes on draining" in result.stderr
    assert "HoldAndDrain" == spec(cluster, "slow")["stopPolicy"]


@pytest.mark.parametrize("words", [["pause", "x"], ["resume", "x"], ["drain", "x"]], ids=" ".join)
def test_a_queue_that_nobody_declared(celeriac: Command, words: list[str]) -> None:
    result = celeriac(*words)

    assert 2 == result.exit_code
    assert "There is no TaskQueue x" in result.stderr


def test_json_of_what_was_done(celeriac: Command) -> None:
    data = json.loads(celeriac("pause", "media", "-o", "json").stdout)

    assert ["media"] == [item["metadata"]["name"] for item in data["items"]]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        pytest.param([], "taskqueue.celeriac.dev/media deleted\n", id="for people"),
        pytest.param(["-o", "name"], "taskqueue.celeriac.dev/media\n", id="the name alone"),
        pytest.param(
            ["-o", "yaml"],
            "apiVersion: celeriac.dev/v1alpha1\nkind: TaskQueue\nmetadata:\n  name: media\n  namespace: team\n",
            id="what it was",
        ),
    ],
)
def test_delete(celeriac: Command, cluster: Cluster, words: list[str], wanted: str) -> None:
    assert wanted == celeriac("queues", "delete", "media", *words).stdout
    assert f"{QUEUES}/media" not in cluster.objects
