"""An attempt in a process that was forked for it speaks with its parent, which has the connection to NATS.

Messages are datagrams of one pair of sockets, JSON before data: each is sent and received as a whole, so interrupting
the function in the midst of one breaks none. What may be large travels as an open file beside its message.
"""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from celeriac.app.interruptions import CancelRequested
from celeriac.run.bus_down import BusDown
from celeriac.run.verdict import exception_of

LARGEST = 128 * 1024
"""Of a message; a record has 8 KiB at the most."""
ANSWER_LATER_SECONDS = 5.0
"""The parent's answer takes so much longer than what it may take itself."""


class Message(NamedTuple):
    """What one says to the other."""

    head: Mapping[str, Any]
    data: bytes = b""


def send(link: socket.socket, head: Mapping[str, Any], data: bytes = b"", *, large: bool = False) -> None:
    """Send a message. Raises OSError."""
    line = json.dumps(head, separators=(",", ":")).encode() + b"\n"
    if not large:
        link.send(line + data)
        return
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        socket.send_fds(link, [line], [file.fileno()])


def receive(link: socket.socket) -> Message:
    """The next message. Raises OSError, ValueError: it is none."""
    text, files, _, _ = socket.recv_fds(link, LARGEST, 1)
    head, _, data = text.partition(b"\n")
    for descriptor in files:
        with open(descriptor, "rb") as file:  # noqa: PTH123 -- it has no path
            file.seek(0)
            data = file.read()
    return Message(json.loads(head), data)


class Parent:
    """The attempt's side, a ``Port``.

    Args:
        link: the socket to the parent.
    """

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._link.settimeout(0)
        self._stop: Message | None = None
        self._told = False

    @property
    def ends_us(self) -> bool:
        """The parent does, once it has the record."""
        return self._told

    def create(self, key: str, data: bytes, timeout: float) -> bytes | None:
        """Hand the record over: the parent writes it, however long that takes, for nobody else can tell the end."""
        with self._waiting(timeout):
            send(self._link, {"do": "create", "name": key}, data)
        self._told = True
        return None

    def read(self, key: str, timeout: float) -> bytes | None:
        """The record under a key. Raises BusDown."""
        answer = self._ask("read", key, timeout)
        return answer.data if answer.head.get("found") else None

    def put_payload(self, name: str, data: bytes, timeout: float) -> None:
        """Store a payload. Raises BusDown."""
        self._ask("put", name, timeout, data)

    def get_payload(self, name: str, timeout: float) -> bytes:
        """A stored payload. Raises BusDown, LookupError: there is none of that name."""
        answer = self._ask("get", name, timeout)
        if not answer.head.get("found"):
            raise LookupError(name)
        return answer.data

    def publish(self, subject: str, data: bytes) -> None:
        """Let the parent publish; where it is too busy to listen, that is left out."""
        with suppress(OSError):
            send(self._link, {"do": "publish", "name": subject}, data)

    def why(self) -> CancelRequested:
        """Why the attempt is stopped: the parent says so before it sends SIGTERM, where it knows."""
        with suppress(OSError, ValueError):
            while self._stop is None:
                self._is_stop(receive(self._link))
        return exception_of(self._stop.head if self._stop is not None else {})

    def _ask(self, what: str, name: str, timeout: float, data: bytes | None = None) -> Message:
        with self._waiting(timeout + ANSWER_LATER_SECONDS):
            send(self._link, {"do": what, "name": name, "timeout": timeout}, data or b"", large=data is not None)
            answer = receive(self._link)
            while self._is_stop(answer):
                answer = receive(self._link)
        if "error" in answer.head:
            raise BusDown(str(answer.head["error"]))
        return answer

    @contextmanager
    def _waiting(self, seconds: float) -> Iterator[None]:
        """The socket blocks for so long; while the function runs it never does."""
        self._link.settimeout(seconds)
        try:
            yield
        except (OSError, ValueError) as error:
            raise BusDown(f"the worker does not answer: {type(error).__name__}") from None
        finally:
            self._link.settimeout(0)

    def _is_stop(self, message: Message) -> bool:
        """Whether it is the word that the attempt is stopped, which may come at any time."""
        if message.head.get("do") != "stop":
            return False
        self._stop = message
        return True
