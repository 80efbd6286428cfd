"""The connections that a proxy has with one operator: they can be broken, and what comes back can be held."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Line:
    """The open ones, and whether they work."""

    def __init__(self) -> None:
        self._cut, self._speaks = threading.Event(), threading.Event()
        self._speaks.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    @contextmanager
    def opened(self, connection: socket.socket) -> Iterator[None]:
        """A connection of the operator's, for as long as it lasts. Raises ConnectionAbortedError: it is cut."""
        with self._lock:
            if self.is_cut:
                raise ConnectionAbortedError
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)

    @property
    def is_cut(self) -> bool:
        """Whether connections break."""
        return self._cut.is_set()

    def cut(self) -> None:
        """From now on every connection breaks."""
        self._cut.set()
        self.hang_up()

    def heal(self) -> None:
        """Connections work again."""
        self._cut.clear()

    def hush(self) -> None:
        """From now on what the operator sends arrives, and nothing comes back."""
        self._speaks.clear()

    def speak(self) -> None:
        """What was held back comes."""
        self._speaks.set()

    def wait_to_speak(self) -> None:
        """Until something may come back."""
        self._speaks.wait()

    def hang_up(self, last_words: bytes = b"") -> None:
        """End the connections of now. What a server says before it ends one may keep a client from coming back."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.sendall(last_words)
                hang_up(connection)


def hang_up(connection: socket.socket) -> None:
    """End one, whoever still reads or writes."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
