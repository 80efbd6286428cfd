"""What an audit reads of a real nats-server: everything, and nothing but to read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from nats.aio.client import Client
from tests.support.nats_operator import FakeOperator

from celeriac import AsyncClient
from celeriac.audit.read_bus import BusReader
from celeriac.wire import names
from celeriac.wire.dead import dead_headers
from celeriac.wire.records import AttemptRecord, Author

SOON = timedelta(minutes=5)


async def put_attempt(operator: FakeOperator, number: int, author: Author) -> None:
    record = AttemptRecord(author=author, task_uid="uid", attempt=number, finish_time=datetime.now(UTC))
    bucket = await operator.js.key_value(names.RESULTS_BUCKET)
    await bucket.put(names.attempt_key(operator.namespace, "uid", number), record.to_json())


async def test_it_reads_all_that_there_is(operator: FakeOperator, client: AsyncClient) -> None:
    where = operator.namespace
    await client.submit(definition="resize", name="taken")
    await operator.take()
    await client.submit(definition="resize", name="waits")
    await operator.finish("taken")
    await operator.event("taken", "Running")
    await operator.event("taken", "Succeeded")
    await operator.js.publish(names.event_subject(where, "taken", "Progress"), b"{}")
    for number, author in ((1, Author.RUNNER), (2, Author.OPERATOR)):
        await put_attempt(operator, number, author)
    await operator.store(f"{where}.params.abc", b"x" * 200_000)
    headers = dead_headers("TooOld", "w", origin="o.1.2", band="n", submitted=datetime.now(UTC), name="old")
    await operator.js.publish(names.dead_subject(where, "default"), b"{}", headers=headers)
    message = json.dumps({"name": "later", "spec": {"paramsRef": {"key": "k"}}}).encode()
    await operator.js.publish(names.delayed_subject(where, "default", "n", 1), message)
    before = datetime.now(UTC)

    unread: list[str] = []
    bus = await BusReader(operator.client, where, unread).read()

    assert unread == []
    assert [(each.name, each.queue) for each in bus.streams] == [(f"CELERIAC_{where}_default", "default")]
    [stream] = bus.streams
    assert stream.last_time is not None and before - SOON < stream.last_time < before
    assert [(each.name, each.params) for each in bus.waiting] == [("waits", None), ("later", "k")]
    assert [(each.name, each.reason) for each in bus.buried] == [("old", "TooOld")]
    assert bus.records[where, "taken"].outcome == "Succeeded"
    assert bus.attempts == {(where, "uid"): 1}
    assert {key: event.phase for key, event in bus.events.items()} == {(where, "taken"): "Succeeded"}
    assert bus.objects == {f"{where}.params.abc"}


async def test_a_queue_that_is_empty_still_says_when_it_took_its_last_message(
    operator: FakeOperator, client: AsyncClient
) -> None:
    await client.submit(definition="resize", name="taken")
    [before] = await BusReader(operator.client, operator.namespace, []).streams()
    await operator.take()

    [after] = await BusReader(operator.client, operator.namespace, []).streams()

    assert (await operator.held(), after.last_time) == (0, before.last_time)


async def test_one_that_never_took_any_says_so(operator: FakeOperator) -> None:
    [stream] = await BusReader(operator.client, operator.namespace, []).streams()

    assert stream.last_time is None


async def test_what_it_does_not_know_it_says(operator: FakeOperator) -> None:
    bucket = await operator.js.key_value(names.RESULTS_BUCKET)
    await bucket.put(f"{operator.namespace}.strange", b"{}")
    unread: list[str] = []

    await BusReader(operator.client, operator.namespace, unread).read()

    assert unread == [f"record {operator.namespace}.strange: it is none that this release knows"]


async def test_it_makes_no_consumer_and_takes_nothing(operator: FakeOperator, client: AsyncClient) -> None:
    await client.submit(definition="resize", name="waits")
    stream = names.stream_of(operator.namespace, "default")
    before = (await operator.js.stream_info(stream)).state

    await BusReader(operator.client, operator.namespace, []).read()

    assert (await operator.js.stream_info(stream)).state == before


async def test_without_an_installation_there_is_nothing(operator: FakeOperator) -> None:
    client = Client()
    await client.connect(operator.url)

    bus = await BusReader(client, "nobody", []).read()

    assert (bus.streams, bus.waiting, bus.records) == ((), (), {})
    await client.close()
