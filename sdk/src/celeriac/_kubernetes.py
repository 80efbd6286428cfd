"""The transport over the Kubernetes client: connections, credentials and TLS are its business, nothing else is.

Imported only once a client is made, because the Kubernetes package takes a second to import.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient

from celeriac import errors
from celeriac._config import Connection, load_connection
from celeriac._wire import Call, ErrorReply, Reply, Unreachable

CONNECT_SECONDS = 10.0
REQUEST_SECONDS = 60.0
SILENCE_SECONDS = 420.0
"""A stream without a byte for so long is taken for dead. Watches end themselves sooner; quiet logs are resumed."""


class KubernetesTransport:
    """Performs calls with ``kubernetes.aio``. It connects with the first call, on the event loop of that call."""

    def __init__(self, kubeconfig: str | None = None, context: str | None = None) -> None:
        self._source = (kubeconfig, context)
        self._lock = asyncio.Lock()
        self._connection: Connection | None = None
        self._client: Any = None
        self._retired: list[Any] = []

    async def namespace(self) -> str:
        """The namespace that the kubeconfig's context, or the pod, names."""
        await self._connected()
        assert self._connection is not None  # noqa: S101 -- connected just now
        return self._connection.namespace

    async def request(self, call: Call) -> Reply:
        """Perform the call; with fresh credentials once more where the present ones have expired."""
        client = await self._connected()
        reply = await self._perform(client, call)
        if reply.status != 401:
            return reply
        return await self._perform(await self._reconnected(client), call)

    def stream(self, call: Call) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Perform the call and give the answer's chunks as they come."""
        return _Stream(self, call)

    async def open(self, call: Call) -> Any:
        """The answer to a call, its body unread; ErrorReply where its status is 400 or more."""
        client = await self._connected()
        response = await self._send(client, call, None)
        if response.status == 401:
            response = await self._send(await self._reconnected(client), call, None)
        if response.status >= 400:
            raise ErrorReply(await _read(response))
        return response

    async def close(self) -> None:
        """Close every connection."""
        clients = [*self._retired, *([self._client] if self._client else [])]
        self._client, self._retired = None, []
        for client in clients:
            await client.close()
        await asyncio.sleep(0)  # the loop's turn to close the sockets

    async def _connected(self) -> Any:
        async with self._lock:
            if self._client is None:
                await self._connect()
            return self._client

    async def _reconnected(self, stale: Any) -> Any:
        """A client with credentials read anew; calls under way keep the old one until the transport is closed."""
        async with self._lock:
            if self._client is stale:
                self._retired.append(stale)
                await self._connect()
            return self._client

    async def _connect(self) -> None:
        self._connection = await load_connection(*self._source)
        try:
            self._client = ApiClient(configuration=self._connection.configuration)
        except (OSError, ssl.SSLError) as error:
            raise errors.ConnectionFailed(f"The kubeconfig's certificates cannot be used: {error}.") from error

    async def _perform(self, client: Any, call: Call) -> Reply:
        return await _read(await self._send(client, call, REQUEST_SECONDS))

    async def _send(self, client: Any, call: Call, total_seconds: float | None) -> Any:
        timeout = aiohttp.ClientTimeout(
            total=total_seconds, sock_connect=CONNECT_SECONDS, sock_read=total_seconds or SILENCE_SECONDS
        )
        headers = {"Accept": "application/json, */*", "Content-Type": call.content_type}
        try:
            request = await client.param_serialize(
                call.method,
                call.path,
                query_params=list(call.query),
                header_params=headers,
                body=call.body,
                auth_settings=["BearerToken"],
            )
            return await client.call_api(*request, _request_timeout=timeout)
        except aiohttp.ClientConnectorCertificateError as error:
            raise errors.ConnectionFailed(
                f"The API server's certificate is not trusted: {error}. Check certificate-authority in the kubeconfig."
            ) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error


class _Stream(AbstractAsyncContextManager[AsyncIterator[bytes]]):
    """An open answer. A class and no generator, because an ending event loop closes those in no order."""

    def __init__(self, transport: KubernetesTransport, call: Call) -> None:
        self._transport = transport
        self._call = call
        self._response: Any = None

    async def __aenter__(self) -> AsyncIterator[bytes]:
        self._response = await self._transport.open(self._call)
        return _chunks(self._response)

    async def __aexit__(self, *_: object) -> None:
        connection = self._response.response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()  # a polite TLS goodbye would outlive the event loop
        self._response.response.close()


async def _read(response: Any) -> Reply:
    try:
        return Reply(response.status, await response.read(), dict(response.headers))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unreachable(str(error) or type(error).__name__) from error


async def _chunks(response: Any) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unreachable(str(error) or type(error).__name__) from error
