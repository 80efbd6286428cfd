"""Celery with Redis on this machine, in a Python environment of its own: what pods that wait are compared to."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from e2e.bench.stopwatch import BenchError
from tests.support.ports import free_port

PACKAGE = "celery[redis]==5.7.0"
POOLS = {"prefork": (), "fresh": ("--max-tasks-per-child", "1")}
"""Queue to the options of its worker: processes that stay, and a fresh one for each task."""
PATIENCE_SECONDS = 120.0
APP = """\
import fnmatch, sys
from celery import Celery
URL = open("url").read()
app = Celery("peer", broker=URL, backend=URL)
translate = app.task(fnmatch.translate, name="translate")
"""
DRIVER = """\
import sys, time
from peer import translate
for line in sys.stdin:
    queue, count = line.split()
    began = time.monotonic()
    sent = [translate.apply_async(kwargs={"pat": "*.py"}, queue=queue) for _ in range(int(count))]
    for each in sent:
        each.get(timeout=60)
    print(time.monotonic() - began, flush=True)
"""
"""It asks for the result right after it has sent, as the other side does."""


class NoPeer(Exception):  # noqa: N818  what there is not
    """It cannot be measured here; the text says why."""


@dataclass
class Celery:
    """A client of workers that run."""

    driver: subprocess.Popen[str]
    servers: Sequence[int]
    """Process groups of Redis and the workers."""

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Its processes do nothing meanwhile, so that others have the machine as if they were not there."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for group in self.servers:
            os.killpg(group, number)

    def seconds(self, pool: str, count: int = 1) -> float:
        """From before the first is sent until the last result is there."""
        stdin, stdout = self.driver.stdin, self.driver.stdout
        assert stdin is not None and stdout is not None
        stdin.write(f"{pool} {count}\n")
        stdin.flush()
        told = stdout.readline()
        if not told:
            raise BenchError("Celery's client has ended: see its error above.")
        return float(told)


@contextmanager
def celery(cache: Path, slots: int) -> Iterator[Celery]:
    """Workers of both pools with so many processes each, and a client.

    Raises:
        NoPeer: Redis or Celery cannot be had.
    """
    redis, python = _redis(), _environment(cache / "celery-peer")
    with TemporaryDirectory(prefix="celery-peer-") as folder, ExitStack() as held:
        directory, port = Path(folder), free_port()
        (directory / "url").write_text(f"redis://127.0.0.1:{port}/0")
        (directory / "peer.py").write_text(APP)
        (directory / "driver.py").write_text(DRIVER)
        argv = [redis, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        servers = [_run(held, argv, directory, "redis")]
        _until_open(port)
        for pool, options in POOLS.items():
            servers.append(_run(held, [str(python), *_worker(pool, slots), *options], directory, pool))
        driver = held.enter_context(
            subprocess.Popen(
                [str(python), "driver.py"], cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )
        held.callback(driver.kill)
        found = Celery(driver, servers)
        for pool in POOLS:
            found.seconds(pool, slots)
        yield found


def _worker(pool: str, slots: int) -> list[str]:
    """What tells workers of each other is off: there is nobody to tell, and it takes time."""
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]
    pools = ["--pool", "prefork", "--concurrency", str(slots)]
    return ["-m", "celery", "-A", "peer", "worker", "-Q", pool, "-n", pool, *pools, *quiet]


def _redis() -> str:
    found = shutil.which("redis-server")
    if found is None:
        raise NoPeer("redis-server is not installed (Debian: apt-get install redis-server)")
    return found


def _environment(directory: Path) -> Path:
    """Its Python; the packages are of no concern to the rest of the repository, so they are in no lock of it."""
    python, done = directory / "bin" / "python", directory / PACKAGE
    if not done.exists():
        venv.create(directory, with_pip=True, clear=True)
        try:
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-input", PACKAGE], check=True)
        except subprocess.CalledProcessError as error:
            raise NoPeer(f"{PACKAGE} cannot be installed: pip has ended with code {error.returncode}") from None
        done.touch()
    return python


def _run(held: ExitStack, argv: list[str], directory: Path, name: str) -> int:
    """Start it; its process group."""
    log = held.enter_context((directory / f"{name}.log").open("wb"))
    process = subprocess.Popen(argv, cwd=directory, stdout=log, stderr=log, start_new_session=True)
    held.callback(_end, process)
    return process.pid


def _end(process: "subprocess.Popen[bytes]") -> None:
    """A worker asks its processes to end, too."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _until_open(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise NoPeer("redis-server does not answer") from None
            time.sleep(0.1)
        else:
            return


def version() -> str:
    """What of Celery is measured, for the page."""
    return f"{PACKAGE}, CPython {sys.version.split()[0]}"
