"""``celeriac doctor --audit``: how it is told, and its exit code. What is found has tests of its own."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.unit.sdk.cli.conftest import Cluster, Command
from tests.unit.sdk.fake_api import status

from celeriac._wire import Call, Reply
from celeriac.audit.finding import Finding, Weight
from celeriac.cli._audit import code_of

JOBS = "/apis/batch/v1/namespaces/team/jobs"


@pytest.fixture(autouse=True)
def _without_nats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELERIAC_NATS_URL", raising=False)


def add_orphan(cluster: Cluster) -> None:
    owner = {"kind": "Task", "uid": "gone", "controller": True}
    labels = {"app.kubernetes.io/managed-by": "celeriac"}
    meta = {"name": "lost-a1", "namespace": "team", "labels": labels, "ownerReferences": [owner]}
    asyncio.run(cluster.put(f"{JOBS}/lost-a1", {"metadata": meta}))


def test_what_differs_is_told_with_what_to_do(celeriac: Command, cluster: Cluster) -> None:
    add_orphan(cluster)

    result = celeriac("doctor", "--audit")

    assert "Note    team/lost-a1: Job lost-a1 belongs to a Task that is not there" in result.stdout
    assert "kubectl delete job lost-a1 -n team" in result.stdout
    assert "2 note. Looked at 0 tasks, 1 jobs, 0 cronTasks." in result.stdout
    assert result.exit_code == 0


def test_as_json(celeriac: Command, cluster: Cluster) -> None:
    add_orphan(cluster)

    found = json.loads(celeriac("doctor", "--audit", "-o", "json").stdout)

    assert found["looked at"]["jobs"] == 1
    assert [(each["weight"], each["name"]) for each in found["findings"]] == [("Note", ""), ("Note", "lost-a1")]


def test_by_name(celeriac: Command, cluster: Cluster) -> None:
    add_orphan(cluster)

    assert celeriac("doctor", "--audit", "-o", "name").stdout == "Note\nNote team/lost-a1\n"


def test_what_may_not_be_read_is_no_good_news(
    celeriac: Command, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = cluster.request

    async def request(call: Call) -> Reply:
        return status(403, "Forbidden") if call.path == JOBS else await read(call)

    monkeypatch.setattr(cluster, "request", request)
    result = celeriac("doctor", "--audit")

    assert f"Unread  {JOBS}" in result.stdout
    assert result.exit_code == 3


def test_it_writes_nothing(celeriac: Command, cluster: Cluster) -> None:
    celeriac("doctor", "--audit", "-A")

    assert {call.method for call in cluster.calls} == {"GET"}


@pytest.mark.parametrize(
    ("weights", "code"),
    [
        ([], 0),
        ([Weight.NOTE, Weight.AGAIN], 0),
        ([Weight.UNREAD], 3),
        ([Weight.UNREAD, Weight.LOST, Weight.NOTE], 1),
    ],
)
def test_the_exit_code(weights: list[Weight], code: int) -> None:
    assert code_of([Finding(weight, "media", "x", "found", "advice") for weight in weights]) == code
