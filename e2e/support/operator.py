"""The operator as a process of this machine, to be killed at will: in a pod the kubelet would wait longer each time."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from e2e.support.metrics import Samples, parse
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed
from tests.support.ports import free_port
from tests.support.stopping import stop

DEPOSED = 3
"""Exit code of an operator that could not renew its lease."""


class LocalOperator:
    """One operator process at a time, for some namespaces; all of them are one replica to the others.

    Args:
        name: of its pod, so to say: processes started one after the other share it, as those of one pod do.
        within: a command that becomes the one which follows.
        settings: further environment variables.
    """

    def __init__(
        self,
        kubeconfig: Path,
        namespaces: list[str],
        log: Path,
        *,
        name: str = "local",
        within: Sequence[str] = (),
        **settings: str,
    ) -> None:
        self._within = within
        self._kubeconfig, self._namespaces, self.log = kubeconfig, namespaces, log
        self.identity = f"{name}_{secrets.token_hex(4)}"
        self._settings = settings
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()

    def start(self) -> None:
        """Start it; `wait_ready` waits until it works."""
        self._port = free_port()
        name, uid = self.identity.split("_")
        settings = {
            "KUBECONFIG": str(self._kubeconfig),
            "CELERIAC_NAMESPACES": ",".join(self._namespaces),
            "CELERIAC_OPERATOR_NAMESPACE": self._namespaces[0],
            "CELERIAC_POD_NAME": name,
            "CELERIAC_POD_UID": uid,
            "CELERIAC_HTTP_PORT": str(self._port),
            **self._settings,
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._within, sys.executable, "-m", "celeriac_operator"],
                env={**os.environ, **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None, "it was not started"
        return self._process.pid

    def restart_where_deposed(self) -> None:
        """As the kubelet does. An end of any other kind stays, for a test to fail by."""
        with self._lock:
            if self._process is not None and self._process.poll() == DEPOSED:
                self.start()

    def ended(self) -> str:
        """What is to be said where it has ended by itself; nothing where it goes on, or was killed by the test."""
        with self._lock:
            code = self._process.poll() if self._process is not None else None
        return "" if code in (None, DEPOSED) else f"the operator has ended by itself with code {code}"

    def freeze(self) -> None:
        """SIGSTOP: it does nothing at all, and does not know."""
        with self._lock:
            assert self._process is not None
            stop(self._process)

    def thaw(self) -> None:
        """SIGCONT: it goes on where it was."""
        self._signal(signal.SIGCONT)

    def exit_code(self, timeout: float = 60) -> int:
        """Wait for its end."""
        assert self._process is not None
        return self._process.wait(timeout=timeout)

    @retry(retry=retry_if_exception_type(OSError), stop=stop_after_delay(180), wait=wait_fixed(0.1), reraise=True)
    def wait_ready(self) -> None:
        """Wait until its cache is filled."""
        assert self._process is not None and self._process.poll() in (None, DEPOSED), f"It ended: see {self.log}"
        self._read("/readyz")

    def problems(self) -> str:
        """What its liveness probe is told; empty where all is well."""
        try:
            return self._read("/healthz") and ""
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def kill(self) -> None:
        """SIGKILL: no clean-up of any kind."""
        self._end(signal.SIGKILL)

    def kill_and_start(self) -> None:
        """SIGKILL, and a new process at once; from any thread."""
        with self._lock:
            self.kill()
            self.start()

    def terminate(self) -> None:
        """SIGTERM, without waiting for its end."""
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """SIGTERM, as Kubernetes stops it."""
        self._end(signal.SIGTERM)

    def metrics(self) -> Samples:
        """Its metrics as they are now."""
        return parse(self._read("/metrics"))

    def _signal(self, sig: signal.Signals) -> None:
        with self._lock:
            assert self._process is not None
            self._process.send_signal(sig)

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
def local_operator(
    kubeconfig: Path, *namespaces: str, within: Sequence[str] = (), **settings: str
) -> Iterator[LocalOperator]:
    """A running operator for these namespaces, restarted where it lost its lease, as it is in a pod."""
    with tempfile.TemporaryDirectory(prefix="celeriac-e2e-") as directory:
        log = Path(directory, "operator.log")
        operator = LocalOperator(kubeconfig, list(namespaces), log, within=within, **settings)
        operator.start()
        try:
            with _kept_up(operator):
                operator.wait_ready()
                yield operator
        finally:
            operator.stop()
            print(operator.log.read_text(errors="replace")[-20_000:])  # pytest shows it where the test failed


@contextmanager
def local_replicas(
    kubeconfig: Path, namespaces: list[str], count: int, **settings: str
) -> Iterator[list[LocalOperator]]:
    """So many replicas, all ready. The first was started first; nobody restarts them."""
    with tempfile.TemporaryDirectory(prefix="celeriac-e2e-") as directory:
        logs = [Path(directory, f"operator-{number}.log") for number in range(count)]
        replicas = [
            LocalOperator(kubeconfig, namespaces, log, name=f"local-{number}", **settings)
            for number, log in enumerate(logs)
        ]
        try:
            for replica in replicas:
                replica.start()
                replica.wait_ready()
            yield replicas
        finally:
            for replica in replicas:
                replica.kill()
                print(f"--- {replica.identity}", replica.log.read_text(errors="replace")[-20_000:], sep="\n")


@contextmanager
def _kept_up(operator: LocalOperator) -> Iterator[None]:
    over = threading.Event()

    def keep_up() -> None:
        while not over.wait(0.2):
            operator.restart_where_deposed()

    thread = threading.Thread(target=keep_up, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
