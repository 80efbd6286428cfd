"""What NATS keeps is kept in bounds: expired records and large values that nothing names, on a real nats-server."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.builders import make_status, make_task
from tests.support.keeping import Keeper, keeper
from tests.support.nats_server import NatsServer

from celeriac import _objects
from celeriac.api.v1alpha1 import ObjectRef, Result
from celeriac.wire.names import (
    PAYLOADS_BUCKET,
    RESULTS_BUCKET,
    attempt_key,
    chunk_subject,
    claim_key,
    dead_subject,
    object_subject,
    params_object,
    result_object,
    stop_key,
    stream_of,
)
from celeriac_operator.bus.expiry import Expiry
from celeriac_operator.bus.keeping import Keeping
from celeriac_operator.bus.payloads import Payloads
from celeriac_operator.core.facts import TaskFacts
from celeriac_operator.kube.api import unfenced
from celeriac_operator.kube.cache import Cache
from celeriac_operator.settings import Settings

DAY = timedelta(days=1)
WEEK = 7 * DAY
DIGEST = f"sha256:{'a' * 64}"
PARAMS = params_object("media", DIGEST)
REF = ObjectRef(bucket=PAYLOADS_BUCKET, key=PARAMS, size=3, digest=DIGEST)


def now() -> datetime:
    return datetime.now(UTC)


def ours(_namespace: str) -> bool:
    return True


async def keys(keeping: Keeper) -> list[str]:
    info = await keeping.bus.js.stream_info(f"KV_{RESULTS_BUCKET}", subjects_filter=">")
    return sorted(subject.removeprefix(f"$KV.{RESULTS_BUCKET}.") for subject in info.state.subjects or {})


async def record(keeping: Keeper, key: str, expires: timedelta) -> None:
    wire = {"kind": "Finished", "outcome": "Succeeded", "finishTime": now().isoformat()}
    await keeping.bucket.create(key, json.dumps({**wire, "expireTime": (now() + expires).isoformat()}).encode())


async def test_records_go_when_they_say_so_and_attempts_when_they_are_old(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        expiry = Expiry(keeping.bus, RESULTS_BUCKET, ours, unfenced, WEEK, frozenset)
        await record(keeping, "media.old", 6 * DAY)
        await record(keeping, "media.wish", 30 * DAY)
        await keeping.bucket.create("media.uid.1", b"{}")
        await record(keeping, "media.new", 9 * DAY)
        assert (await expiry.sweep(now()), len(await keys(keeping))) == (0, 4)
        assert await expiry.sweep(now() + 8 * DAY) == 2
        assert await keys(keeping) == ["media.new", "media.wish"]
        assert await keeping.bucket.create("media.old", b"again"), "nothing is left of it, so that it can be created"


async def test_a_sweep_goes_on_where_the_last_one_stopped(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        expiry = Expiry(keeping.bus, RESULTS_BUCKET, ours, unfenced, WEEK, frozenset)
        for number in range(5):
            await record(keeping, f"media.task-{number}", DAY)
        later = now() + 8 * DAY
        assert [await expiry.sweep(later, at_once=2) for _ in range(4)] == [2, 2, 1, 0]


async def test_what_expires_faster_than_one_go_deletes_goes_all_the_same(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three records a task: workers write some hundreds a second."""
    monkeypatch.setattr("celeriac_operator.bus.keeping.BREATH_SECONDS", 0)
    goes = list[int]()

    async def sweep(_expiry: Expiry, _now: datetime) -> int:
        goes.append(1)
        return max(5 - len(goes), 0)

    monkeypatch.setattr(Expiry, "sweep", sweep)
    async with keeper(server) as keeping:
        kept = Keeping(keeping.bus, Cache(), Settings(), unfenced, lambda _: None, ours, clock=now)
        await kept.expire()
    assert len(goes) == 5


async def test_records_of_namespaces_that_are_not_ours_are_left_alone(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        await record(keeping, "media.mine", DAY)
        await record(keeping, "other.theirs", DAY)
        expiry = Expiry(keeping.bus, RESULTS_BUCKET, lambda name: name == "media", unfenced, WEEK, frozenset)
        await expiry.sweep(now() + 8 * DAY)
        assert await keys(keeping) == ["other.theirs"]


async def test_what_is_known_of_the_attempts_of_a_task_stays_as_long_as_the_task(server: NatsServer) -> None:
    """An attempt may run for longer than records are kept, and without its claim it would begin once more."""
    async with keeper(server) as keeping:
        there = {"uid-1"}
        expiry = Expiry(keeping.bus, RESULTS_BUCKET, ours, unfenced, WEEK, lambda: there)
        theirs = [claim_key("media", "uid-1", 2), attempt_key("media", "uid-1", 1), stop_key("media", "uid-1", 2)]
        for key in (*theirs, claim_key("media", "uid-2", 1)):
            await keeping.bucket.create(key, b"{}")
        assert await expiry.sweep(now() + 8 * DAY) == 1
        assert await keys(keeping) == sorted(theirs)
        there.clear()
        assert await expiry.sweep(now() + 8 * DAY) == len(theirs)


@pytest.mark.parametrize("planted", ["media.*", "media.>", "media.*.1", "*.*"])
async def test_a_record_under_wildcards_takes_no_others_with_it(planted: str, server: NatsServer) -> None:
    """The server takes such a message of whoever may publish to all that its subject matches."""
    async with keeper(server) as keeping:
        expiry = Expiry(keeping.bus, RESULTS_BUCKET, ours, unfenced, WEEK, frozenset)
        await record(keeping, "media.wish", 30 * DAY)
        await keeping.bucket.create("media.uid.1", b"{}")
        await keeping.bus.js.publish(f"$KV.{RESULTS_BUCKET}.{planted}", b"{}")
        await record(keeping, "media.new", 9 * DAY)
        await expiry.sweep(now() + 8 * DAY)
        assert await keys(keeping) == sorted((planted, "media.new", "media.wish"))


async def put(keeping: Keeper, name: str) -> None:
    await _objects.put(keeping.bus.js, name, b"[1]")


async def stored(keeping: Keeper) -> int:
    """Messages of the bucket: descriptions and chunks."""
    return (await keeping.bus.js.stream_info(f"OBJ_{PAYLOADS_BUCKET}")).state.messages


def collector(keeping: Keeper, tasks: Iterable[TaskFacts] = ()) -> Payloads:
    return Payloads(keeping.bus, PAYLOADS_BUCKET, lambda: tasks, ours, unfenced, WEEK)


async def rounds(payloads: Payloads, times: int = 4, later: timedelta = DAY) -> int:
    return sum([await payloads.collect(now() + later) for _ in range(times)])


async def test_params_that_nothing_names_go_wholly(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        await put(keeping, PARAMS)
        assert await rounds(collector(keeping)) == 1
        assert await stored(keeping) == 0


async def test_params_that_were_put_before_their_message_are_left_alone(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        await put(keeping, PARAMS)
        assert await rounds(collector(keeping), later=timedelta(minutes=59)) == 0


async def test_params_that_a_task_names_stay(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        await put(keeping, PARAMS)
        assert await rounds(collector(keeping, [make_task(params_ref=REF)])) == 0


MESSAGE = json.dumps({"name": "t", "spec": {"definitionName": "resize", "paramsRef": REF.to_wire()}}).encode()


@pytest.mark.parametrize("subject", [dead_subject("media", "default"), "celeriac.delayed.media.default.n.29000000"])
async def test_params_that_a_dead_letter_or_a_delayed_message_names_stay(server: NatsServer, subject: str) -> None:
    async with keeper(server) as keeping:
        await put(keeping, PARAMS)
        ack = await keeping.bus.js.publish(subject, MESSAGE)
        payloads = collector(keeping)
        assert await rounds(payloads) == 0
        await keeping.bus.js.delete_msg(ack.stream, ack.seq)
        assert await rounds(payloads) == 1


async def test_params_stay_while_a_message_waits_that_came_before_they_were_looked_at(server: NatsServer) -> None:
    """The stream of a queue cannot be read, so whatever waits in it may name them."""
    async with keeper(server) as keeping:
        stream = stream_of("media", "default")
        await keeping.bus.js.add_stream(name=stream, subjects=["celeriac.submit.media.default.*"])
        ack = await keeping.bus.js.publish("celeriac.submit.media.default.n", MESSAGE)
        await put(keeping, PARAMS)
        payloads = collector(keeping)
        assert await rounds(payloads) == 0
        await keeping.bus.js.publish("celeriac.submit.media.default.n", b"{}")
        await keeping.bus.js.delete_msg(stream, ack.seq)
        assert await rounds(payloads) == 1


async def test_params_that_are_put_again_are_others(server: NatsServer) -> None:
    async with keeper(server) as keeping:
        await put(keeping, PARAMS)
        payloads = collector(keeping)
        assert await rounds(payloads, 2) == 0
        await put(keeping, PARAMS)
        assert await rounds(payloads, 2) == 1, "the chunks of the first put, which the second has replaced"
        assert await _objects.get(keeping.bus.js, PARAMS) == b"[1]"


async def test_chunks_that_no_description_names_go(server: NatsServer) -> None:
    """Of a client that died while it put them, or that replaced them and may not purge."""
    async with keeper(server) as keeping:
        await put(keeping, PARAMS)
        await keeping.bus.js.publish(chunk_subject("media", "neverended", 0), b"half")
        payloads = collector(keeping, [make_task(params_ref=REF)])
        assert await payloads.collect(now()) == 0
        assert (await payloads.collect(now() + DAY), await stored(keeping)) == (1, 2)


@pytest.mark.parametrize("planted", [("media", "*"), ("*", "*")])
async def test_a_chunk_under_wildcards_takes_no_others_with_it(planted: tuple[str, str], server: NatsServer) -> None:
    async with keeper(server) as keeping:
        await put(keeping, PARAMS)
        await keeping.bus.js.publish(chunk_subject(*planted, 0), b"x")
        assert await rounds(collector(keeping, [make_task(params_ref=REF)])) == 0
        assert await _objects.get(keeping.bus.js, PARAMS) == b"[1]"


async def test_a_description_that_names_what_is_anothers_costs_that_nothing(server: NatsServer) -> None:
    """Whoever may write objects of a namespace describes another's object, or its chunks, to have them collected."""
    async with keeper(server) as keeping:
        js = keeping.bus.js
        await put(keeping, PARAMS)
        theirs = await _objects.describe(js, PARAMS)
        described = {"nuid": theirs.nuid, "size": 3, "chunks": 1}
        for name, subject in ((PARAMS, object_subject("evil.params.1")), ("evil.result.a.1", None)):
            await js.publish(subject or object_subject(name), json.dumps(described | {"name": name}).encode())
        payloads = collector(keeping, [make_task(params_ref=REF)])
        assert await rounds(payloads, later=100 * DAY) == 1
        assert await _objects.get(js, PARAMS) == b"[1]"


async def test_results_go_a_day_after_their_record(server: NatsServer) -> None:
    name = result_object("media", "gone", 1)
    async with keeper(server) as keeping:
        await put(keeping, name)
        assert await rounds(collector(keeping), later=WEEK) == 0
        assert await rounds(collector(keeping), later=WEEK + DAY + timedelta(minutes=1)) == 1
        assert await stored(keeping) == 0


async def test_results_of_a_task_that_is_there_stay(server: NatsServer) -> None:
    task = make_task()
    name = result_object("media", task.uid, 1)
    kept = Result(ref=ObjectRef(bucket=PAYLOADS_BUCKET, key=name, size=3, digest=DIGEST))
    async with keeper(server) as keeping:
        await put(keeping, name)
        tasks = [make_task(status=make_status(result=kept))]
        assert await rounds(collector(keeping, tasks), later=100 * DAY) == 0
