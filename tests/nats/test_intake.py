"""Messages become Tasks, on a real nats-server and the simulated cluster."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.js.errors import APIError, NoStreamResponseError
from tests.support.clock import Clock
from tests.support.cluster import Cluster
from tests.support.door import (
    QUEUE,
    Client,
    MovedClock,
    Operator,
    declare,
    message,
    submissions_of,
    tasks_of,
    until,
)
from tests.support.nats_server import NatsServer, nats_server
from tests.support.objects import Raw
from tests.support.raw_publish import publish_raw

from celeriac.wire.message import MSG_ID, decode, encode
from celeriac.wire.names import REQUEST_DIGEST, RESULTS_BUCKET, SUBMIT_TIME, record_key, stream_of, submit_subject
from celeriac.wire.records import RecordKind, TaskRecord
from celeriac_operator.bus.lanes import Lanes
from celeriac_operator.bus.room import Bounds
from celeriac_operator.bus.streams import Streams
from celeriac_operator.core.admission.standing import QueueKey
from celeriac_operator.fence import NotLeading
from celeriac_operator.kube.api import ApiError, Resource

ASKED = f"sha256:{'a' * 64}"


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(Clock())


@pytest.fixture
def client(server: NatsServer) -> Client:
    return Client(server)


async def ready(client: Client, queue: str = "default") -> None:
    async def there() -> bool:
        return await client.left(queue) >= 0

    await until(there)


async def drained(client: Client, queue: str = "default") -> None:
    async def empty() -> bool:
        return await client.left(queue) == 0

    await until(empty)


async def test_a_message_becomes_the_task_that_it_describes(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    declare(cluster)
    sent = message("resize-1", labels={"team": "a"}, params={"path": "a.png"}, priority=5)
    async with Operator(server, cluster).running():
        await ready(client)
        await client.publish(sent, band="h")
        await drained(client)
    (task,) = cluster.all("tasks")
    assert {"definitionName": "resize", "params": {"path": "a.png"}, "priority": 5, "queueName": "default"} == (
        task["spec"]
    )
    assert ("resize-1", "media", {"team": "a"}) == tuple(
        task["metadata"][key] for key in ("name", "namespace", "labels")
    )
    assert [decode(encode(sent)).digest] == submissions_of(cluster)
    assert datetime.fromisoformat(task["metadata"]["annotations"][SUBMIT_TIME]) <= datetime.now(UTC)


async def test_a_message_without_a_name_gets_the_same_one_however_often_it_comes(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    declare(cluster)
    operator = Operator(server, cluster)
    operator.kube.trouble = [TimeoutError(), TimeoutError()]
    async with operator.running():
        await ready(client)
        await client.publish_bytes(encode(message(None)))
        await drained(client)
    (name,) = tasks_of(cluster)
    assert (True, 22) == (name.startswith("m-"), len(name))


async def test_one_message_five_times_over_restarts_is_one_task(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    declare(cluster)
    for _ in range(5):
        async with Operator(server, cluster).running():
            await ready(client)
            await client.publish(message("resize-1"))
            await drained(client)
        server.kill()
        server.start()
    assert (["resize-1"], 1, []) == (tasks_of(cluster), cluster.writes["create tasks"], await client.letters())


async def test_a_queue_takes_in_its_window_and_goes_on_as_tasks_finish(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    declare(cluster, maxConcurrency=10)
    operator = Operator(server, cluster)
    async with operator.running():
        await ready(client)
        await client.publish(*(message(f"t-{n}") for n in range(150)))
        await until(lambda: operator.waiting.count(QUEUE) >= 97)
        assert await client.left() >= 50
        for name in tasks_of(cluster)[:50]:
            operator.finish(name)
        await until(lambda: len(tasks_of(cluster)) >= 147)
        assert 100 >= operator.waiting.count(QUEUE)
        for name in tasks_of(cluster):
            operator.finish(name)
        await drained(client)
    assert 150 == len(tasks_of(cluster))


async def test_higher_bands_come_first_when_there_is_no_room_for_all(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    declare(cluster, stopPolicy="Hold")
    operator = Operator(server, cluster)
    async with operator.running():
        await ready(client)
        await client.publish(*(message(f"low-{n}", priority=-1) for n in range(80)), band="l")
        await client.publish(*(message(f"high-{n}", priority=1) for n in range(60)), band="h")
        await client.publish(*(message(f"normal-{n}") for n in range(60)), band="n")
        cluster.edit("taskqueues", "default", stopPolicy=None)
        operator.hear_of_queues()
        await until(lambda: operator.waiting.count(QUEUE) >= 97)
        names = tasks_of(cluster)
    assert (60, 0) == (sum(n.startswith("high") for n in names), sum(n.startswith("low") for n in names))


async def test_a_queue_that_is_held_takes_in_nothing_and_reports_what_gets_too_old(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    clock = MovedClock()
    declare(cluster, stopPolicy="Hold", backlog={"maxAgeSeconds": 60})
    async with Operator(server, cluster, clock=clock).running():
        await ready(client)
        await client.publish(*(message(f"t-{n}") for n in range(40)))
        clock.ahead = timedelta(seconds=61)
        await drained(client)
    assert ([], {"TooOld"}, 40) == (
        tasks_of(cluster),
        {letter.reason for letter, _ in await client.letters()},
        len(await client.letters()),
    )


async def test_a_held_queue_reports_delayed_messages_that_get_too_old(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    """They wait from their startTime on."""
    clock = MovedClock()
    declare(cluster, backlog={"maxAgeSeconds": 60})
    operator = Operator(server, cluster, clock=clock)

    async def waiting(count: int) -> bool:
        return len(await client.delayed()) == count

    async with operator.running():
        await ready(client)
        for name, hours in (("old-1", 1), ("old-2", 1), ("young", 2)):
            start = datetime.now(UTC) + timedelta(hours=hours)
            await client.publish(message(name, startTime=start.isoformat()))
        await until(lambda: waiting(3))
        cluster.edit("taskqueues", "default", stopPolicy="Hold")
        operator.hear_of_queues()
        clock.ahead = timedelta(hours=1, seconds=200)
        await until(lambda: waiting(1))
    letters = [(letter.name, letter.reason) for letter, _ in await client.letters()]
    assert ([], [("old-1", "TooOld"), ("old-2", "TooOld")]) == (tasks_of(cluster), sorted(letters))


async def test_a_held_queue_keeps_what_is_not_too_old(server: NatsServer, cluster: Cluster, client: Client) -> None:
    clock = MovedClock()
    declare(cluster, stopPolicy="HoldAndDrain", backlog={"maxAgeSeconds": 600})
    async with Operator(server, cluster, clock=clock).running() as operator:
        await ready(client)
        await client.publish(*(message(f"t-{n}") for n in range(5)))
        await until(lambda: operator.streams.state(QUEUE) is not None and operator.streams.state(QUEUE).backlog == 5)  # type: ignore[union-attr]
        assert ([], []) == (tasks_of(cluster), await client.letters())
        cluster.edit("taskqueues", "default", stopPolicy=None)
        operator.hear_of_queues()
        await drained(client)
    assert 5 == len(tasks_of(cluster))


POISON = {
    "no JSON": (b"{", "MalformedMessage"),
    "no object": (b"[]", "MalformedMessage"),
    "nested as deep as a message can be": (b"[" * 200_000, "MalformedMessage"),
    "not UTF-8": (b'{"name":"\xff","spec":{}}', "MalformedMessage"),
    "no spec": (b'{"name":"a"}', "MalformedMessage"),
    "a field that nobody knows": (b'{"name":"a","spec":{"definitionName":"x","color":1}}', "InvalidTask"),
    "a value of the wrong type": (b'{"name":"a","spec":{"definitionName":"x","priority":"high"}}', "InvalidTask"),
    "a name that no Task can have": (b'{"name":"../../a","spec":{"definitionName":"x"}}', "InvalidTask"),
    "a name that is too long": (encode(message("a" * 64)), "InvalidTask"),
    "for another queue": (encode(message("a", queueName="other")), "InvalidTask"),
    "a container": (encode(message("a", container={"image": "x"})), "InlineContainerDenied"),
    "a definition that is gone": (encode(message("a", definitionDigest="0123456789abcdef")), "DefinitionGone"),
    "a namespace of its own": (b'{"name":"a","namespace":"kube-system","spec":{}}', "MalformedMessage"),
}


@pytest.mark.parametrize(("data", "reason"), POISON.values(), ids=POISON.keys())
async def test_poison_becomes_a_dead_letter_and_the_next_message_a_task(
    server: NatsServer, cluster: Cluster, client: Client, data: bytes, reason: str
) -> None:
    declare(cluster)
    async with Operator(server, cluster).running():
        await ready(client)
        await client.publish_bytes(data)
        await client.publish(message("next"))
        await drained(client)
    ((letter, body),) = await client.letters()
    assert (reason, data, ["next"]) == (letter.reason, body, tasks_of(cluster))


LARGEST = 65_536


async def test_poison_as_large_as_the_server_takes_never_costs_the_connection(tmp_path: Path, cluster: Cluster) -> None:
    """As a dead letter it has more headers: what is too large for the server makes it close the connection."""
    declare(cluster)
    sent = list[bytes]()
    with nats_server(tmp_path, f"max_payload: {LARGEST}") as server:
        client = Client(server)
        async with Operator(server, cluster).running() as operator:
            await ready(client)
            first = operator.bus.client
            for size in range(LARGEST - 4096, LARGEST, 512):
                poison = b"{" + b"\xff" * size
                with suppress(APIError):
                    await client.publish_bytes(poison)
                    sent.append(poison)
            await drained(client)
            assert first is operator.bus.client
        letters = await client.letters()
    assert (sent, True) == ([body for _, body in letters], 0 < len(sent) < 8)


async def test_poison_that_does_not_fit_any_more_stays_and_holds_up_no_other_queue(
    tmp_path: Path, cluster: Cluster
) -> None:
    """An administrator has made the server take less."""
    declare(cluster, stopPolicy="Hold")
    declare(cluster, "other")
    poison = b"{" + b"x" * 7_500
    with nats_server(tmp_path) as server:
        client, operator = Client(server), Operator(server, cluster)
        async with operator.running():
            await ready(client)
            await client.publish_bytes(poison)
        server.stop()
        server.extra = f"max_payload: {len(poison) + 300}"
        server.start()
        cluster.edit("taskqueues", "default", stopPolicy=None)
        operator = Operator(server, cluster)
        async with operator.running():
            await until(lambda: operator.bus.connected)
            await ready(client, "other")
            first = operator.bus.client
            for n in range(3):
                await client.publish(message(f"t-{n}"), queue="other")
                await client.publish(message(f"u-{n}"))
            await until(lambda: len(tasks_of(cluster)) == 6)
            await until(lambda: one_is_left(client))
            assert first is operator.bus.client


async def one_is_left(client: Client) -> bool:
    return await client.left() == 1


async def test_headers_that_look_like_the_servers_own_change_nothing(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    declare(cluster)
    async with Operator(server, cluster).running():
        await ready(client)
        headers = {"Status": "503", "Nats-Msg-Id": "other.0123", "Celeriac-Reason": "x"}
        await client.publish_bytes(encode(message("resize-1")), headers=headers)
        await drained(client)
    assert (["resize-1"], []) == (tasks_of(cluster), await client.letters())


async def test_headers_that_are_none_change_nothing(server: NatsServer, cluster: Cluster, client: Client) -> None:
    """The message comes again until something has become of it, and with it whatever it does to the connection."""
    declare(cluster)
    async with Operator(server, cluster).running():
        await ready(client)
        subject = submit_subject("media", "default", "n").encode()
        publish_raw(server, subject, encode(message("resize-1")), headers=b"\r\n\r\n")
        await drained(client)
    assert (["resize-1"], []) == (tasks_of(cluster), await client.letters())


async def test_a_name_that_is_another_tasks_is_reported_and_nothing_recorded_under_it(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    declare(cluster)
    async with Operator(server, cluster).running():
        await ready(client)
        await client.publish(message("resize-1", params={"a": 1}), message("resize-1", params={"a": 2}))
        await drained(client)
    ((letter, _),) = await client.letters()
    assert ("NameReused", ["resize-1"]) == (letter.reason, tasks_of(cluster))
    assert await record(client, "resize-1") is None


async def test_the_submitter_finds_a_record_of_a_dead_message(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    declare(cluster, inlineContainers="Deny")
    sent = message("resize-1", container={"image": "x"}) | {"annotations": {REQUEST_DIGEST: ASKED}}
    async with Operator(server, cluster, retention=timedelta(days=30)).running():
        await ready(client)
        await client.publish(sent)
        await drained(client)
    found = await record(client, "resize-1")
    assert found is not None
    assert ("Dead", "InlineContainerDenied", decode(encode(sent)).digest, ASKED, None, timedelta(days=30)) == (
        found.kind,
        found.outcome,
        found.submission,
        found.request_digest,
        found.task_uid,
        found.expire_time - found.finish_time,
    )
    assert "spec.inlineContainers is Deny" in found.message


@pytest.mark.parametrize(
    "dying",
    [
        pytest.param(encode(message("resize-1", container={"image": "x"})), id="a message of the name"),
        pytest.param(b"{", id="a malformed one, which only its id gives the name"),
    ],
)
async def test_a_request_to_cancel_what_has_died_is_answered_and_kept_for_another_message(
    server: NatsServer, cluster: Cluster, client: Client, dying: bytes
) -> None:
    declare(cluster, stopPolicy="Hold")
    operator = Operator(server, cluster)
    async with operator.running():
        await ready(client)
        await client.publish_bytes(dying, headers={MSG_ID: "resize-1.0123456789abcdef"})
        async with client.jetstream() as js:
            now = datetime.now(UTC)
            wish = RecordKind.CANCEL_REQUESTED
            request = TaskRecord(kind=wish, outcome="Cancelled", message="why", finish_time=now, expire_time=now)
            records = await js.key_value(RESULTS_BUCKET)
            await records.create(record_key("media", "resize-1"), request.model_dump_json(by_alias=True).encode())
        cluster.edit("taskqueues", "default", stopPolicy=None)
        operator.hear_of_queues()
        await drained(client)
    found = await record(client, "resize-1")
    assert found is not None
    assert ("Dead", "why") == (found.kind, found.cancel)


async def record(client: Client, name: str) -> TaskRecord | None:
    async with client.jetstream() as js:
        records = await js.key_value(RESULTS_BUCKET)
        try:
            entry = await records.get(record_key("media", name))
        except Exception:
            return None
        return TaskRecord.model_validate_json(entry.value or b"")


TROUBLE = {
    "the API server has trouble": ApiError(500, "InternalError", "etcd is busy"),
    "the API server does not answer": TimeoutError(),
    "the namespace's quota is full": ApiError(403, "Forbidden", "exceeded quota: tasks, requested: count/tasks=1"),
    "the operator lacks a right": ApiError(403, "Forbidden", "tasks is forbidden: User cannot create resource: denied"),
    "a bug of ours": KeyError("spec"),
}


@pytest.mark.parametrize("error", TROUBLE.values(), ids=TROUBLE.keys())
async def test_what_is_not_the_messages_fault_is_tried_again(
    server: NatsServer, cluster: Cluster, client: Client, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeriac_operator.core.intake.answer.QUOTA_SECONDS", 0.5)
    declare(cluster)
    operator = Operator(server, cluster)
    operator.kube.trouble = [error]
    async with operator.running():
        await ready(client)
        await client.publish(message("resize-1"), message("resize-2"))
        await drained(client)
    assert (["resize-1", "resize-2"], []) == (sorted(tasks_of(cluster)), await client.letters())


def one_queue_is_slow(
    server: NatsServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> tuple[Operator, asyncio.Event]:
    """No Task of queue slow is ever created, and what takes a tenth of a second is slow; set once one is begun."""
    monkeypatch.setattr("celeriac_operator.bus.door.Lanes", lambda: Lanes(0.1))
    declare(cluster)
    declare(cluster, "slow")
    operator, begun = Operator(server, cluster), asyncio.Event()
    create = operator.kube.create

    async def slow(resource: Resource, namespace: str, manifest: Raw, *, strict: bool = False) -> Raw:
        if manifest["spec"]["queueName"] == "slow":
            begun.set()
            await asyncio.Event().wait()
        return await create(resource, namespace, manifest, strict=strict)

    operator.kube.create = slow  # type: ignore[method-assign]
    return operator, begun


async def test_a_queue_whose_tasks_take_for_ever_to_create_holds_up_no_other(
    server: NatsServer, cluster: Cluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a webhook of one namespace can do."""
    operator, _ = one_queue_is_slow(server, cluster, monkeypatch)
    async with operator.running():
        await ready(client)
        await ready(client, "slow")
        await client.publish(*(message(f"slow-{n}") for n in range(30)), queue="slow")
        await client.publish(*(message(f"t-{n}") for n in range(20)))
        await drained(client)
        assert (20, 30) == (len(tasks_of(cluster)), await client.left("slow"))


async def test_messages_that_wait_for_another_of_their_name_hold_up_no_others(
    server: NatsServer, cluster: Cluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one was sent to a queue that is slow, and would make theirs slow as well."""
    operator, begun = one_queue_is_slow(server, cluster, monkeypatch)
    async with operator.running():
        await ready(client)
        await ready(client, "slow")
        await client.publish(message("a"), queue="slow")
        await begun.wait()
        await client.publish(*(message("a", params={"n": n}) for n in range(30)))
        await client.publish(*(message(f"t-{n}") for n in range(20)))

        async def made() -> bool:
            return len(tasks_of(cluster)) == 20

        await until(made)
        assert (30, 1) == (await client.left(), await client.left("slow"))


async def test_a_message_that_the_operator_keeps_failing_over_becomes_a_dead_letter(
    server: NatsServer, cluster: Cluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celeriac_operator.bus.intake.pause", lambda _: 0.05)
    declare(cluster)
    operator = Operator(server, cluster)
    operator.kube.trouble = [KeyError("spec")] * 5
    async with operator.running():
        await ready(client)
        await client.publish(message("resize-1"))
        await drained(client)
    ((letter, _),) = await client.letters()
    assert ("InternalError", []) == (letter.reason, tasks_of(cluster))


async def test_a_full_stream_refuses_the_publisher_and_forgets_nothing(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    declare(cluster, stopPolicy="Hold", backlog={"maxTasks": 3})
    operator = Operator(server, cluster)
    async with operator.running():
        await ready(client)
        await client.publish(*(message(f"t-{n}") for n in range(3)))
        with pytest.raises(APIError) as full:
            await client.publish(message("t-3"))
        assert 10077 == full.value.err_code
        cluster.edit("taskqueues", "default", stopPolicy=None)
        operator.hear_of_queues()
        await drained(client)
        await client.publish(message("t-3"))
        await drained(client)
    assert ["t-0", "t-1", "t-2", "t-3"] == sorted(tasks_of(cluster))


async def test_lower_bounds_only_refuse_new_messages(server: NatsServer, cluster: Cluster, client: Client) -> None:
    declare(cluster, stopPolicy="Hold")
    operator = Operator(server, cluster)
    async with operator.running():
        await ready(client)
        await client.publish(*(message(f"t-{n}") for n in range(5)))
        cluster.edit("taskqueues", "default", backlog={"maxTasks": 1})
        operator.hear_of_queues()

        async def refused() -> bool:
            try:
                await client.publish(message(f"more-{datetime.now(UTC):%H%M%S%f}"))
            except APIError:
                return True
            return False

        await until(refused)
        assert await client.left() >= 5


async def test_the_stream_of_a_deleted_queue_refuses_and_keeps_and_a_queue_of_that_name_goes_on(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    declare(cluster, stopPolicy="Hold")
    operator = Operator(server, cluster)
    async with operator.running():
        await ready(client)
        await client.publish(message("resize-1"))
        cluster.remove("taskqueues", "default")
        operator.hear_of_queues()

        async def refused() -> bool:
            try:
                await client.publish(message("resize-1"))
            except NoStreamResponseError:
                return True
            return False

        await until(refused)
        # The server refuses before its settings are on the disk: a kill between the two is another test's matter.
        await until(lambda: not operator.streams.outdated(QUEUE))
    server.kill()
    server.start()
    assert 1 == await client.left()
    declare(cluster)
    async with Operator(server, cluster).running():
        await drained(client)
    assert ["resize-1"] == tasks_of(cluster)


async def test_the_empty_stream_of_a_deleted_queue_gives_its_storage_back(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    """A queue of that name has a new one; one that holds messages stays."""
    declare(cluster, "kept", stopPolicy="Hold")
    declare(cluster)
    operator = Operator(server, cluster)

    async def removed() -> bool:
        return await client.left() == -1

    async with operator.running():
        await ready(client)
        await ready(client, "kept")
        await client.publish(message("left"), queue="kept")
        await client.publish(message("first"))
        await drained(client)
        for queue in ("default", "kept"):
            cluster.remove("taskqueues", queue)
        operator.hear_of_queues()
        await until(removed)
        declare(cluster)
        operator.hear_of_queues()
        await ready(client)
        await client.publish(message("second"))
        await drained(client)
        assert 1 == await client.left("kept")
    assert ["first", "second"] == sorted(tasks_of(cluster))


async def test_who_does_not_lead_any_more_removes_no_stream(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    asked: list[str] = []

    def refuses(namespace: str) -> AbstractContextManager[float]:
        asked.append(namespace)
        raise NotLeading("another replica leads")

    declare(cluster)
    operator = Operator(server, cluster, permit=refuses)
    async with operator.running():
        await ready(client)
        cluster.remove("taskqueues", "default")
        operator.hear_of_queues()
        await until(lambda: len(asked) > 2)
        assert 0 == await client.left()


async def test_a_queue_that_nats_has_no_storage_for_says_what_to_do(tmp_path: Path, cluster: Cluster) -> None:
    declare(cluster, backlog={"maxBytes": 50_000_000})
    declare(cluster, "other", backlog={"maxBytes": 50_000_000})
    bounds = Bounds(dead_bytes=1_000_000, delayed_bytes=1_000_000)
    with nats_server(tmp_path, storage=100_000_000) as server:
        operator = Operator(server, cluster, bounds=bounds)
        client = Client(server)

        def refused() -> list[str]:
            states = [operator.streams.state(QueueKey("media", name)) for name in ("default", "other")]
            return [state.message for state in states if state is not None and state.reason == "StreamRefused"]

        async with operator.running():
            await until(lambda: len(refused()) == 1)
            (said,) = refused()
            assert "nats.persistence.size" in said
            for name in ("default", "other"):
                if await client.left(name) == 0:
                    cluster.remove("taskqueues", name)
            operator.hear_of_queues()
            await until(lambda: refused() == [])


async def test_a_stream_that_a_killed_server_does_not_find_again_is_made_anew_with_its_messages(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    """nats-server writes a stream's settings and their checksum one after the other; killed between, it skips it."""
    declare(cluster, stopPolicy="Hold")
    async with Operator(server, cluster).running():
        await ready(client)
        await client.publish(message("resize-1"))
    server.kill()
    checksum = server.directory / "store/jetstream/$G/streams" / stream_of(*QUEUE[:2]) / "meta.sum"
    checksum.write_text("0" * len(checksum.read_text()))
    server.start()
    assert -1 == await client.left()
    declare(cluster)
    async with Operator(server, cluster).running():
        await drained(client)
    assert ["resize-1"] == tasks_of(cluster)


async def test_who_finds_a_queues_stream_finds_the_records_too(
    server: NatsServer, cluster: Cluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(cluster)
    asked, go_on, share = asyncio.Event(), asyncio.Event(), Streams.share

    async def slow(self: Streams) -> None:
        asked.set()
        await go_on.wait()
        await share(self)

    monkeypatch.setattr(Streams, "share", slow)
    operator = Operator(server, cluster)
    async with operator.running():
        await asked.wait()
        await operator.door._look_and_go_on()
        assert -1 == await client.left()
        go_on.set()
        await ready(client)
    async with client.jetstream() as js:
        await js.key_value(RESULTS_BUCKET)


async def test_who_does_not_lead_takes_in_nothing(server: NatsServer, cluster: Cluster, client: Client) -> None:
    declare(cluster)
    first, second = Operator(server, cluster), Operator(server, cluster)
    async with first.running(), second.running():
        await ready(client)
        first.leads = False
        await until(lambda: QUEUE not in first.streams.created)
        await client.publish(message("resize-1"))
        await drained(client)
        assert (0, 1) == (first.waiting.count(QUEUE), second.waiting.count(QUEUE))


async def test_a_delayed_message_waits_in_its_own_stream_over_restarts(
    server: NatsServer, cluster: Cluster, client: Client
) -> None:
    clock = MovedClock()
    declare(cluster)
    start = datetime.now(UTC) + timedelta(hours=1)
    sent = [
        message("later", startTime=start.isoformat()),
        message("soon", startTime=(start - timedelta(minutes=59, seconds=10)).isoformat()),
    ]
    async with Operator(server, cluster, clock=clock).running():
        await ready(client)
        await client.publish(*sent)
        await drained(client)
        assert (["soon"], [sent[0]]) == (tasks_of(cluster), await client.delayed())
    server.kill()
    server.start()
    clock.ahead = timedelta(minutes=59, seconds=45)
    async with Operator(server, cluster, clock=clock).running():
        await until(lambda: "later" in tasks_of(cluster))

        async def gone() -> bool:
            return await client.delayed() == []

        await until(gone)
    (task,) = [raw for raw in cluster.all("tasks") if raw["metadata"]["name"] == "later"]
    assert datetime.fromisoformat(task["metadata"]["annotations"][SUBMIT_TIME]) < datetime.now(UTC)
    assert decode(encode(sent[0])).digest in submissions_of(cluster)


async def test_delayed_messages_are_bound_as_the_queue_is(server: NatsServer, cluster: Cluster, client: Client) -> None:
    declare(cluster, backlog={"maxTasks": 2})
    start = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    async with Operator(server, cluster).running():
        await ready(client)

        async def both_are_full() -> bool:
            """The queue's stream may be full before its first messages have moved on."""
            with suppress(APIError):
                await client.publish(message(f"t-{datetime.now(UTC):%H%M%S%f}", startTime=start))
            return (2, 2) == (len(await client.delayed()), await client.left())

        await until(both_are_full)
        with pytest.raises(APIError):
            await client.publish(message("one-more", startTime=start))
        assert (2, 2) == (len(await client.delayed()), await client.left())


async def test_what_is_known_of_the_stream_is_told(server: NatsServer, cluster: Cluster, client: Client) -> None:
    declare(cluster, stopPolicy="Hold")
    operator = Operator(server, cluster)
    async with operator.running():
        await ready(client)
        await client.publish(message("a"), message("b"))
        await until(lambda: (state := operator.streams.state(QUEUE)) is not None and state.backlog == 2)
        told = operator.told[QUEUE]
        server.kill()
        await until(lambda: operator.told[QUEUE] > told)
        state = operator.streams.state(QUEUE)
        assert state is not None
        assert (2, "NATSDown") == (state.backlog, state.reason)
        server.start()
        await until(lambda: (state := operator.streams.state(QUEUE)) is not None and state.reason == "StreamReady")
