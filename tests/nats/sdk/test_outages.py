"""What clients do while NATS is down, paused, full, closes connections for good, or grants too little."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.nats.sdk.conftest import soon
from tests.support.nats_operator import FakeOperator
from tests.support.nats_server import NatsServer, nats_server
from tests.support.rotation import ROTATIONS, accounts, rotated

from celeriac import AsyncClient, Client, errors

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def operator(server: NatsServer) -> AsyncIterator[FakeOperator]:
    """The operator of a server of the test's own."""
    operator = FakeOperator(server.url, "team")
    await operator.start("default")
    yield operator
    await operator.stop()


@pytest.fixture
async def client(operator: FakeOperator) -> AsyncIterator[AsyncClient]:
    async with AsyncClient("team", nats_url=operator.url) as client:
        await client.get("connected")
        yield client


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outages are waited out for a moment only."""
    for module in ("_nats", "_publisher", "_mailing"):
        monkeypatch.setattr(f"celeriac.{module}.PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr("celeriac._nats.ANSWER_SECONDS", 0.3)
    monkeypatch.setattr("celeriac._bucket.ANSWER_SECONDS", 0.3)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are made anew at once."""
    monkeypatch.setattr("celeriac._nats_options.RECONNECT_SECONDS", 0.1)


def unconnected(client: AsyncClient) -> bool:
    connection = client._door._nats._client  # type: ignore[attr-defined]
    return connection is None or not connection.is_connected


async def test_a_task_submitted_during_a_restart_arrives(
    eager: None, client: AsyncClient, server: NatsServer, operator: FakeOperator
) -> None:
    server.kill()
    await soon(lambda: unconnected(client))
    submitting = asyncio.create_task(client.submit(definition="d", name="n"))
    await asyncio.wait([submitting], timeout=0.3)
    waited = not submitting.done()
    server.start()

    assert (True, "n") == (waited, (await submitting).name)
    assert ["n"] == [message.name for message in await operator.take()]


async def test_a_server_killed_between_publish_and_acknowledgement_takes_each_task_once(
    eager: None, client: AsyncClient, server: NatsServer, operator: FakeOperator
) -> None:
    requests: list[Any] = [{"definition": "d", "name": f"n{number}"} for number in range(3000)]
    sending = asyncio.create_task(client.submit_many(requests))
    publisher = client._door._publisher  # type: ignore[attr-defined]
    for _ in range(3):
        await soon(lambda: len(publisher._flights) > 100 or sending.done())
        server.kill()
        await soon(lambda: unconnected(client) or sending.done())
        server.start()
    done = await sending

    assert [] == [one.error for one in done if not one.ok]
    names = [message.name for message in await operator.take(count=3000)]
    assert (3000, 0) == (len(set(names)), await operator.held())
    assert {f"n{number}" for number in range(3000)} == set(names)


async def test_a_paused_server_delays_and_loses_nothing(
    client: AsyncClient, server: NatsServer, operator: FakeOperator
) -> None:
    server.pause()
    submitting = asyncio.create_task(client.submit(definition="d", name="n"))
    await asyncio.wait([submitting], timeout=0.5)
    waited = not submitting.done()
    server.go_on()
    await submitting

    assert (True, 1) == (waited, await operator.held())


async def test_an_outage_that_lasts_is_an_error_that_says_so(
    impatient: None, client: AsyncClient, server: NatsServer
) -> None:
    server.kill()
    await soon(lambda: unconnected(client))

    with pytest.raises(errors.ConnectionFailed, match=f"NATS at 127.0.0.1:{server.port} does not answer"):
        await client.submit(definition="d")


async def test_a_paused_server_that_stays_so_is_an_error(
    impatient: None, client: AsyncClient, server: NatsServer, operator: FakeOperator
) -> None:
    server.pause()
    [one] = await client.submit_many([{"definition": "d", "name": "n"}])
    with pytest.raises(errors.ConnectionFailed, match="does not answer"):
        await client.submit(definition="d", name="n")
    server.go_on()
    await client.submit(definition="d", name="n")

    assert "not acknowledged in time" in str(one.error)
    assert "may have arrived: with a name or key, submitting it again is safe" in str(one.error)
    assert await operator.held() == 1  # the first publish arrived too, under the same id


@pytest.mark.parametrize("how", ["kill", "pause"])
async def test_an_outage_of_a_batch_is_waited_out_once_and_not_for_each(
    impatient: None, client: AsyncClient, server: NatsServer, how: str
) -> None:
    getattr(server, how)()
    if how == "kill":
        await soon(lambda: unconnected(client))

    async with asyncio.timeout(40):
        done = await client.submit_many([{"definition": "d"}] * 2000)

    assert {errors.ConnectionFailed} == {type(one.error) for one in done}
    server.go_on()


async def test_a_server_that_was_never_there(impatient: None) -> None:
    async with AsyncClient("team", nats_url="nats://user:secret@127.0.0.1:1") as client:
        with pytest.raises(errors.ConnectionFailed, match=r"NATS at 127\.0\.0\.1:1 does not answer") as caught:
            await client.submit(definition="d")

    assert "secret" not in str(caught.value)
    assert "arrived" not in str(caught.value)  # nothing was sent


async def test_a_wait_outlives_a_restart_and_sees_what_came_before_it(
    eager: None, client: AsyncClient, server: NatsServer, operator: FakeOperator
) -> None:
    handle = await client.submit(definition="d")
    other = await client.submit(definition="d")
    waits = [asyncio.create_task(handle.get(60)), asyncio.create_task(other.get(60))]
    await asyncio.wait(waits, timeout=0.2)
    server.kill()
    await soon(lambda: unconnected(client))
    server.start()
    await operator.finish(handle.name, value="first")
    await asyncio.wait(waits, timeout=0.2)
    await operator.finish(other.name, value="second")

    assert ["first", "second"] == await asyncio.gather(*waits)


async def test_a_connection_that_the_server_ends_for_a_reason_is_made_anew(
    eager: None, client: AsyncClient, operator: FakeOperator
) -> None:
    handle = await client.submit(definition="d")
    waiting = asyncio.create_task(handle.get(60))
    await asyncio.wait([waiting], timeout=0.2)
    broken = client._door._nats._client  # type: ignore[attr-defined]
    await broken._send_command(b"NONSENSE\r\n")
    await broken._flush_pending()
    await soon(lambda: broken.stats["reconnects"] == 1)
    await operator.finish(handle.name, value=1)

    assert await waiting == 1
    assert (await client.submit(definition="d")).name
    assert await operator.held() == 2


async def test_what_was_under_way_when_the_connection_closed_for_good_arrives(
    eager: None, client: AsyncClient, server: NatsServer, operator: FakeOperator
) -> None:
    server.pause()
    submitting = asyncio.create_task(client.submit(definition="d", name="n"))
    await asyncio.sleep(0.05)
    await client._door._nats._client._close(2)  # type: ignore[attr-defined]
    server.go_on()

    assert (await submitting).name == "n"
    assert await operator.held() == 1


USERS = """
accounts: { A: { jetstream: enabled, users: [
  {user: operator, password: operator}
  {user: client-team, password: secret, permissions: {
    publish: {allow: [
      "celeriac.submit.team.>"
      "$KV.celeriac-results.team.*"
      "$JS.API.DIRECT.GET.KV_celeriac-results.$KV.celeriac-results.team.>"
      "$JS.API.DIRECT.GET.CELERIAC_EVENTS.celeriac.events.team.>"
      "$JS.API.STREAM.INFO.*"
      "$JS.API.DIRECT.GET.OBJ_celeriac-payloads.$O.celeriac-payloads.*.team.>"
      "$O.celeriac-payloads.*.team.>"
    ]}
    subscribe: {allow: ["_INBOX_client-team.>", "$KV.celeriac-results.team.>", "celeriac.events.team.>"]}
  }}
  {user: blind, password: secret, permissions: {
    publish: {allow: ["celeriac.submit.team.>", "$JS.API.>"]}, subscribe: {allow: ["_INBOX.>"]}
  }}
]}}
"""


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[FakeOperator]:
    """A server whose users may do little."""
    with nats_server(tmp_path, USERS) as server:
        operator = FakeOperator(server.url, "team", user="operator", password="operator")
        await operator.start("default")
        yield operator
        await operator.stop()


@pytest.fixture
def limited(guarded: FakeOperator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user of the namespace team."""
    monkeypatch.setenv("CELERIAC_NATS_USER", "client-team")
    monkeypatch.setenv("CELERIAC_NATS_PASSWORD", "secret")
    monkeypatch.setenv("CELERIAC_NATS_INBOX_PREFIX", "_INBOX_client-team")


async def test_the_permissions_of_one_namespace_are_enough(guarded: FakeOperator, limited: None) -> None:
    async with AsyncClient("team", nats_url=guarded.url) as client:
        handle = await client.submit(definition="d", params={"large": "x" * 100_000})
        waiting = asyncio.create_task(handle.get(30))
        await guarded.event(handle.name, "Running")
        states = [(await handle.status()).phase]
        states.append((await handle.cancel("why")).phase)
        await guarded.finish(handle.name, value=1)

        assert (["Running"] * 2, 1) == (states, await waiting)


@pytest.mark.parametrize("many", [False, True], ids=["submit", "submit_many"])
async def test_another_namespace_is_forbidden(guarded: FakeOperator, limited: None, many: bool) -> None:
    async with AsyncClient("team", nats_url=guarded.url) as client:
        if many:
            done = await client.submit_many([{"definition": "d", "namespace": "other"}, {"definition": "d"}])
            assert [errors.Forbidden, type(None)] == [type(one.error) for one in done]
        else:
            with pytest.raises(errors.Forbidden, match=r"publish to celeriac\.submit\.other\.default\.n"):
                await client.submit(definition="d", namespace="other")


async def test_a_record_that_may_not_be_read_or_written_is_forbidden(guarded: FakeOperator, limited: None) -> None:
    async with AsyncClient("other", nats_url=guarded.url) as client:
        with pytest.raises(errors.Forbidden):
            await client.get("n")
        with pytest.raises(errors.Forbidden):
            await client.cancel("n")


async def test_a_user_who_may_hear_no_records_is_told(guarded: FakeOperator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERIAC_NATS_USER", "blind")
    monkeypatch.setenv("CELERIAC_NATS_PASSWORD", "secret")
    async with AsyncClient("team", nats_url=guarded.url) as client:
        with pytest.raises(errors.Forbidden, match="subscribe to"):
            await client.wait("n", 30)


async def test_a_wrong_password_is_said_at_once(guarded: FakeOperator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERIAC_NATS_USER", "client-team")
    monkeypatch.setenv("CELERIAC_NATS_PASSWORD", "wrong-secret")
    async with AsyncClient("team", nats_url=guarded.url) as client:
        with pytest.raises(errors.Forbidden, match="does not accept the credentials") as caught:
            await client.submit(definition="d")

    assert "wrong-secret" not in str(caught.value)


async def test_settings_that_contradict_each_other_are_said(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERIAC_NATS_USER", "somebody")
    async with AsyncClient("team", nats_url=server.url) as client:
        with pytest.raises(errors.ConnectionFailed, match="CELERIAC_NATS_PASSWORD go together"):
            await client.submit(definition="d")


async def test_a_server_with_a_small_max_payload_is_not_sent_more(tmp_path: Path) -> None:
    with nats_server(tmp_path, "max_payload: 65536") as server:
        operator = FakeOperator(server.url, "team")
        await operator.start("default")
        async with AsyncClient("team", nats_url=server.url) as client:
            done = await client.submit_many(
                [
                    {"definition": "d", "annotations": {"a": "x" * 63_000}},
                    {"definition": "d", "annotations": {"a": "x"}},
                ]
            )
            first = client._door._nats._client  # type: ignore[attr-defined]

            assert [errors.InvalidTask, type(None)] == [type(one.error) for one in done]
            assert first.is_connected
        await operator.stop()


def test_a_child_that_was_forked_is_told_to_make_its_own(shared_server: NatsServer) -> None:
    with Client("team", nats_url=shared_server.url) as client:
        assert client.namespace == "team"
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                client.submit(definition="d")
            except RuntimeError as error:
                os.write(writer, str(error).encode())
            client.close()
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)

        assert b"before a fork: make another" in os.read(reader, 200)
        assert client.namespace == "team"


@pytest.mark.parametrize("rotate", ROTATIONS)
async def test_a_client_goes_on_with_the_password_that_its_file_has_then(
    rotate: Callable[[NatsServer], None], eager: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text("first")
    monkeypatch.setenv("CELERIAC_NATS_USER", "theirs")
    monkeypatch.setenv("CELERIAC_NATS_PASSWORD_FILE", str(file))
    with nats_server(tmp_path, accounts("first")) as server:
        operator = FakeOperator(server.url, "team")
        await operator.start("default")
        async with AsyncClient("team", nats_url=server.url) as client:
            handle = await client.submit(definition="d", name="before")
            waiting = asyncio.create_task(handle.get())
            await rotated(server, rotate, file)
            await client.submit(definition="d", name="after")
            await operator.take(count=2)
            await operator.finish("before", value=3)

            assert await waiting == 3
        assert ["before", "after"] == operator.deliveries
        await operator.stop()
