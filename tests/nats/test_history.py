"""The history of tasks: published by the operator, read by the command, on a real nats-server."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest
from tests.support.builders import make_attempt, make_status, make_task
from tests.support.clock import T0, at
from tests.support.keeping import keeper
from tests.support.nats_server import NatsServer
from typer.testing import CliRunner

from celeriac import errors
from celeriac._history import history
from celeriac._nats_options import NatsOptions
from celeriac.api.v1alpha1 import Phase, TaskStatus
from celeriac.wire.names import EVENTS_STREAM, event_subject
from celeriac_operator.bus.connection import Bus
from celeriac_operator.bus.history import History, event_of
from celeriac_operator.metrics import REGISTRY

ATTEMPT = make_attempt()
QUEUED = TaskStatus(phase=Phase.QUEUED, reason="QueueFull", message="Waiting: queue default is full")
RUNNING = make_status(ATTEMPT, phase=Phase.RUNNING, reason="Running", message="Attempt 1 is running")
DONE = make_status(ATTEMPT, phase=Phase.SUCCEEDED, reason="Succeeded", message="Suc\x1b[31mceeded")
STEPS = ((TaskStatus(), QUEUED), (QUEUED, QUEUED), (QUEUED, RUNNING), (RUNNING, DONE))


def lost() -> float:
    return REGISTRY.get_sample_value("celeriac_history_lost_total") or 0.0


async def published(server: NatsServer) -> None:
    """The life of a task, told twice, as by an operator that was restarted."""
    async with keeper(server) as keeping:
        teller = History(keeping.bus, lambda: at(5))
        running = asyncio.create_task(teller.run())
        for _twice in range(2):
            for old, new in STEPS:
                teller.tell(make_task(status=old), new)
        await keeping.bus.js.publish(event_subject("media", "other", "Queued"), b"{}")
        await keeping.bus.js.publish(event_subject("media", "resize-42", "Progress"), b"nonsense")
        async with asyncio.timeout(30):
            while (await keeping.bus.js.stream_info(EVENTS_STREAM)).state.messages < 5:
                await asyncio.sleep(0.02)
        running.cancel()


async def test_each_change_of_phase_is_told_once(server: NatsServer) -> None:
    await published(server)
    found = await history(NatsOptions(url=server.url), "media", "resize-42")
    assert [(event.phase, event.attempt) for event in found] == [("Queued", None), ("Running", 1), ("Succeeded", 1)]
    assert {event.time for event in found} == {at(5)}


async def test_nothing_is_known_of_a_task_that_was_never_seen(server: NatsServer) -> None:
    await published(server)
    assert await history(NatsOptions(url=server.url), "media", "never") == []


async def test_a_nats_without_operator_has_no_history_and_says_so(server: NatsServer) -> None:
    with pytest.raises(errors.NotInstalled, match="CELERIAC_NATS_URL"):
        await history(NatsOptions(url=server.url), "media", "resize-42")


async def test_an_event_that_finds_no_room_is_lost_and_counted_and_holds_nothing_up() -> None:
    before, teller = lost(), History(Bus(NatsOptions(url="nats://127.0.0.1:1")), lambda: T0, waiting=1)
    for old, new in STEPS:
        teller.tell(make_task(status=old), new)
    assert lost() - before == 2


async def test_without_nats_nothing_is_told_and_nothing_is_lost() -> None:
    before, teller = lost(), History(Bus(NatsOptions()), lambda: datetime.now(UTC), waiting=1)
    for old, new in STEPS:
        teller.tell(make_task(status=old), new)
    assert lost() - before == 0


def test_the_command_shows_it_as_a_table_and_as_json_without_control_characters(server: NatsServer) -> None:
    from celeriac.cli._app import app  # noqa: PLC0415 -- Typer reads the environment

    asyncio.run(published(server))
    runner = CliRunner(env={"CELERIAC_NATS_URL": server.url, "COLUMNS": "200", "NO_COLOR": "1"})
    table = runner.invoke(app, ["history", "resize-42", "-n", "media"])
    assert table.exit_code == 0, table.output
    assert ["TIME", "PHASE", "ATTEMPT", "REASON", "MESSAGE"] == table.output.splitlines()[0].split()
    assert "Waiting: queue default is full" in table.output
    assert "\x1b" not in table.output
    found = runner.invoke(app, ["history", "resize-42", "-n", "media", "-o", "json"])
    assert [event["phase"] for event in json.loads(found.output)] == ["Queued", "Running", "Succeeded"]


@pytest.mark.parametrize("output", ["table", "json", "name"])
def test_the_command_of_a_task_of_which_nothing_is_known(server: NatsServer, output: str) -> None:
    from celeriac.cli._app import app  # noqa: PLC0415 -- Typer reads the environment

    asyncio.run(published(server))
    found = CliRunner(env={"CELERIAC_NATS_URL": server.url}).invoke(
        app, ["history", "nope", "-n", "media", "-o", output]
    )
    assert (2, "") == (found.exit_code, found.stdout)
    assert "Nothing is known of a task nope in namespace media: " in " ".join(found.stderr.split())


def test_the_command_without_nats_says_what_to_set() -> None:
    from celeriac.cli._app import app  # noqa: PLC0415 -- Typer reads the environment

    found = CliRunner(env={"CELERIAC_NATS_URL": ""}).invoke(app, ["history", "resize-42", "-n", "media"])
    assert found.exit_code == 3
    assert "CELERIAC_NATS_URL" in found.output


async def test_what_another_namespace_has_published_before_takes_no_events_place(server: NatsServer) -> None:
    """A task's uid can be seen in the names of its records, and the server drops what has the id of another message."""
    async with keeper(server) as keeping:
        for old, new in STEPS:
            task = make_task(status=old)
            attempt = new.attempts[-1].number if new.attempts else 0
            for guess in (event_of(task, new, at(4)).id, f"{task.uid}.{new.phase}.{attempt}"):
                subject = event_subject("evil", "x", "Progress")
                await keeping.bus.js.publish(subject, b"{}", headers={"Nats-Msg-Id": guess})
    await published(server)
    found = await history(NatsOptions(url=server.url), "media", "resize-42")
    assert [(event.phase, event.attempt) for event in found] == [("Queued", None), ("Running", 1), ("Succeeded", 1)]
