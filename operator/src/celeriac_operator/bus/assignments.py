"""Speaking with pods that wait: who is there, and telling one of its task. What is lost is said again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from celeriac.wire.names import assign_subject, ready_subject, roll_subject
from celeriac_operator.bus.connection import TROUBLE, Bus, BusDown

log = structlog.get_logger()

NOBODY = "503"
"""Status with which the server answers a message that nobody listens to."""


class Assignments:
    """The operator's side.

    Args:
        namespaces: where pods may wait.
        heard: is told the namespace and uid of a pod that says that it waits, and how many more tasks it takes.
        unheard: is told the uid of a pod that did not listen.
    """

    def __init__(
        self,
        bus: Bus,
        namespaces: Callable[[], Iterable[str]],
        heard: Callable[[str, str, int], None],
        unheard: Callable[[str], None],
    ) -> None:
        self._bus, self._namespaces, self._heard, self._unheard = bus, namespaces, heard, unheard
        self._client: Client | None = None
        self._inbox = ""
        bus.on_connect(self._on_connect)

    async def _on_connect(self) -> None:
        """A new connection listens; whoever waited before is asked to say so."""
        client = self._bus.client
        if client is not self._client:
            self._inbox = client.new_inbox()
            await client.subscribe(ready_subject("*", "*"), cb=self._ready)
            await client.subscribe(f"{self._inbox}.*", cb=self._answered)
            self._client = client
        await self.ask()

    async def ask(self) -> None:
        """Have all pods say that they wait.

        Raises:
            BusDown: NATS does not answer.
        """
        for namespace in self._namespaces():
            await self._bus.client.publish(roll_subject(namespace))

    async def tell(self, namespace: str, pod_uid: str, message: Mapping[str, Any]) -> None:
        """Tell a pod of a task, or to end one. It answers by its records; where NATS is away, it is told later."""
        data = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
        try:
            reply = f"{self._inbox}.{pod_uid}"
            await self._bus.client.publish(assign_subject(namespace, pod_uid), data, reply=reply)
            await asyncio.sleep(0)  # the client writes in a task of its own, which what follows would hold up
        except (*TROUBLE, BusDown) as error:
            log.debug("a pod could not be told", pod=pod_uid, error=str(error))

    async def _ready(self, message: Msg) -> None:
        *_, namespace, uid = message.subject.split(".")
        self._heard(namespace, uid, _left(message.data))

    async def _answered(self, message: Msg) -> None:
        if (message.headers or {}).get("Status") == NOBODY:
            self._unheard(message.subject.rpartition(".")[2])


def _left(data: bytes) -> int:
    """How many more tasks the pod takes; of what cannot be read, one."""
    try:
        found = json.loads(data)
        return max(int(found.get("left", 1)), 0)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return 1
