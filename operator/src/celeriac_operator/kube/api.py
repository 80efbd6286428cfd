"""Calls to the API server: the kubernetes client's connection and credentials, plain JSON in and out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client
from kubernetes.aio.client import rest

from celeriac_operator.core.names import FIELD_MANAGER
from celeriac_operator.kube import credentials
from celeriac_operator.metrics import API_CALLS

Raw = dict[str, Any]
Verb = Literal["get", "list", "create", "update", "patch", "delete"]
Permit = Callable[[str], AbstractContextManager[float]]
"""Lets a write to a namespace begin, or raises; gives the seconds that it may take."""

PAGE = 500
CONNECTIONS = 8
"""For calls; each watch has one of its own."""
USER_AGENT = "celeriac-operator"
KEEPALIVE_SECONDS = 75
"""The API server closes idle connections after 90 s."""
_METHODS = {"get": "GET", "list": "GET", "create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}
_TIMEOUT_SECONDS = 30
_WATCH_SECONDS = 240
_SILENT_SECONDS = 70
"""Bookmarks come every 60 s: a watch that is silent for longer is dead."""


class ApiError(Exception):
    """The API server refused.

    Attributes:
        status: the HTTP status code.
        reason: the machine-readable reason, such as NotFound.
        message: the sentence for people.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message = status, reason, message


class Resource:
    """A kind's place in the API."""

    def __init__(self, prefix: str, plural: str) -> None:
        self.prefix, self.plural = prefix, plural

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of a collection or an object."""
        scope = f"/namespaces/{namespace}" if namespace else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{self.prefix}{scope}/{self.plural}{tail}"


TASKS = Resource("/apis/celeriac.dev/v1alpha1", "tasks")
DEFINITIONS = Resource("/apis/celeriac.dev/v1alpha1", "taskdefinitions")
QUEUES = Resource("/apis/celeriac.dev/v1alpha1", "taskqueues")
CRONS = Resource("/apis/celeriac.dev/v1alpha1", "crontasks")
JOBS = Resource("/apis/batch/v1", "jobs")
PODS = Resource("/api/v1", "pods")
EVENTS = Resource("/api/v1", "events")
REVISIONS = Resource("/apis/apps/v1", "controllerrevisions")


class LastingConnections(rest.RESTClientObject):
    """Connections that are kept while nothing happens: a TLS handshake costs more CPU than several calls."""

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(limit=0, ssl=self.ssl_context, keepalive_timeout=KEEPALIVE_SECONDS)


@contextmanager
def unfenced(_namespace: str) -> Iterator[float]:
    """Any write may be made, in the usual time."""
    yield _TIMEOUT_SECONDS


class KubeApi:
    """A connection to the API server.

    Args:
        permit: is asked before each write; see ``fence.py``.
    """

    def __init__(self, api: client.ApiClient, permit: Permit = unfenced) -> None:
        self._api, self._permit = api, permit
        # Not the connector's limit, which gives a connection to whoever asks as it is returned: with more calls than
        # connections, those that wait would wait until their time is up.
        self._turns = asyncio.Semaphore(CONNECTIONS)

    @classmethod
    async def connect(cls, permit: Permit = unfenced) -> KubeApi:
        """Connect with the pod's service account, or with the kubeconfig where there is none."""
        configuration = await credentials.found()
        # With it, aiohttp would look for a netrc file at every request; the proxy is the configuration's own matter.
        configuration.client_session_kwargs = {"trust_env": False}
        connection = client.ApiClient(configuration)
        connection.rest_client = LastingConnections(configuration)
        return cls(connection, permit)

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        """The connections, which can be made only where an event loop runs."""
        connections = self._api.rest_client
        connections.pool_manager = connections._create_pool_manager()
        return connections.pool_manager

    @cached_property
    def _way(self) -> dict[str, Any]:
        """What the configuration says of the way to the API server."""
        connections, server_name = self._api.rest_client, self._api.configuration.tls_server_name
        way = {"proxy": connections.proxy, "proxy_headers": connections.proxy_headers, "server_hostname": server_name}
        return {name: value for name, value in way.items() if value}

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def get(self, resource: Resource, namespace: str, name: str) -> Raw | None:
        """The object, or None where there is none."""
        try:
            return await self._call("get", resource, resource.path(namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def list(
        self,
        resource: Resource,
        namespace: str | None,
        *,
        labels: str = "",
        fields: str = "",
        patience: float = _TIMEOUT_SECONDS,
    ) -> AsyncIterator[Raw]:
        """All objects of a kind. Without a namespace: of the whole cluster.

        Args:
            patience: seconds that a page may take.
        """
        async for page in self.pages(resource, namespace, labels=labels, fields=fields, patience=patience):
            for item in page["items"]:
                yield item

    async def pages(
        self,
        resource: Resource,
        namespace: str | None,
        *,
        labels: str = "",
        fields: str = "",
        patience: float = _TIMEOUT_SECONDS,
    ) -> AsyncIterator[Raw]:
        """The same as the pages of a list, which are all of one moment: their resourceVersion is the same."""
        query = [("limit", str(PAGE)), ("labelSelector", labels), ("fieldSelector", fields)]
        token = ""
        while True:
            asked = [(name, value) for name, value in [*query, ("continue", token)] if value]
            page = await self._call("list", resource, resource.path(namespace), query=asked, patience=patience)
            yield page
            token = page["metadata"].get("continue", "")
            if not token:
                return

    async def watch(
        self, resource: Resource, namespace: str | None, *, labels: str = "", since: str = ""
    ) -> AsyncIterator[tuple[str, Raw]]:
        """Types and objects of a watch's events, bookmarks too, until the API server ends it.

        Args:
            since: the resourceVersion that was seen last; without it everything that is there comes first, as ADDED.

        Raises:
            ApiError: it was refused, or told of an error: 410, where `since` is too long ago.
            TimeoutError: nothing came, not even a bookmark.
            ConnectionError: it broke off.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
            "labelSelector": labels,
            "resourceVersion": since,
        }
        asked = urlencode({name: value for name, value in query.items() if value})
        patience = aiohttp.ClientTimeout(sock_connect=_TIMEOUT_SECONDS, sock_read=_SILENT_SECONDS)
        url = f"{self._api.configuration.host}{resource.path(namespace)}?{asked}"
        try:
            async with self._session.get(url, headers=await self._headers(), timeout=patience, **self._way) as response:
                if response.status >= 400:
                    raise _error(response.status, await response.read())
                async for line in _lines(response.content):
                    yield _event(line)
        except aiohttp.ServerTimeoutError:
            raise
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    async def create(
        self,
        resource: Resource,
        namespace: str,
        manifest: Raw,
        *,
        strict: bool = False,
        patience: float = _TIMEOUT_SECONDS,
    ) -> Raw:
        """Create an object, in so many seconds at most.

        Args:
            strict: refuse fields that nobody knows, instead of dropping them.
        """
        query = (("fieldValidation", "Strict"),) if strict else ()
        return await self._write(
            "create", resource, namespace, resource.path(namespace), manifest, query=query, patience=patience
        )

    async def replace(
        self, resource: Resource, namespace: str, name: str, manifest: Raw, *, patience: float = _TIMEOUT_SECONDS
    ) -> Raw:
        """Replace an object, in so many seconds at most, if it still has the manifest's resourceVersion."""
        path = resource.path(namespace, name)
        return await self._write("update", resource, namespace, path, manifest, patience=patience)

    async def write_status(self, resource: Resource, namespace: str, name: str, version: str, status: Raw) -> Raw:
        """Replace an object's status, if it still has that resourceVersion.

        A JSON Patch, because a merge patch would take a null inside a result for a deletion.
        """
        patch = [
            {"op": "add", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/status", "value": status},
        ]
        path = resource.path(namespace, name, "status")
        return await self._write("patch", resource, namespace, path, patch, content_type="application/json-patch+json")

    async def merge(self, resource: Resource, namespace: str, name: str, uid: str, patch: Raw) -> Raw:
        """Change fields of just that object by a merge patch; 409 where another one has its name."""
        body = {**patch, "metadata": {"uid": uid}}
        path = resource.path(namespace, name)
        return await self._write("patch", resource, namespace, path, body, content_type="application/merge-patch+json")

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        uid: str,
        *,
        propagation: str = "Background",
        grace_seconds: int | None = None,
    ) -> None:
        """Delete just that object; it is fine if it is gone or another one has its name.

        Args:
            grace_seconds: instead of what the object says.
        """
        options: Raw = {"preconditions": {"uid": uid}, "propagationPolicy": propagation}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            await self._write("delete", resource, namespace, resource.path(namespace, name), options)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    async def _write(  # noqa: PLR0913  what a request has
        self,
        verb: Verb,
        resource: Resource,
        namespace: str,
        path: str,
        body: object,
        *,
        content_type: str = "application/json",
        query: Sequence[tuple[str, str]] = (),
        patience: float = _TIMEOUT_SECONDS,
    ) -> Raw:
        """The one way to change anything. The API server is told, too, when to give the write up.

        Raises:
            NotLeading: the fence forbids it; nothing was sent.
        """
        with self._permit(namespace) as allowed:
            seconds = min(allowed, patience)
            asked = [*query, ("timeout", f"{max(seconds, 0.001):.3f}s")]
            asked += [] if verb == "delete" else [("fieldManager", FIELD_MANAGER)]
            return await self._call(
                verb, resource, path, query=asked, body=body, content_type=content_type, patience=seconds
            )

    async def _call(
        self,
        verb: Verb,
        resource: Resource,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: object = None,
        content_type: str = "application/json",
        patience: float = _TIMEOUT_SECONDS,
    ) -> Raw:
        headers = await self._headers() | {"Content-Type": content_type}
        status, text = await self._send(_METHODS[verb], f"{path}?{urlencode(query)}", headers, body, patience)
        API_CALLS.labels(verb, resource.plural, str(status)).inc()
        if status >= 400:
            raise _error(status, text)
        return json.loads(text)  # type: ignore[no-any-return]

    async def _headers(self) -> dict[str, str]:
        """What every request says, with a token that is fresh."""
        settings = await self._api.configuration.auth_settings()
        who = {auth["key"]: auth["value"] for auth in settings.values()}
        return {"Accept": "application/json", "User-Agent": USER_AGENT} | who

    async def _send(
        self, method: str, path: str, headers: dict[str, str], body: object, patience: float
    ) -> tuple[int, bytes]:
        """Status code and body of the answer.

        On the client's session, and not by its `request`, which costs as much CPU again as the exchange itself.

        Raises:
            TimeoutError: it did not come in so many seconds.
            ConnectionError: there was none, or not all of it. aiohttp has errors for that which are no OSError.
        """
        try:
            # aiohttp rounds its own timeout up to whole seconds
            async with (
                asyncio.timeout(patience),
                self._turns,
                self._session.request(
                    method, f"{self._api.configuration.host}{path}", headers=headers, data=_json(body), **self._way
                ) as response,
            ):
                return response.status, await response.read()
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error


def _json(body: object) -> bytes | None:
    return None if body is None else json.dumps(body, separators=(",", ":")).encode()


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Its lines, of any length: aiohttp's own reading of lines has a limit."""
    rest: list[bytes] = []
    async for chunk in content.iter_any():
        first, *others = chunk.split(b"\n")
        rest.append(first)
        for line in others:
            yield b"".join(rest)
            rest = [line]


def _error(status: int, text: bytes) -> ApiError:
    try:
        return _status({**json.loads(text), "code": status})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return ApiError(status, "", text[:500].decode(errors="replace"))


def _event(line: bytes) -> tuple[str, Raw]:
    """Type and object of a watch's event.

    Raises:
        ApiError: it tells of an error, or of nothing that an API server would tell.
    """
    try:
        event = json.loads(line)
        if event["type"] == "ERROR":
            raise _status(event["object"])
        kind, raw = str(event["type"]), event["object"]
        raw["metadata"]["resourceVersion"] + ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ApiError(500, "", f"a watch told of no event: {line[:200].decode(errors='replace')}") from error
    return kind, raw


def _status(answer: Raw) -> ApiError:
    """The API server's Status object."""
    code, reason, message = answer.get("code"), answer.get("reason") or "", answer.get("message") or ""
    return ApiError(code if isinstance(code, int) and code else 500, str(reason), str(message))
