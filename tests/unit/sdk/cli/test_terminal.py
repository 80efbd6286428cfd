"""Whatever the cluster or a task says, no command lets it drive the terminal of whoever reads it."""

from __future__ import annotations

import asyncio
import re

import pytest
from tests.unit.sdk.cli.conftest import Cluster, Command
from tests.unit.sdk.fake_api import PODS, condition, finished
from tests.unit.sdk.test_logs import attempt, pod, stamped

ODD = "\x1b]0;owned\x07\x9b31m\r\x08\u202etxt"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both streams are a terminal, one that knows no colours: any escape sequence is then somebody else's."""
    monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _self: True)
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture(autouse=True)
def odd(cluster: Cluster) -> None:
    async def make() -> None:
        tries = [attempt(1, "p1", failure="AppError", exitCode=1, message=ODD)]
        ended = finished("AppError", phase="Failed", attempts=tries, result={"value": {ODD: ODD}}, message=ODD)
        await cluster.task("done", ended, params={"a": ODD})
        await cluster.task("waits", {"phase": "Queued", "reason": ODD, "message": ODD})
        await cluster.put(f"{PODS}/p1", pod("p1", terminated={}))
        await cluster.queue("odd", {}, stopPolicy="Hold", stopReason=ODD)
        broken = condition("Stalled", "True", "InvalidSchedule") | {"message": ODD}
        await cluster.cron("odd", {"conditions": [broken]})

    asyncio.run(make())
    cluster.logs["p1"] = stamped(f"begins {ODD}")


@pytest.mark.parametrize(
    "words",
    [
        "logs done",
        "get done",
        "get done -o yaml",
        "get done -o json",
        "get done waits",
        "list",
        "list -o yaml",
        "wait done",
        "why done",
        "why waits",
        "why waits -o json",
        "cancel done",
        "retry done",
        "queues",
        "queues -o yaml",
        "pause odd",
        "cron list",
        "cron list -o json",
        f"get {ODD}",
    ],
)
def test_nothing_drives_the_terminal(celeriac: Command, words: str) -> None:
    result = celeriac(*words.split(" "))

    assert not CONTROLS.search(result.output), result.output
    assert result.output


def test_what_was_printed_is_shown(celeriac: Command) -> None:
    assert r"begins \x1b]0;owned\x07\x9b31m\x0d\x08\u202etxt" in celeriac("logs", "done").output
