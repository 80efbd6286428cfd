"""One HTTP exchange with the API server as values, and what every transport must be able to do.

Apart from the transport that performs it, so that everything above can be tried without a network.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from celeriac import errors
from celeriac._arguments import text
from celeriac.api.v1alpha1 import API_VERSION

JSON_TYPE = "application/json"
MERGE_PATCH = "application/merge-patch+json"

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Call:
    """A request."""

    method: str
    path: str
    query: Query = ()
    body: Any = None
    content_type: str = JSON_TYPE


@dataclass(frozen=True)
class Reply:
    """An answer, of whatever status."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; an empty one where it is none (a proxy's page, plain text)."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Unreachable(Exception):  # noqa: N818 -- not an error of the program: it is caught, and tried again
    """No answer came: the connection could not be made or broke."""


class ErrorReply(Exception):  # noqa: N818 -- carries a reply out of a stream that did not begin
    """A stream was asked for, and this was answered instead."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"HTTP {reply.status}")
        self.reply = reply


class Transport(Protocol):
    """Performs calls. It raises Unreachable where no answer came, and retries nothing."""

    async def namespace(self) -> str:
        """The namespace that the configuration names."""

    async def request(self, call: Call) -> Reply:
        """Perform the call and read the whole answer."""

    def stream(self, call: Call) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Perform the call and give the answer's chunks as they come; ErrorReply where the status is 400 or more."""

    async def close(self) -> None:
        """Give up every connection."""


def tasks_path(namespace: str | None, *name: str) -> str:
    """The path of a Task, of the Tasks of a namespace, or of all."""
    return resource_path(f"/apis/{API_VERSION}", "tasks", namespace, *name)


def queues_path(namespace: str | None, *name: str) -> str:
    """The path of a TaskQueue, of the TaskQueues of a namespace, or of all."""
    if not all(map(may_be_name, name)):
        raise errors.UnknownQueue(f"{name[0]!r} is no name: give that of a queue, such as `celeriac queues` shows.")
    return resource_path(f"/apis/{API_VERSION}", "taskqueues", namespace, *name)


def pods_path(namespace: str, *name: str) -> str:
    """The path of a pod, or of the pods of a namespace."""
    return resource_path("/api/v1", "pods", namespace, *name)


def resource_path(api: str, plural: str, namespace: str | None, *name: str) -> str:
    """The path of an object, or of a collection where no name is given.

    Raises TaskNotFound: the name would be taken for the collection or for a part of an object; TypeError: one is no
    text.
    """
    if not all(map(may_be_name, name)):
        raise errors.TaskNotFound(f"{name[0]!r} is no name: give that of a task, such as `celeriac list` shows.")
    scope = "" if namespace is None else f"/namespaces/{quote(text('namespace', namespace), safe='')}"
    return "/".join((f"{api}{scope}/{plural}", *(quote(each, safe="") for each in name)))


def may_be_name(name: str) -> bool:
    """Whether it names one object: the API server takes a / for one between its parts, however it is quoted."""
    return text("name", name) != "" and "/" not in name
