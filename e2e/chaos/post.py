"""NATS for a laboratory: a server of its own, the proxy before it, a mailbox, and what is noted of it."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nats.errors
import nats.js.errors
from e2e.support.kube import Kube, Obj
from e2e.support.messages import Mailbox
from e2e.support.namespaces import Namespace
from e2e.support.nats_proxy import NatsProxy, nats_proxy
from e2e.support.notes import Notes
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from tests.support.invariants import Buried, Promised, Recorded
from tests.support.nats_server import NatsServer, nats_server

from celeriac._lasting import LastingClient
from celeriac.wire import names
from celeriac.wire.canonical import digest
from celeriac.wire.message import message_of

_TROUBLE = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError)
_PREFIX = f"$KV.{names.RESULTS_BUCKET}."


class Ear(threading.Thread):
    """Notes every record as the server has stored it, by the server's own time: the order of facts is the real one."""

    def __init__(self, url: str, namespace: str, notes: Notes) -> None:
        super().__init__(daemon=True)
        self._url, self._subject, self._notes = url, f"{_PREFIX}{namespace}.>", notes
        self._next, self._over = 1, threading.Event()

    def finish(self) -> None:
        """Read what is there, and end."""
        self._over.set()
        self.join(60)

    def run(self) -> None:
        """Until it is told to finish, over any number of restarts of the server."""
        while True:
            with contextlib.suppress(*_TROUBLE):
                if asyncio.run(self._listen()):
                    return
            if self._over.wait(0.1):
                return

    async def _listen(self) -> bool:
        client = LastingClient()
        try:  # where it fails to connect, its socket is open all the same
            await client.connect(self._url, allow_reconnect=False, error_cb=_ignore)
            js = client.jetstream(timeout=2)
            while True:
                over = self._over.is_set()
                if not await self._hear(js):
                    if over:
                        return True
                    await asyncio.sleep(0.05)
        finally:
            await client.close()

    async def _hear(self, js: JetStreamContext) -> bool:
        try:
            message = await js.get_msg(f"KV_{names.RESULTS_BUCKET}", seq=self._next, subject=self._subject, next=True)
        except nats.js.errors.NotFoundError:
            return False
        self._next = (message.seq or self._next) + 1
        self._note(message)
        return True

    def _note(self, message: RawStreamMsg) -> None:
        if message.data and message.time is not None:
            key = (message.subject or "").removeprefix(_PREFIX)
            self._notes.add(Recorded(key, json.loads(message.data)), message.time.timestamp())


async def _ignore(_error: Exception) -> None:
    """The server is killed on purpose."""


@dataclass
class Post:
    """NATS, and who writes to it."""

    server: NatsServer
    proxy: NatsProxy
    mailbox: Mailbox
    ear: Ear
    notes: Notes
    poison: int = 0
    """Messages that must become dead letters."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def settings(self) -> dict[str, str]:
        """The operator's: it goes through the proxy, the processes of tasks do not."""
        return {"CELERIAC_NATS_URL": self.proxy.url, "CELERIAC_RUNNER_NATS_URL": self.server.url}

    def submit(self, task: Obj, times: int = 1) -> None:
        """Publish a Task until that is acknowledged: from then on it is promised."""
        self.mailbox.submit(task, times=times)
        self.notes.add(Promised(task["metadata"]["name"], digest(message_of(task))))

    def restart(self) -> None:
        """SIGKILL, and a new server on what is on the disk."""
        with self._lock:
            self.server.kill()
            self.server.start()

    def close_the_book(self) -> list[str]:
        """Note what is buried; what is wrong with what is left."""
        left = [f"{count} messages are left" for count in [self.mailbox.left()] if count]
        letters = self.mailbox.letters()
        for number, letter in enumerate(letters):
            with contextlib.suppress(ValueError, RecursionError):
                self.notes.add(Buried(letter.name, digest(json.loads(letter.data)), str(number), letter.reason))
        self.ear.finish()
        amiss = [] if len(letters) == self.poison else [f"{len(letters)} dead letters instead of {self.poison}"]
        return [*left, *amiss]


@contextmanager
def post_office(directory: Path, kube: Kube, namespace: str, notes: Notes) -> Iterator[Post]:
    """A running one."""
    there = directory / "nats"
    there.mkdir(exist_ok=True)
    with ExitStack() as stack:
        server = stack.enter_context(nats_server(there))
        proxy = stack.enter_context(nats_proxy(server.port))
        ear = Ear(server.url, namespace, notes)
        ear.start()
        stack.callback(ear.finish)
        yield Post(server, proxy, Mailbox(server.url, Namespace(kube, namespace)), ear, notes)
