"""What each user of the chart's NATS may do, asked of a real server with the chart's own configuration."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import nats.errors
import nats.js.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import api
from tests.support.flushing import flushed
from tests.support.nats_operator import NOW, FakeOperator
from tests.support.nats_server import NatsServer, nats_server
from tests.unit.charts.test_nats import SHARED, config, container
from tests.unit.charts.test_templates import HELM

from celeriac import AsyncClient, _objects
from celeriac._history import history
from celeriac._nats_options import NatsOptions
from celeriac.run.bus import Bus
from celeriac.wire import names
from celeriac.wire.events import TaskEvent
from celeriac_operator.bus.room import Bounds
from celeriac_operator.bus.shared import share

pytestmark = pytest.mark.skipif(HELM is None, reason="no helm: not in HELM, on PATH or in the project's cache")

USERS = ("operator", "client", "client-media", "runner-media", "client-a-b", "runner-a-b")
RESULTS = f"KV_{names.RESULTS_BUCKET}"
PASSWORD = "12345678901234567890"
"""Of digits, which the server would take for a number if it were not quoted."""


@pytest.fixture(scope="module")
def chart_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server with the chart's users; listening and storing are as in all tests."""
    accounts = config(*SHARED).partition("accounts:")[2]
    variables = [each["name"] for each in container(*SHARED)["env"] if each["name"].startswith("PASSWORD_")]
    with pytest.MonkeyPatch.context() as environment:
        for name in variables:
            environment.setenv(name, f'"{PASSWORD}"')
        with nats_server(tmp_path_factory.mktemp("nats"), f"accounts: {accounts}") as running:
            yield running


class Session:
    """A connection of one user, with what the server has refused it."""

    def __init__(self, client: Client, refused: list[str]) -> None:
        self.client, self.refused = client, refused

    async def may_publish(self, subject: str, payload: bytes = b"{}") -> bool:
        """Whether the server lets it; asked in order, so that its verdict is there when a ping is answered."""
        self.refused.clear()
        await self.client.publish(subject, payload)
        await flushed(self.client)
        return not self.refused

    async def may_subscribe(self, subject: str) -> bool:
        self.refused.clear()
        subscription = await self.client.subscribe(subject)
        await flushed(self.client)
        try:
            return not self.refused
        finally:
            if not self.refused:
                await subscription.unsubscribe()


@asynccontextmanager
async def session(server: NatsServer, user: str) -> AsyncIterator[Session]:
    refused: list[str] = []

    async def note(error: Exception) -> None:
        refused.append(str(error))

    client = Client()
    await client.connect(
        server.url,
        user=user,
        password=PASSWORD,
        inbox_prefix=f"_INBOX_{user}".encode(),
        error_cb=note,
        allow_reconnect=False,
    )
    try:
        yield Session(client, refused)
    finally:
        await client.close()


@pytest.fixture
async def filled(chart_server: NatsServer) -> NatsServer:
    """The streams and buckets as the operator makes them, with a record in each of two namespaces."""
    async with session(chart_server, "operator") as operator:
        js = operator.client.jetstream()
        for namespace in ("media", "a-b"):
            await js.add_stream(
                name=names.stream_of(namespace, "q"),
                subjects=names.submit_subjects(namespace, "q"),
                retention=api.RetentionPolicy.WORK_QUEUE,
                discard=api.DiscardPolicy.NEW,
            )
        await share(js, Bounds(), 1)
        bucket = await js.key_value(names.RESULTS_BUCKET)
        for namespace in ("media", "a-b"):
            await bucket.put(names.record_key(namespace, "t"), b"{}")
    return chart_server


@pytest.mark.parametrize(
    "credentials",
    [{}, {"user": "operator", "pass": "guess"}, {"user": "nobody", "pass": PASSWORD}],
    ids=["without credentials", "with another password", "as a user that is none"],
)
def test_nobody_gets_in(credentials: dict[str, str], chart_server: NatsServer) -> None:
    with socket.create_connection(("127.0.0.1", chart_server.port), timeout=30) as connection:
        lines = connection.makefile("rwb")
        assert lines.readline().startswith(b"INFO ")
        lines.write(f"CONNECT {json.dumps({'verbose': False, **credentials})}\r\nPING\r\n".encode())
        lines.flush()

        assert b"-ERR 'Authorization Violation'" == lines.readline().strip()


SUBMIT = {name: names.submit_subject(name, "q", "n") for name in ("media", "a-b")}
RECORD = {name: f"$KV.{names.RESULTS_BUCKET}.{names.record_key(name, 'x')}" for name in ("media", "a-b")}
OUTCOME = {name: f"$KV.{names.RESULTS_BUCKET}.{names.attempt_key(name, 'uid', 1)}" for name in ("media", "a-b")}
STOP = f"$KV.{names.RESULTS_BUCKET}.{names.stop_key('media', 'uid', 1)}"
READ = {
    name: f"$JS.API.DIRECT.GET.{RESULTS}.$KV.{names.RESULTS_BUCKET}.{names.record_key(name, 't')}"
    for name in ("media", "a-b")
}
PROGRESS = {name: names.event_subject(name, "t", "Progress") for name in ("media", "a-b")}
READ_OBJECT = f"$JS.API.DIRECT.GET.{names.PAYLOADS_STREAM}"
STOPPED = "read why an attempt is stopped"
HERE = {"read here", STOPPED, "put an object here", "put a chunk here", "read an object here", "read a chunk here"}
CLIENT = {"submit here", "cancel here", *HERE}
ALLOWED = {
    "client": CLIENT | {each.replace("here", "elsewhere") for each in CLIENT},
    "client-media": CLIENT,
    "runner-media": {"outcome here", "progress here", "claim here", "wait here", *HERE},
}
ACTIONS = {
    "submit here": SUBMIT["media"],
    "submit elsewhere": SUBMIT["a-b"],
    "cancel here": RECORD["media"],
    "cancel elsewhere": RECORD["a-b"],
    "outcome here": OUTCOME["media"],
    "outcome elsewhere": OUTCOME["a-b"],
    "claim here": f"$KV.{names.RESULTS_BUCKET}.{names.claim_key('media', 'uid', 1)}",
    "claim elsewhere": f"$KV.{names.RESULTS_BUCKET}.{names.claim_key('a-b', 'uid', 1)}",
    "wait here": names.ready_subject("media", "uid"),
    "wait elsewhere": names.ready_subject("a-b", "uid"),
    "tell a pod of a task": names.assign_subject("media", "uid"),
    "ask who waits": names.roll_subject("media"),
    "progress here": PROGRESS["media"],
    "progress elsewhere": PROGRESS["a-b"],
    "say that a task succeeded": names.event_subject("media", "t", "Succeeded"),
    "say why an attempt is stopped": STOP,
    "read why an attempt is stopped": f"$JS.API.DIRECT.GET.{RESULTS}.{STOP}",
    "read here": READ["media"],
    "read elsewhere": READ["a-b"],
    "take a message that waits": f"$JS.API.CONSUMER.MSG.NEXT.{names.stream_of('media', 'q')}.intake-n",
    "delete a stream": "$JS.API.STREAM.DELETE.CELERIAC_none_q",
    "empty a stream": f"$JS.API.STREAM.PURGE.{names.stream_of('media', 'q')}",
    "make a stream": "$JS.API.STREAM.CREATE.MINE",
    "change a stream": f"$JS.API.STREAM.UPDATE.{names.stream_of('media', 'q')}",
    "delete a consumer of the operator": f"$JS.API.CONSUMER.DELETE.{names.stream_of('media', 'q')}.intake-n",
    "acknowledge a message": f"$JS.ACK.{names.stream_of('media', 'q')}.intake-n.1.1.1.1.0",
    "bury a message": names.dead_subject("media", "q"),
    "delay a message": names.delayed_subject("media", "q", "n", 1),
    "put an object here": names.object_subject("media.params.x"),
    "put an object elsewhere": names.object_subject("a-b.params.x"),
    "put a chunk here": names.chunk_subject("media", "nuid", 0),
    "put a chunk elsewhere": names.chunk_subject("a-b", "nuid", 0),
    "read an object here": f"{READ_OBJECT}.{names.object_subject('media.params.x')}",
    "read an object elsewhere": f"{READ_OBJECT}.{names.object_subject('a-b.params.x')}",
    "read a chunk here": f"{READ_OBJECT}.{names.chunk_subject('media', 'nuid', 0)}",
    "read a chunk elsewhere": f"{READ_OBJECT}.{names.chunk_subject('a-b', 'nuid', 0)}",
    "read any object": f"$JS.API.STREAM.MSG.GET.{names.PAYLOADS_STREAM}",
    "empty the object store": f"$JS.API.STREAM.PURGE.{names.PAYLOADS_STREAM}",
    "have objects delivered": f"$JS.API.CONSUMER.CREATE.{names.PAYLOADS_STREAM}",
    "have records delivered": f"$JS.API.CONSUMER.CREATE.{RESULTS}.x.$KV.{names.RESULTS_BUCKET}.media.x",
    "have events delivered": f"$JS.API.CONSUMER.CREATE.{names.EVENTS_STREAM}.x.celeriac.events.media.t.Progress",
    "read the whole bucket": f"$JS.API.STREAM.MSG.GET.{RESULTS}",
    "watch the whole bucket": f"$JS.API.CONSUMER.CREATE.{RESULTS}",
}


@pytest.mark.parametrize("user", ["client", "client-media", "runner-media"])
async def test_a_user_may_publish_exactly(user: str, filled: NatsServer) -> None:
    async with session(filled, user) as connection:
        found = {action for action, subject in ACTIONS.items() if await connection.may_publish(subject)}

    assert ALLOWED[user] == found


async def test_the_operator_may_do_what_it_does(filled: NatsServer) -> None:
    async with session(filled, "operator") as connection:
        found = {action for action, subject in ACTIONS.items() if await connection.may_publish(subject, b"")}

    assert set(ACTIONS) == found


@pytest.mark.parametrize("user", USERS[1:])
@pytest.mark.parametrize(
    "subject",
    [
        pytest.param("_INBOX.>", id="answers to anybody"),
        pytest.param("_INBOX_operator.>", id="the tasks that the operator fetches"),
        pytest.param(">", id="everything"),
        pytest.param("celeriac.submit.>", id="what is submitted"),
        pytest.param("$KV.celeriac-results.>", id="the records of all namespaces"),
        pytest.param("$JS.EVENT.>", id="what the server tells of streams"),
    ],
)
async def test_nobody_but_the_operator_hears(user: str, subject: str, filled: NatsServer) -> None:
    async with session(filled, user) as connection:
        assert not await connection.may_subscribe(subject)


async def test_a_runner_hears_of_its_task_and_nobody_of_those_elsewhere(filled: NatsServer) -> None:
    async with session(filled, "runner-media") as connection:
        heard = [await connection.may_subscribe(names.assign_subject(where, "uid")) for where in ("media", "a-b")]
        asked = [await connection.may_subscribe(names.roll_subject(where)) for where in ("media", "a-b")]
    async with session(filled, "client-media") as connection:
        assert not await connection.may_subscribe(names.assign_subject("media", "uid"))

    assert (heard, asked) == ([True, False], [True, False])


async def test_a_client_hears_the_records_of_its_own_namespace_as_they_are_written(filled: NatsServer) -> None:
    async with session(filled, "client-media") as client, session(filled, "operator") as operator:
        subscription = await client.client.subscribe(f"$KV.{names.RESULTS_BUCKET}.media.*")
        await flushed(client.client)
        bucket = await operator.client.jetstream().key_value(names.RESULTS_BUCKET)
        await bucket.put("a-b.done", b"theirs")
        await bucket.put("media.done", b"ours")

        assert b"ours" == (await subscription.next_msg(timeout=30)).data


@pytest.mark.parametrize("user", ["client", "client-media"])
async def test_a_client_submits_reads_a_record_and_asks_to_cancel(user: str, filled: NatsServer) -> None:
    async with session(filled, user) as connection:
        js = connection.client.jetstream()
        acknowledged = await js.publish(SUBMIT["media"], b"{}")
        bucket = await js.key_value(names.RESULTS_BUCKET)
        await bucket.create(names.record_key("media", f"cancel-{user}"), b"{}")

        assert names.stream_of("media", "q") == acknowledged.stream
        assert b"{}" == (await bucket.get(names.record_key("media", "t"))).value
        assert [] == connection.refused


async def test_a_runner_decides_its_attempt_once(filled: NatsServer) -> None:
    async with session(filled, "runner-media") as connection:
        bucket = await connection.client.jetstream().key_value(names.RESULTS_BUCKET)
        key = names.attempt_key("media", "uid-of-a-task", 1)
        await bucket.create(key, b"first")
        with pytest.raises(nats.js.errors.KeyWrongLastSequenceError):
            await bucket.create(key, b"second")

        assert b"first" == (await bucket.get(key)).value


@pytest.mark.parametrize("user", ["client-media", "runner-media"])
async def test_large_params_and_results_go_through_the_object_store(user: str, filled: NatsServer) -> None:
    async with session(filled, user) as connection:
        js = connection.client.jetstream()
        for times in (1, 2):
            await _objects.put(js, f"media.{user}", b"x" * 300_000 * times)

            assert b"x" * 300_000 * times == await _objects.get(js, f"media.{user}")
        assert [] == connection.refused


async def test_one_message_of_a_user_never_empties_a_bucket(filled: NatsServer) -> None:
    """A roll-up is a header of what is published, so permissions do not tell it from anything else."""
    async with session(filled, "client-media") as connection, session(filled, "operator") as operator:
        js = connection.client.jetstream()
        for subject in (RECORD["media"], names.object_subject("media.params.x")):
            with pytest.raises(nats.js.errors.APIError):
                await js.publish(subject, b"{}", headers={"Nats-Rollup": "all"})
        bucket = await operator.client.jetstream().key_value(names.RESULTS_BUCKET)

        assert b"{}" == (await bucket.get(names.record_key("a-b", "t"))).value


THEIRS = names.stream_of("a-b", "q")
ELSEWHERE = {
    "submit": SUBMIT["a-b"],
    "write a record": f"$KV.{names.RESULTS_BUCKET}.{names.record_key('a-b', 'forged')}",
    "decide an attempt": OUTCOME["a-b"],
    "bury a message": names.dead_subject("a-b", "q"),
    "empty a stream": f"$JS.API.STREAM.PURGE.{THEIRS}",
    "delete a stream": f"$JS.API.STREAM.DELETE.{THEIRS}",
    "answer the operator": "_INBOX_operator.x",
    "tell a pod of a task": names.assign_subject("a-b", "uid"),
    "say that a pod waits": names.ready_subject("a-b", "uid"),
}
"""Subjects that no user of the namespace media may publish to."""
NOT_THEIRS = [
    *((user, what, subject) for user in ("client-media", "runner-media") for what, subject in ELSEWHERE.items()),
    ("client-media", "decide an attempt of its own namespace", OUTCOME["media"]),
    ("runner-media", "submit to its own namespace", SUBMIT["media"]),
    ("runner-media", "write a record of its own namespace", RECORD["media"]),
]


@pytest.mark.parametrize(
    ("user", "subject"), [pytest.param(who, where, id=f"{who} to {what}") for who, what, where in NOT_THEIRS]
)
async def test_the_server_answers_nowhere_else_than_to_who_asks(user: str, subject: str, filled: NatsServer) -> None:
    """It publishes an answer wherever it is asked to, whatever who asks may publish to; so that must lead nowhere."""
    stored = names.object_subject("media.params.stored")
    async with session(filled, user) as connection, session(filled, "operator") as operator:
        heard = await operator.client.subscribe(">")
        before = await _contents(operator.client)
        await connection.client.publish(f"{READ_OBJECT}.{stored}", reply=subject)  # answered by what is there, or a 404
        await connection.client.publish(stored, b"{}", reply=subject)  # by an acknowledgement, of JSON
        await connection.client.publish(stored, b"", reply=f"_INBOX_{user}.x")
        await connection.client.publish(f"{READ_OBJECT}.{stored}", reply=subject)  # by nothing, as some requests are
        await _answered(connection.client, user)
        await flushed(operator.client)
        told = [message.subject async for message in _pending(heard)]

        assert subject not in told
        assert before == await _contents(operator.client)


async def _answered(client: Client, user: str) -> None:
    """Until the server has answered what was asked of its streams before: it does so in order."""
    await client.request(f"{READ_OBJECT}.{names.object_subject('media.params.stored')}", timeout=30)
    await client.jetstream().publish(names.object_subject(f"media.params.{user}"), b"{}")


async def _contents(client: Client) -> dict[str, int]:
    """How many messages each stream holds, but for the one that who asks writes to."""
    streams = await client.jetstream().streams_info()
    kept = {str(stream.config.name): stream.state.messages for stream in streams}
    return {name: count for name, count in kept.items() if name != names.PAYLOADS_STREAM}


async def _pending(subscription: Subscription) -> AsyncIterator[Msg]:
    while subscription.pending_msgs:
        yield await subscription.next_msg(timeout=30)


async def test_a_client_is_told_that_there_is_no_such_queue(filled: NatsServer) -> None:
    async with session(filled, "client-media") as connection:
        with pytest.raises(nats.js.errors.NoStreamResponseError):
            await connection.client.jetstream().publish(names.submit_subject("media", "none", "n"), b"{}")


async def test_what_runners_and_the_operator_say_to_each_other_arrives(filled: NatsServer) -> None:
    async with session(filled, "runner-media") as runner, session(filled, "operator") as operator:
        told = await runner.client.subscribe(names.assign_subject("media", "uid"))
        asked = await runner.client.subscribe(names.roll_subject("media"))
        ready = await operator.client.subscribe(names.ready_subject("*", "*"))
        await asyncio.gather(flushed(runner.client), flushed(operator.client))
        await operator.client.publish(names.assign_subject("media", "uid"), b"a task")
        await operator.client.publish(names.roll_subject("media"), b"who waits?")
        await runner.client.publish(names.ready_subject("media", "uid"), b"one")

        assert b"a task" == (await told.next_msg(timeout=30)).data
        assert b"who waits?" == (await asked.next_msg(timeout=30)).data
        assert b"one" == (await ready.next_msg(timeout=30)).data
        with pytest.raises(nats.errors.NoRespondersError):
            await operator.client.request(names.assign_subject("media", "other"), b"a task", timeout=30)


@pytest.mark.parametrize("user", ["client", "client-media"])
async def test_a_client_hears_the_progress_that_a_runner_reports(user: str, filled: NatsServer) -> None:
    async with session(filled, user) as client, session(filled, "runner-media") as runner:
        heard = await client.client.subscribe("celeriac.events.media.>")
        await flushed(client.client)
        await runner.client.publish(PROGRESS["media"], b"half")

        assert b"half" == (await heard.next_msg(timeout=30)).data


async def test_a_client_reads_the_history_of_its_own_namespace(
    filled: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with session(filled, "operator") as operator:
        js = operator.client.jetstream()
        for attempt in (1, 2):
            for phase in ("Running", "Retrying"):
                event = TaskEvent(time=NOW, task_uid="u", phase=phase, attempt=attempt)
                subject = names.event_subject("media", "told", names.event_kind(phase, attempt))
                await js.publish(subject, event.to_json())
    options = NatsOptions(url=filled.url, user="client-media", password=PASSWORD, inbox_prefix="_INBOX_client-media")
    found = await history(options, "media", "told")

    assert [("Running", 1), ("Retrying", 1), ("Running", 2), ("Retrying", 2)] == [
        (event.phase, event.attempt) for event in found
    ]


@pytest.mark.parametrize("user", ["client", "client-media"])
async def test_the_sdk_submits_waits_cancels_and_sends_large_params_as(
    user: str, filled: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERIAC_NATS_USER", user)
    monkeypatch.setenv("CELERIAC_NATS_PASSWORD", PASSWORD)
    monkeypatch.setenv("CELERIAC_NATS_INBOX_PREFIX", f"_INBOX_{user}")
    operator = FakeOperator(filled.url, "media", user="operator", password=PASSWORD, inbox_prefix="_INBOX_operator")
    await operator.start(f"of-{user}")
    async with AsyncClient("media", nats_url=filled.url) as client:
        params = {"x": "x" * 40_000}
        handle = await client.submit(definition="d", name=f"sent-by-{user}", queue=f"of-{user}", params=params)
        waiting = asyncio.create_task(handle.get(30))
        await operator.take(f"of-{user}")
        await operator.finish(handle.name, value=7)
        other = await client.submit(definition="d", name=f"unwanted-by-{user}", queue=f"of-{user}")
        await other.cancel("no longer needed")

        assert 7 == await waiting
        assert "no longer needed" == (await operator.read(other.name)).message
    await operator.stop()


def test_the_runner_records_reads_and_stores_as_the_user_of_its_namespace(filled: NatsServer) -> None:
    options = NatsOptions(url=filled.url, user="runner-media", password=PASSWORD, inbox_prefix="_INBOX_runner-media")
    bus = Bus(options)
    key = names.attempt_key("media", "uid-by-runner", 1)

    assert bus.create(key, b"first", 10) is None
    assert b"first" == bus.create(key, b"second", 10)
    assert b"first" == bus.read(key, 10)
    assert bus.read(names.attempt_key("media", "uid-by-runner", 2), 10) is None
    bus.put_payload("media.result.uid-by-runner.1", b"y" * 200_000, 10)
    assert b"y" * 200_000 == bus.get_payload("media.result.uid-by-runner.1", 10)
