"""The operator as a process of this machine, to be killed at will: in a pod the kubelet would wait longer each time."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.support.metrics import Samples, parse
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed


class LocalOperator:
    """One operator process at a time, for some namespaces; `settings` are environment variables."""

    def __init__(self, kubeconfig: Path, namespaces: list[str], log: Path, **settings: str) -> None:
        self._kubeconfig, self._namespaces, self.log, self._settings = kubeconfig, namespaces, log, settings
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()

    def start(self) -> None:
        """Start it; `wait_ready` waits until it works."""
        self._port = _free_port()
        settings = {
            **self._settings,
            "KUBECONFIG": str(self._kubeconfig),
            "CELERIAC_NAMESPACES": ",".join(self._namespaces),
            "CELERIAC_HTTP_PORT": str(self._port),
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "celeriac_operator"],
                env={**os.environ, **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None, "it was not started"
        return self._process.pid

    @retry(retry=retry_if_exception_type(OSError), stop=stop_after_delay(60), wait=wait_fixed(0.1), reraise=True)
    def wait_ready(self) -> None:
        """Wait until its cache is filled."""
        assert self._process is not None and self._process.poll() is None, f"It ended: see {self.log}"
        self._read("/readyz")

    def kill(self) -> None:
        """SIGKILL: no clean-up of any kind."""
        self._end(signal.SIGKILL)

    def kill_and_start(self) -> None:
        """SIGKILL, and a new process at once; from any thread."""
        with self._lock:
            self.kill()
            self.start()

    def stop(self) -> None:
        """SIGTERM, as Kubernetes stops it."""
        self._end(signal.SIGTERM)

    def metrics(self) -> Samples:
        """Its metrics as they are now."""
        return parse(self._read("/metrics"))

    def _end(self, sig: signal.Signals) -> None:
        with self._lock:
            if self._process is not None:
                self._process.send_signal(sig)
                self._process.wait(timeout=60)
                self._process = None

    def _read(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
            return str(answer.read().decode())


@contextmanager
def local_operator(kubeconfig: Path, *namespaces: str) -> Iterator[LocalOperator]:
    """A running operator for these namespaces."""
    with tempfile.TemporaryDirectory(prefix="celeriac-e2e-") as directory:
        operator = LocalOperator(kubeconfig, list(namespaces), Path(directory, "operator.log"))
        operator.start()
        try:
            operator.wait_ready()
            yield operator
        finally:
            operator.stop()
            print(operator.log.read_text(errors="replace")[-20_000:])  # pytest shows it where the test failed


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
