"""An API server that breaks a connection is trouble with the way to it, never with the object that was asked for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from kubernetes.aio import client

from celeriac_operator.kube import api
from celeriac_operator.kube.api import KubeApi
from celeriac_operator.reconcile import TROUBLE


@asynccontextmanager
async def served(answer: bytes) -> AsyncIterator[KubeApi]:
    """A connection to a server that answers just that and hangs up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        configuration = client.Configuration()
        configuration.host = f"http://{host}:{port}"
        kube = KubeApi(client.ApiClient(configuration))
        try:
            yield kube
        finally:
            await kube.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="the server hangs up without an answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", id="the server hangs up within its answer"),
        pytest.param(b"no HTTP at all\r\n\r\n", id="something else answers"),
    ],
)
async def test_a_broken_connection_is_trouble(answer: bytes) -> None:
    async with served(answer) as kube:
        with pytest.raises(TROUBLE):
            await kube.get(api.TASKS, "media", "resize-42")
