"""What there is only through NATS: messages, records, dead letters, events, and what the server refuses."""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.nats.sdk.conftest import soon
from tests.support.flushing import flushed
from tests.support.nats_operator import FakeOperator
from tests.unit.sdk.fake_api import PODS, FakeApi
from tests.unit.sdk.test_logs import pod

from celeriac import AsyncClient, Client, Phase, errors
from celeriac._names import IDEMPOTENCY_KEY
from celeriac.api.v1alpha1 import Attempt
from celeriac.wire.message import MSG_ID, message_id
from celeriac.wire.names import REQUEST_DIGEST, RESULTS_BUCKET, record_key
from celeriac.wire.records import RecordKind


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({}, "default.n"),
        ({"queue": "q"}, "q.n"),
        ({"priority": 1}, "default.h"),
        ({"priority": 0}, "default.n"),
        ({"priority": -1, "queue": "q"}, "q.l"),
    ],
    ids=["the default queue", "a queue", "a high priority", "priority 0", "a low priority"],
)
async def test_a_message_goes_to_its_queue_and_band(
    client: AsyncClient, operator: FakeOperator, options: dict[str, Any], subject: str
) -> None:
    await operator.queue("q")
    heard = await operator.client.subscribe(f"celeriac.submit.{operator.namespace}.>")
    await flushed(operator.client)
    handle = await client.submit(definition="d", **options)
    message = await heard.next_msg(5)

    assert f"celeriac.submit.{operator.namespace}.{subject}" == message.subject
    assert message.headers is not None
    assert message.headers[MSG_ID].startswith(f"{handle.name}.")


async def test_who_answers_is_told_for_people(client: AsyncClient) -> None:
    told = await client._door.greet()
    assert told is not None
    assert re.fullmatch(r"127\.0\.0\.1:\d+ answers, NATS \d+\.\d+\.\d+, with the operator's bucket", told)


async def test_a_message_is_what_the_contract_says(client: AsyncClient, operator: FakeOperator) -> None:
    await client.submit(definition="d", key="k", labels={"a": "b"}, annotations={"c": "d"})
    [message] = await operator.take()

    assert ({"a": "b"}, {"c": "d", IDEMPOTENCY_KEY: "k"}) == (
        message.labels,
        {key: value for key, value in message.annotations.items() if key != REQUEST_DIGEST},
    )
    assert message.annotations[REQUEST_DIGEST].startswith("sha256:")
    assert {"definitionName": "d"} == message.spec


async def test_a_repeated_publish_is_one_message(client: AsyncClient, operator: FakeOperator) -> None:
    await client.submit(definition="d", name="n")
    [first] = await operator.take()
    again = {"name": "n", "annotations": dict(first.annotations), "spec": dict(first.spec)}

    ack = await operator.js.publish(
        f"celeriac.submit.{operator.namespace}.default.n", b"x", headers={MSG_ID: message_id(again)}
    )

    assert ack.duplicate


async def test_a_task_without_a_name_gets_one_that_sorts_by_time(client: AsyncClient) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    handles = [await client.submit(definition="d") for _ in range(3)]

    assert len({handle.name for handle in handles}) == 3
    assert before <= (await handles[0].status()).created <= datetime.now(UTC)


async def test_a_queue_that_nobody_declared_is_unknown(client: AsyncClient) -> None:
    with pytest.raises(errors.UnknownQueue, match="Queue nope of namespace"):
        await client.submit(definition="d", queue="nope")


async def test_one_unknown_queue_does_not_keep_others_from_theirs(client: AsyncClient) -> None:
    requests: list[Any] = [{"definition": "d", "queue": "nope"}, {"definition": "d"}] * 20

    done = await client.submit_many(requests)

    assert [errors.UnknownQueue, type(None)] * 20 == [type(one.error) for one in done]


@pytest.mark.parametrize("namespace", ["a.b", "*", "a b", "", ">", "x" * 64], ids=repr)
async def test_a_namespace_is_one_token_of_a_subject(operator: FakeOperator, namespace: str) -> None:
    async with AsyncClient("team", nats_url=operator.url) as client:
        with pytest.raises((errors.InvalidTask, errors.UnknownQueue)) as caught:
            await client.submit(definition="d", namespace=namespace)

    assert namespace == "" or isinstance(caught.value, errors.InvalidTask)


@pytest.mark.parametrize("name", ["a.b", "*", ">", "", "../x"], ids=repr)
async def test_a_name_that_cannot_be_is_not_found(client: AsyncClient, name: str) -> None:
    with pytest.raises(errors.TaskNotFound):
        await client.get(name)
    with pytest.raises(errors.TaskNotFound):
        await client.wait(name, 1)
    with pytest.raises(errors.TaskNotFound):
        await client.cancel(name)


async def test_a_message_that_is_too_large_is_refused_and_the_connection_lives(client: AsyncClient) -> None:
    huge = {f"k{number}": "x" * 131_040 for number in range(2)}

    with pytest.raises(errors.InvalidTask, match="as a message"):
        await client.submit(definition="d", annotations=huge)

    assert (await client.submit(definition="d")).name


@pytest.mark.parametrize(
    ("reason", "error", "said"),
    [
        ("InlineContainerDenied", errors.InlineContainerDenied, "inlineContainers"),
        ("InvalidParams", errors.InvalidParams, "no such column"),
        ("NameReused", errors.AlreadyExists, "another task has its name"),
        ("DefinitionGone", errors.UnknownDefinition, "no such column"),
        ("DefinitionNotFound", errors.UnknownDefinition, "no such column"),
        ("InvalidTask", errors.InvalidTask, "is not valid: no such column. Correct it"),
        ("TooOld", errors.TaskExpired, "no such column"),
        ("SomethingNew", errors.TaskFailed, r"became no Task \(SomethingNew\): no such column.*dead letters"),
    ],
)
async def test_a_dead_letter_is_raised(
    client: AsyncClient, operator: FakeOperator, reason: str, error: type[errors.CeleriacError], said: str
) -> None:
    handle = await client.submit(image="busybox")
    await operator.take()
    await operator.bury(handle.name, reason, "no such column")

    with pytest.raises(error, match=said):
        await handle.get(5)
    with pytest.raises(error):
        await client.result(handle.name, 5)
    assert (Phase.FAILED, reason, "") == ((task := await handle.status()).phase, task.outcome, task.uid)


async def test_a_name_that_another_content_has_is_told_by_the_record(
    client: AsyncClient, operator: FakeOperator
) -> None:
    first = await client.submit(definition="d", name="n")
    await operator.take()
    second = await client.submit(definition="d", name="n", params={"other": 1})
    await operator.finish("n", value=1)

    assert await first.get(5) == 1
    with pytest.raises(errors.AlreadyExists, match="other content"):
        await second.get(5)


async def test_a_stranger_who_used_the_name_does_not_end_the_wait(client: AsyncClient, operator: FakeOperator) -> None:
    handle = await client.submit(definition="d", name="n")
    await operator.take()
    await operator.bury("n", "NameReused", submission="sha256:another", request_digest="sha256:other")
    waiting = asyncio.create_task(handle.get(30))
    await asyncio.wait([waiting], timeout=0.1)
    undecided = not waiting.done()
    await operator.finish("n", value=1)

    assert (True, 1) == (undecided, await waiting)


async def test_a_countdown_submitted_again_is_the_same_task(client: AsyncClient, operator: FakeOperator) -> None:
    await client.submit(definition="d", key="k", countdown=60)
    [message] = await operator.take()
    second = await client.submit(definition="d", key="k", countdown=60)
    await operator.finish(second.name, value=1, request_digest=message.annotations[REQUEST_DIGEST])
    third = await client.submit(definition="d", key="k", countdown=60)

    assert [1, 1] == [await second.get(5), await third.get(5)]


async def test_a_wish_to_cancel_does_not_end_the_wait(client: AsyncClient, operator: FakeOperator) -> None:
    handle = await client.submit(definition="d")
    wish = await handle.cancel("too late")
    record = await operator.read(handle.name)

    with pytest.raises(errors.TimeoutError):
        await handle.get(0.05)
    await operator.finish(handle.name, "Cancelled", message="Cancelled: too late")

    assert (RecordKind.CANCEL_REQUESTED, "Cancelled", "too late", None) == (
        record.kind,
        record.outcome,
        record.message,
        record.submission,
    )
    assert (Phase.BACKLOGGED, False) == (wish.phase, wish.finished)
    assert record.expire_time - record.finish_time > timedelta(days=7)
    with pytest.raises(errors.TaskCancelled, match="too late"):
        await handle.get(5)


async def test_a_deleted_record_does_not_end_a_wait(client: AsyncClient, operator: FakeOperator) -> None:
    handle = await client.submit(definition="d", name="n")
    await operator.finish("n", value="old", submission="sha256:another")
    await operator.forget("n")
    waiting = asyncio.create_task(handle.get(30))
    await asyncio.wait([waiting], timeout=0.1)
    await operator.finish("n", value="new")

    assert await waiting == "new"


async def test_what_was_refused_is_not_believed(client: AsyncClient, operator: FakeOperator) -> None:
    """A create that loses is heard by subscribers all the same."""
    handle = await client.submit(definition="d", name="n")
    await handle.cancel()
    waiting = asyncio.create_task(handle.get(30))
    await asyncio.wait([waiting], timeout=0.1)
    forged = b'{"kind": "Finished", "outcome": "Succeeded", "result": {"value": "forged"}}'
    store = await operator.js.key_value(RESULTS_BUCKET)
    with pytest.raises(Exception, match="wrong last sequence"):
        await store.create(record_key(operator.namespace, "n"), forged)
    await operator.finish("n", value="true")

    assert await waiting == "true"


async def test_a_name_that_was_never_submitted_is_backlogged_and_says_so(client: AsyncClient) -> None:
    task = await client.get("n")

    assert (Phase.BACKLOGGED, None, "") == (task.phase, task.outcome, task.uid)
    assert "NATS holds it" in (task.status.message or "")


async def test_a_task_whose_record_has_gone_is_not_waited_for(client: AsyncClient, operator: FakeOperator) -> None:
    await operator.event("n", "Succeeded", reason="Succeeded")

    assert (await client.get("n")).succeeded
    with pytest.raises(errors.TaskNotFound, match=r"ended \(Succeeded\) at 2026-11-25.*no record"):
        await client.wait("n", 10)


async def test_a_phase_of_a_newer_operator_is_none_that_we_know(client: AsyncClient, operator: FakeOperator) -> None:
    await operator.event("n", "Levitating")

    assert (await client.get("n")).phase is Phase.PENDING


async def test_a_record_that_cannot_be_read_says_so(client: AsyncClient, operator: FakeOperator) -> None:
    store = await operator.js.key_value(RESULTS_BUCKET)
    await store.put(record_key(operator.namespace, "n"), b'{"kind": "Odd"}')

    with pytest.raises(errors.RequestRejected, match="newer SDK"):
        await client.wait("n", 5)


async def test_many_waits_are_one_subscription(client: AsyncClient, operator: FakeOperator) -> None:
    done = await client.submit_many([{"definition": "d"}] * 300)
    names = [one.handle.name for one in done if one.handle]
    waits = [asyncio.create_task(one.handle.get(60)) for one in done if one.handle]
    news = client._door._news  # type: ignore[attr-defined]
    await soon(lambda: len(news._topics) == 1)
    await asyncio.sleep(0.2)
    nats_client = client._door._nats._client  # type: ignore[attr-defined]
    subscriptions = len(nats_client._subs)
    for number, name in enumerate(names):
        await operator.finish(name, value=number)

    assert list(range(300)) == await asyncio.gather(*waits)
    assert subscriptions <= 3  # acknowledgements, answers to requests, records
    assert news._topics == {}


async def test_requests_are_taken_as_they_are_sent(client: AsyncClient) -> None:
    """However many there are, only those under way are in memory as messages."""
    most = 0
    made = 0

    def requests() -> Iterator[dict[str, Any]]:
        nonlocal most, made
        mailing = client._door._mailing  # type: ignore[attr-defined]
        for _ in range(2000):
            made += 1
            most = max(most, len(mailing._publisher._flights))
            yield {"definition": "d"}

    done = await client.submit_many(requests(), concurrency=50)  # type: ignore[arg-type]

    assert (2000, True) == (made, all(one.ok for one in done))
    assert 10 < most <= 50


async def test_submit_many_that_is_cancelled_leaves_nothing_behind(operator: FakeOperator) -> None:
    await operator.queue("small", max_msgs=1)
    async with AsyncClient(operator.namespace, nats_url=operator.url) as client:
        sending = asyncio.create_task(client.submit_many([{"definition": "d", "queue": "small"}] * 50, block=True))
        await soon(lambda: bool(client._door._mailing._turns))  # type: ignore[attr-defined]
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    gc.collect()

    assert [task.get_name() for task in asyncio.all_tasks() if "_again" in repr(task)] == []


@pytest.mark.parametrize(
    "deed", ["list", "queues", "cron_list", "why", "logs", "retry"], ids=lambda deed: f"{deed} asks the API server"
)
async def test_what_only_kubernetes_can_do_says_what_to_set(
    operator: FakeOperator, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, deed: str
) -> None:
    for name in ("KUBECONFIG", "CELERIAC_KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    async with AsyncClient(operator.namespace, nats_url=operator.url) as client:
        with pytest.raises(errors.ConnectionFailed, match="set KUBECONFIG"):
            if deed == "logs":
                await anext(client.logs("n"))
            else:
                await getattr(client, deed)(*["n"] * (deed in ("why", "retry")))


async def test_with_a_cluster_the_rest_works_too(operator: FakeOperator) -> None:
    api = FakeApi()
    await api.task("n", {"phase": "Running"})
    async with AsyncClient("team", transport=api, nats_url=operator.url) as client:
        assert ["n"] == [task.name for task in await client.list()]
    assert api.closed


async def test_the_log_of_a_task_whose_end_is_told_before_its_status_is_written(operator: FakeOperator) -> None:
    api = FakeApi()
    await api.task("n")
    await api.put(f"{PODS}/p", pod("p", terminated={"exitCode": 0}))
    api.logs["p"] = [b"here\n"]
    ended = Attempt(number=1, job_name="p-job", pod_name="p", exit_code=0)
    operator.namespace = "team"
    await operator.finish("n", attempts=(ended,))
    async with AsyncClient("team", transport=api, nats_url=operator.url) as client:
        assert [line async for line in client.logs("n")] == ["here"]


@pytest.mark.parametrize(
    ("env", "namespace"),
    [({"CELERIAC_NAMESPACE": "of-env"}, "of-env"), ({}, "team")],
    ids=["of the environment", "of the kubeconfig"],
)
async def test_the_namespace_is_found(
    operator: FakeOperator, monkeypatch: pytest.MonkeyPatch, env: dict[str, str], namespace: str
) -> None:
    monkeypatch.delenv("CELERIAC_NAMESPACE", raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    async with AsyncClient(transport=FakeApi(), nats_url=operator.url) as client:
        assert namespace == await client.namespace()


@pytest.mark.parametrize(
    ("env", "argument", "through_nats"),
    [("url", None, True), ("", None, False), ("url", "", False), ("", "url", True)],
    ids=["the environment says so", "nothing says so", "the argument says no", "the argument says so"],
)
async def test_which_way_in_is_taken(
    operator: FakeOperator, monkeypatch: pytest.MonkeyPatch, env: str, argument: str | None, through_nats: bool
) -> None:
    url = {"url": operator.url, "": ""}
    monkeypatch.setenv("CELERIAC_NATS_URL", url[env])
    given = None if argument is None else url[argument]
    monkeypatch.setattr("celeriac._async_client.default_transport", lambda _kubeconfig, _context: FakeApi())
    async with AsyncClient("team", nats_url=given) as client:
        assert through_nats == type(client._door).__name__.startswith("JetStream")


@pytest.fixture
async def bare(server: Any) -> AsyncIterator[AsyncClient]:
    """A client of a NATS that no operator works with."""
    async with AsyncClient("team", nats_url=server.url) as client:
        yield client


async def test_a_nats_without_an_operator_says_so(bare: AsyncClient) -> None:
    with pytest.raises(errors.UnknownQueue, match="the operator does not work with this NATS"):
        await bare.submit(definition="d")
    with pytest.raises(errors.NotInstalled, match="no bucket celeriac-results"):
        await bare.get("n")


def test_a_client_of_the_synchronous_kind_gets_results(shared_server: Any) -> None:
    operator = FakeOperator(shared_server.url, "sync")
    with Client("sync", nats_url=shared_server.url) as client:
        client._loop.run(operator.start("default"))
        handle = client.submit(definition="d")
        client._loop.run(operator.finish(handle.name, value=[1]))

        assert [1] == handle.get(30) == asyncio.run(handle.aget(30)) == client.result(handle.name)
        client._loop.run(operator.stop())
