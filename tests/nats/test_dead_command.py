"""``celeriac dead`` and ``celeriac queues delete --purge``, on a real nats-server and an API server in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import Result
from nats.js.errors import NotFoundError
from tests.support.clock import Clock
from tests.support.cluster import Cluster
from tests.support.door import Client, MovedClock, Operator, declare, message, tasks_of, until
from tests.support.nats_server import NatsServer
from tests.unit.sdk.fake_api import FakeApi, status
from typer.testing import CliRunner

from celeriac._wire import Call, Reply
from celeriac.cli._app import app
from celeriac.wire.message import decode, encode
from celeriac.wire.names import RESULTS_BUCKET, SUBMISSION, SUBMIT_TIME_HEADER, delayed_subject, record_key
from celeriac.wire.records import TaskRecord
from celeriac_operator.bus.room import Bounds

Command = Callable[..., Result]


class Api(FakeApi):
    """Also deletes, from the operator's cluster."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self.cluster = cluster

    async def request(self, call: Call) -> Reply:
        kind, name = call.path.split("/")[-2:]
        if call.method == "GET" and kind == "tasks" and (found := self.cluster.get("tasks", name)) is not None:
            return Reply(200, json.dumps(found).encode())
        if call.method != "DELETE":
            return await super().request(call)
        if self.cluster.get("taskqueues", name) is None:
            return status(404, "NotFound", f'taskqueues "{name}" not found', kind="taskqueues", name=name)
        self.cluster.remove("taskqueues", name)
        return Reply(200, b"{}")


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(Clock())


@pytest.fixture
def celeriac(server: NatsServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setattr("celeriac._async_client.default_transport", lambda _kubeconfig, _context: Api(cluster))
    monkeypatch.setenv("CELERIAC_NATS_URL", server.url)
    monkeypatch.setenv("CELERIAC_DEBUG", "1")

    def run(*words: str) -> Result:
        return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [*words, "-n", "media"])

    return run


async def in_thread(celeriac: Command, *words: str) -> Result:
    """The command has an event loop of its own."""
    return await asyncio.to_thread(celeriac, *words)


async def three_dead(operator: Operator, client: Client) -> None:
    async def there() -> bool:
        return await client.left() >= 0

    async def dead() -> bool:
        return len(await client.letters()) == 3

    await until(there)
    await client.publish(*(message(f"t-{n}", container={"image": "x"}) for n in range(2)))
    await client.publish_bytes(b"{")
    await until(dead)


async def test_list_show_drop(server: NatsServer, cluster: Cluster, celeriac: Command) -> None:
    declare(cluster)
    client, operator = Client(server), Operator(server, cluster)
    async with operator.running():
        await three_dead(operator, client)
    listed = await in_thread(celeriac, "dead", "list")
    assert (0, 4) == (listed.exit_code, len(listed.stdout.splitlines()))
    assert ["NUMBER", "QUEUE", "NAME", "REASON", "AGE", "MESSAGE"] == listed.stdout.splitlines()[0].split()
    items = json.loads((await in_thread(celeriac, "dead", "list", "-o", "json")).stdout)["items"]
    assert {"t-0": "InlineContainerDenied", "t-1": "InlineContainerDenied", None: "MalformedMessage"} == {
        item["name"]: item["reason"] for item in items
    }
    (first,) = [str(item["number"]) for item in items if item["name"] == "t-0"]
    shown = json.loads((await in_thread(celeriac, "dead", "show", first, "-o", "json")).stdout)
    assert message("t-0", container={"image": "x"}) == shown["message"]
    assert "spec.container" in shown["why"]
    only = await in_thread(celeriac, "dead", "list", "--reason", "MalformedMessage", "-o", "name")
    assert 1 == len(only.stdout.split())
    assert 0 == (await in_thread(celeriac, "dead", "drop", first)).exit_code
    assert {"t-1", None} == {letter.name for letter, _ in await client.letters()}
    gone = await in_thread(celeriac, "dead", "show", first)
    assert (2, True) == (gone.exit_code, f"no dead letter {first}" in gone.stderr)
    assert 2 == (await in_thread(celeriac, "dead", "drop")).exit_code, "without a number nothing is meant"
    assert 0 == (await in_thread(celeriac, "dead", "drop", "--all")).exit_code
    assert [] == await client.letters()


async def test_replay_makes_tasks_of_them_and_takes_their_records_back(
    server: NatsServer, cluster: Cluster, celeriac: Command
) -> None:
    declare(cluster)
    client, operator = Client(server), Operator(server, cluster)
    async with operator.running():
        await three_dead(operator, client)
        cluster.edit("taskqueues", "default", inlineContainers="Allow")
        operator.hear_of_queues()
        reason = ("--reason", "InlineContainerDenied")
        done = await in_thread(celeriac, "dead", "replay", "--all", *reason, "--rate", "100", "-o", "name")
        assert (0, 2) == (done.exit_code, len(done.stdout.split()))
        await until(lambda: ["t-0", "t-1"] == sorted(tasks_of(cluster)))
    assert {None} == {letter.name for letter, _ in await client.letters()}
    async with client.jetstream() as js:
        records = await js.key_value(RESULTS_BUCKET)
        with pytest.raises(NotFoundError):
            await records.get(record_key("media", "t-0"))


async def test_replay_takes_back_no_record_of_another_message(
    server: NatsServer, cluster: Cluster, celeriac: Command
) -> None:
    """Who waits for the other would wait for ever."""
    declare(cluster)
    client, operator = Client(server), Operator(server, cluster)
    async with operator.running():
        await three_dead(operator, client)
        letters = await client.letters()
        (number,) = [n for n, (letter, _) in enumerate(letters, 1) if letter.name == "t-0"]
        async with client.jetstream() as js:
            records, key = await js.key_value(RESULTS_BUCKET), record_key("media", "t-0")
            other = json.loads((await records.get(key)).value or b"") | {"submission": "sha256:other"}
            await records.put(key, json.dumps(other).encode())
            assert 0 == (await in_thread(celeriac, "dead", "replay", str(number))).exit_code
            assert "sha256:other" == json.loads((await records.get(key)).value or b"")["submission"]


async def test_replay_to_a_queue_that_is_gone_keeps_the_dead_letter(
    server: NatsServer, cluster: Cluster, celeriac: Command
) -> None:
    declare(cluster)
    client, operator = Client(server), Operator(server, cluster)
    async with operator.running():
        await three_dead(operator, client)
        async with client.jetstream() as js:
            await js.delete_stream("CELERIAC_media_default")
        cluster.remove("taskqueues", "default")
        operator.hear_of_queues()

        async def gone() -> bool:
            return await client.left() == -1

        await until(gone)
        done = await in_thread(celeriac, "dead", "replay", "--all")
    assert (3, 3) == (done.exit_code, len(await client.letters()))
    assert "create it, and replay again" in done.stderr


async def test_delete_keeps_messages_and_purge_makes_dead_letters_of_them(
    server: NatsServer, cluster: Cluster, celeriac: Command
) -> None:
    clock = MovedClock()
    declare(cluster)
    client, operator = Client(server), Operator(server, cluster, clock=clock)
    start = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    async def watch() -> None:
        while True:
            operator.hear_of_queues()
            await asyncio.sleep(0.05)

    async with operator.running():

        async def there() -> bool:
            return await client.left() >= 0

        async def delayed() -> bool:
            return len(await client.delayed()) == 1

        await until(there)
        await client.publish(message("later", startTime=start))
        await until(delayed)
        cluster.edit("taskqueues", "default", stopPolicy="Hold")
        operator.hear_of_queues()
        await client.publish(*(message(f"t-{n}") for n in range(3)))
        watching = asyncio.create_task(watch())
        try:
            deleted = await in_thread(celeriac, "queues", "delete", "default")
            assert (0, "taskqueue.celeriac.dev/default deleted") == (deleted.exit_code, deleted.stdout.strip())
            assert 3 == await client.left()
            again = await in_thread(celeriac, "queues", "delete", "default")
            assert 2 == again.exit_code, "it is gone"
            purged = await in_thread(celeriac, "queues", "delete", "default", "--purge")
        finally:
            watching.cancel()
    assert (0, True) == (purged.exit_code, "4 message(s) are dead letters" in purged.stderr)
    assert {"t-0", "t-1", "t-2", "later"} == {letter.name for letter, _ in await client.letters()}
    assert ({"QueueDeleted"}, -1, []) == (
        {letter.reason for letter, _ in await client.letters()},
        await client.left(),
        await client.delayed(),
    )


async def test_purge_leaves_what_became_a_task_before_and_takes_a_delayed_message_as_it_is(
    server: NatsServer, cluster: Cluster, celeriac: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The acknowledgement of the first was lost, and headers of the last by an administrator's copy."""
    monkeypatch.setenv("CELERIAC_RECORD_RETENTION_DAYS", "30")
    declare(cluster, stopPolicy="Hold")
    client, operator = Client(server), Operator(server, cluster)
    taken = message("taken")
    notes = {SUBMISSION: decode(encode(taken)).digest}
    cluster.add("tasks", {"metadata": {"name": "taken", "annotations": notes}, "spec": {"queueName": "default"}})
    async with operator.running():

        async def there() -> bool:
            return await client.left() >= 0

        await until(there)
        await client.publish(taken, message("left"))
        async with client.jetstream() as js:
            subject = delayed_subject("media", "default", "n", 99_999_999)
            await js.publish(subject, encode(message("later")), headers={SUBMIT_TIME_HEADER: "yesterday"})
        cluster.remove("taskqueues", "default")
        operator.hear_of_queues()
        purged = await in_thread(celeriac, "queues", "delete", "default", "--purge")
    letters = [letter for letter, _ in await client.letters()]
    assert (0, ["later", "left"]) == (purged.exit_code, sorted(letter.name or "" for letter in letters))
    assert all(letter.submitted is not None and letter.origin for letter in letters)
    async with client.jetstream() as js:
        records = await js.key_value(RESULTS_BUCKET)
        found = TaskRecord.model_validate_json((await records.get(record_key("media", "left"))).value or b"")
        assert timedelta(days=30) == found.expire_time - found.finish_time
        with pytest.raises(NotFoundError):
            await records.get(record_key("media", "taken"))


async def test_purge_that_finds_no_room_leaves_the_rest_and_says_so(
    server: NatsServer, cluster: Cluster, celeriac: Command
) -> None:
    declare(cluster, stopPolicy="Hold")
    client = Client(server)
    operator = Operator(server, cluster, bounds=Bounds(dead_bytes=1_500))
    async with operator.running():

        async def there() -> bool:
            return await client.left() >= 0

        await until(there)
        await client.publish(*(message(f"t-{n}") for n in range(10)))
        cluster.remove("taskqueues", "default")
        operator.hear_of_queues()
        purged = await in_thread(celeriac, "queues", "delete", "default", "--purge")
        assert (True, True) == (purged.exit_code != 0, "celeriac dead list -A" in purged.stderr)
        assert 10 == await client.left() + len(await client.letters())


async def test_replay_brings_back_a_request_to_cancel(server: NatsServer, cluster: Cluster, celeriac: Command) -> None:
    declare(cluster)
    client, operator = Client(server), Operator(server, cluster)
    async with operator.running():
        await three_dead(operator, client)
    async with client.jetstream() as js:
        records, key = await js.key_value(RESULTS_BUCKET), record_key("media", "t-0")
        dead = json.loads((await records.get(key)).value or b"") | {"cancel": "why"}
        await records.put(key, json.dumps(dead).encode())
        assert 0 == (await in_thread(celeriac, "dead", "replay", "--all")).exit_code
        found = json.loads((await records.get(key)).value or b"")
    assert ("CancelRequested", "why") == (found["kind"], found["message"])


async def test_without_nats_it_says_what_to_set(celeriac: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELERIAC_NATS_URL")
    found = await in_thread(celeriac, "dead", "list")
    assert (3, True) == (found.exit_code, "set CELERIAC_NATS_URL" in found.stderr)
