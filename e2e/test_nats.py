"""The chart's NATS on a real node: it comes up, keeps what it acknowledged, and lets everybody do only their own."""

import asyncio
import secrets
import socket
from collections.abc import Iterator

import pytest
from e2e.support.connection import is_local
from e2e.support.kube import CLAIMS, SECRETS, STATEFUL_SETS, Kube
from e2e.support.namespaces import RESTRICTED, Namespace, fresh_namespace
from e2e.support.nats import ReleasedNats
from e2e.support.predicates import status
from e2e.support.release import Release
from e2e.support.volumes import NATS_CLAIM, volume_for
from nats.aio.client import Client
from nats.js import api
from tests.support.flushing import flushed

from celeriac.wire import names


@pytest.fixture(scope="module")
def tenants(kube: Kube) -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces that have users of their own."""
    with fresh_namespace(kube, labels=RESTRICTED) as first, fresh_namespace(kube, labels=RESTRICTED) as second:
        yield first, second


@pytest.fixture(scope="module")
def installed(kube: Kube, tenants: tuple[Namespace, Namespace]) -> Iterator[tuple[Release, ReleasedNats]]:
    """A release with a volume and without operators, in a namespace that enforces the restricted standard."""
    with (
        fresh_namespace(kube, prefix="e2e-nats", labels=RESTRICTED) as own,
        volume_for(kube, own.name, NATS_CLAIM, "256Mi"),
    ):
        release = Release(kube, f"nats-{secrets.token_hex(3)}", own.name)
        try:
            release.install(*_values(tenants))
            yield release, ReleasedNats(kube, own.name)
        finally:
            release.uninstall()


def _values(tenants: tuple[Namespace, Namespace]) -> tuple[str, ...]:
    watched = ",".join(each.name for each in tenants)
    return (
        "fullnameOverride=celeriac",
        "replicas=0",
        "admissionPolicies.enabled=false",
        f"watch.namespaces={{{watched}}}",
        "nats.persistence.enabled=true",
        "nats.persistence.size=256Mi",
        "nats.persistence.storageClassName=-",
    )


@pytest.fixture
def nats(installed: tuple[Release, ReleasedNats]) -> ReleasedNats:
    """NATS as it was installed."""
    return installed[1]


def test_it_comes_up_under_the_restricted_standard_on_a_volume(nats: ReleasedNats) -> None:
    stateful_set = nats.kube.get(STATEFUL_SETS, nats.namespace, "celeriac-nats")
    claim = nats.kube.get(CLAIMS, nats.namespace, NATS_CLAIM)

    assert status(stateful_set).get("readyReplicas") == 1
    assert status(claim).get("phase") == "Bound"


async def test_it_refuses_who_has_no_password(nats: ReleasedNats) -> None:
    with nats.reached() as url:
        host, port = url.removeprefix("nats://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        assert (await reader.readline()).startswith(b"INFO ")
        writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')

        assert (await reader.readline()).strip() == b"-ERR 'Authorization Violation'"
        writer.close()


async def test_a_namespaces_user_publishes_there_and_nowhere_else(
    nats: ReleasedNats, tenants: tuple[Namespace, Namespace]
) -> None:
    mine, theirs = tenants
    async with nats.connected("operator") as (operator, _):
        for tenant in tenants:
            await _stream(operator, tenant.name)
    async with nats.connected(f"client-{mine.name}") as (client, refused):
        await client.jetstream().publish(names.submit_subject(mine.name, "default", "n"), b"{}")
        assert refused == []
        await client.publish(names.submit_subject(theirs.name, "default", "n"), b"{}")
        await flushed(client)

    async with nats.connected("operator") as (operator, _):
        counts = [await _count(operator, tenant.name) for tenant in tenants]
    assert counts == [1, 0]
    assert len(refused) == 1 and "permissions violation" in refused[0]


async def test_what_was_acknowledged_outlives_the_pod(nats: ReleasedNats, tenants: tuple[Namespace, Namespace]) -> None:
    async with nats.connected("operator") as (operator, _):
        before = await _filled(operator, tenants[0].name, 50)
    nats.delete_pod()
    async with nats.connected("operator") as (operator, _):
        after = await _count(operator, tenants[0].name)

    assert before == after


async def test_what_was_acknowledged_outlives_a_kill(nats: ReleasedNats, tenants: tuple[Namespace, Namespace]) -> None:
    if not is_local(nats.kube.kubeconfig):
        pytest.skip("the server's process is not on this machine")
    async with nats.connected("operator") as (operator, _):
        before = await _filled(operator, tenants[0].name, 50)
    nats.kill()
    async with nats.connected("operator") as (operator, _):
        after = await _count(operator, tenants[0].name)

    assert before == after


def test_an_upgrade_keeps_the_passwords_and_the_pod(
    installed: tuple[Release, ReleasedNats], tenants: tuple[Namespace, Namespace]
) -> None:
    release, nats = installed
    users = ("operator", "client", *(f"{role}-{each.name}" for each in tenants for role in ("client", "runner")))
    before = [nats.password(user) for user in users], nats.pod()["metadata"]["uid"]
    release.install(*_values(tenants))

    assert before == ([nats.password(user) for user in users], nats.pod()["metadata"]["uid"])


def test_each_namespace_has_secrets_of_its_own(nats: ReleasedNats, tenants: tuple[Namespace, Namespace]) -> None:
    for tenant in tenants:
        for name in ("celeriac-nats-client", "celeriac-nats-runner"):
            assert nats.kube.get(SECRETS, tenant.name, name) is not None


def test_its_monitoring_cannot_be_reached_from_outside_of_the_pod(nats: ReleasedNats) -> None:
    if not is_local(nats.kube.kubeconfig):
        pytest.skip("the pod network is not reached from this machine")
    address = status(nats.pod())["podIP"]
    socket.create_connection((address, 4222), timeout=30).close()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, 8222), timeout=30)


async def _stream(client: Client, namespace: str) -> None:
    await client.jetstream().add_stream(
        name=names.stream_of(namespace, "default"),
        subjects=names.submit_subjects(namespace, "default"),
        retention=api.RetentionPolicy.WORK_QUEUE,
        discard=api.DiscardPolicy.NEW,
    )


async def _filled(client: Client, namespace: str, count: int) -> int:
    """Publish so many, each acknowledged; how many the stream has then."""
    await _stream(client, namespace)
    for number in range(count):
        await client.jetstream().publish(names.submit_subject(namespace, "default", "n"), f"{number}".encode())
    return await _count(client, namespace)


async def _count(client: Client, namespace: str) -> int:
    return int((await client.jetstream().stream_info(names.stream_of(namespace, "default"))).state.messages)
