"""What the operator hears from a real API server that changes while it starts."""

import asyncio
from collections.abc import Callable
from unittest import mock

import uvloop
from e2e.support.kube import Kube
from e2e.support.namespaces import Namespace
from kubernetes.aio.config import kube_config

from celeriac_operator.core.facts import Key
from celeriac_operator.kube import api
from celeriac_operator.kube.api import KubeApi
from celeriac_operator.kube.cache import Cache
from celeriac_operator.watch import Watch

SECONDS = 60


def test_a_task_deleted_between_the_list_and_the_watch_is_known_to_be_gone(kube: Kube, namespace: Namespace) -> None:
    with mock.patch.object(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(kube.kubeconfig)):
        uvloop.run(start_while_one_goes_and_one_comes(namespace.name))


async def start_while_one_goes_and_one_comes(namespace: str) -> None:
    connection, cache = await KubeApi.connect(), Cache()
    watch = Watch(cache, connection, [namespace], lambda _: None)
    known = cache.tasks.entries
    try:
        uid = await submit(connection, namespace, "goes")
        await watch.fill()
        assert set(known) == {Key(namespace, "goes")}

        await connection.delete(api.TASKS, namespace, "goes", uid)
        await submit(connection, namespace, "comes")
        following = [asyncio.create_task(each) for each in watch.follow()]
        await until(lambda: set(known) == {Key(namespace, "comes")}, lambda: f"known are {sorted(known)}")
        for each in following:
            each.cancel()
        await asyncio.wait(following)  # their connections are closed, too
    finally:
        await connection.close()
        await asyncio.sleep(0.5)  # TLS says good-bye in the background, and aiohttp has nothing to await for that


async def submit(connection: KubeApi, namespace: str, name: str) -> str:
    """The uid of a new Task."""
    manifest = {
        "apiVersion": "celeriac.dev/v1alpha1",
        "kind": "Task",
        "metadata": {"name": name},
        "spec": {"container": {"image": "busybox"}},
    }
    made = await connection.create(api.TASKS, namespace, manifest)
    return str(made["metadata"]["uid"])


async def until(holds: Callable[[], bool], found: Callable[[], str]) -> None:
    try:
        async with asyncio.timeout(SECONDS):
            while not holds():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(found()) from None
