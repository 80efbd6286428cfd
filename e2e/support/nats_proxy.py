"""A proxy between one operator and NATS, which can fail at a chosen publish: before it is sent, or once it has been
answered and the operator has not heard the answer; and whole connections, cut, slow or ended by the server's word."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from e2e.support.line import Line, hang_up

_ANSWER_SECONDS = 10.0
_CHUNK = 65_536


class NatsProxy:
    """The proxy. `before` and `after` are told the subject of each publish; a hook that raises ends the connection.

    Args:
        port: of the server, on loopback.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.before: Callable[[str], None] = lambda _subject: None
        self.wants_after: Callable[[str], bool] = lambda _subject: False
        self.after: Callable[[str], None] = lambda _subject: None
        """Called only where `wants_after` says so, as the answer has to be waited for."""
        self.delay = 0.0
        """Each command is sent on after so many seconds."""
        self.line = Line()
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        """Where the operator connects."""
        return f"nats://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        """Serve until `close`."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self.line.speak()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _pass_on(self, operator: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            operator,
            socket.create_connection(("127.0.0.1", self._port), timeout=10) as server,
        ):
            server.settimeout(None)
            answers = _Answers(server, operator, self.line)
            with self.line.opened(operator):
                threading.Thread(target=answers.pass_on, daemon=True).start()
                try:
                    for subject, data in _commands(operator):
                        self._send(subject, data, server, answers)
                finally:
                    hang_up(server)
                    hang_up(operator)

    def _send(self, subject: str, data: bytes, server: socket.socket, answers: "_Answers") -> None:
        time.sleep(self.delay)
        if subject:
            self.before(subject)
        held = bool(subject) and self.wants_after(subject)
        if held:
            answers.hold()
        server.sendall(data)
        if held:
            answers.wait()
            self.after(subject)
            answers.release()


class _Answers:
    """The way back. While it is held, what the server says stays here."""

    def __init__(self, server: socket.socket, operator: socket.socket, line: Line) -> None:
        self._server, self._operator, self._line = server, operator, line
        self._open, self._heard = threading.Event(), threading.Event()
        self._open.set()

    def hold(self) -> None:
        self._heard.clear()
        self._open.clear()

    def wait(self) -> None:
        """Until the server has said something: it has what was sent before."""
        self._heard.wait(_ANSWER_SECONDS)

    def release(self) -> None:
        self._open.set()

    def pass_on(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(_CHUNK):
                self._heard.set()
                self._open.wait()
                self._line.wait_to_speak()
                self._operator.sendall(data)
        hang_up(self._operator)


def _commands(connection: socket.socket) -> Iterator[tuple[str, bytes]]:
    """What a client sends, command by command; of a publish its subject, else nothing, and the bytes."""
    reader = connection.makefile("rb")
    while line := reader.readline():
        words = line.split()
        publish = len(words) > 2 and words[0].upper() in (b"PUB", b"HPUB")
        payload = reader.read(int(words[-1]) + 2) if publish else b""
        yield (words[1].decode() if publish else ""), line + payload


@contextmanager
def nats_proxy(port: int) -> Iterator[NatsProxy]:
    """A running proxy."""
    proxy = NatsProxy(port)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(timeout=10)
