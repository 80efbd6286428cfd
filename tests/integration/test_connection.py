"""The operator's connection at a real API server: over plain HTTP, as in unit tests, calls come in another order."""

import asyncio
import time
from collections import Counter
from unittest import mock

import uvloop
from e2e.support.kube import Kube
from kubernetes.aio.config import kube_config

from celeriac_operator.kube import api
from celeriac_operator.kube.api import CONNECTIONS, KubeApi

CALLERS = 2 * CONNECTIONS
CALLS = 30 * CALLERS


def test_of_more_callers_than_connections_none_waits_for_ever(kube: Kube) -> None:
    """Each calls again as soon as it has its answer. By aiohttp's own limit all but as many as connections starved."""
    with mock.patch.object(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(kube.kubeconfig)):
        answered = uvloop.run(call_again_and_again())

    assert min(answered.values()) > CALLS / CALLERS / 4, answered


async def call_again_and_again() -> Counter[int]:
    """How many answers each of the callers had."""
    connection = await KubeApi.connect()
    answered = Counter(range(CALLERS))

    async def call(caller: int) -> None:
        while answered.total() < CALLS:
            await connection.get(api.TASKS, "default", "there-is-none")
            answered[caller] += 1
            time.sleep(0.002)

    try:
        await asyncio.gather(*map(call, range(CALLERS)))
        return answered
    finally:
        await connection.close()
