"""Where calls of tasks go: to a cluster through a client, or elsewhere in tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from celeriac._client import Client, TaskHandle
    from celeriac._request import TaskRequest

R = TypeVar("R")


@dataclass(frozen=True)
class Waiting:
    """What a call does where the queue is full."""

    block: bool = False
    """Wait for room."""
    timeout: float | None = None
    """Seconds to wait at most; None: for ever."""


class Submitter(Protocol):
    """Takes requests and gives handles."""

    def submit(self, request: TaskRequest, parse: Callable[[Any], R], waiting: Waiting) -> TaskHandle[R]:
        """Submit it. Raises what ``Client.submit`` raises."""

    async def asubmit(self, request: TaskRequest, parse: Callable[[Any], R], waiting: Waiting) -> TaskHandle[R]:
        """The same, for a program that runs on asyncio."""

    def close(self) -> None:
        """Give up every connection."""


class ClientSubmitter:
    """Submits through one client a process, made when it is first needed: a connection does not survive a fork.

    Args:
        make: makes the client.
    """

    def __init__(self, make: Callable[[], Client]) -> None:
        self._make = make
        self._client: Client | None = None
        self._process = 0
        self._lock = threading.Lock()

    @property
    def client(self) -> Client:
        """The client of this process."""
        with self._lock:
            if self._client is None or self._process != os.getpid():
                self._client, self._process = self._make(), os.getpid()
            return self._client

    def submit(self, request: TaskRequest, parse: Callable[[Any], R], waiting: Waiting) -> TaskHandle[R]:
        from celeriac._client import TaskHandle  # noqa: PLC0415 -- the runner imports this module and needs no client

        client = self.client
        made = client._async.submit(request, block=waiting.block, timeout=waiting.timeout)
        return TaskHandle(client._loop, client._loop.run(made), parse)

    async def asubmit(self, request: TaskRequest, parse: Callable[[Any], R], waiting: Waiting) -> TaskHandle[R]:
        import asyncio  # noqa: PLC0415 -- as above

        from celeriac._client import TaskHandle  # noqa: PLC0415 -- as above

        client = self.client
        made = client._async.submit(request, block=waiting.block, timeout=waiting.timeout)
        return TaskHandle(client._loop, await asyncio.wrap_future(client._loop.start(made)), parse)

    def close(self) -> None:
        if self._client is not None and self._process == os.getpid():
            self._client.close()
        self._client = None
