"""A running ``celeriac dev`` with an App of all sorts of tasks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from celeriac import Client

APP = """
import os, time
from pathlib import Path
from celeriac import App, Backoff, CancelRequested, Retry, SoftDeadlineExceeded

app = App("lab", routes={"lab.routed": "side"})

@app.task
def add(a: int, b: int) -> int:
    print("adding", a, "and", b)
    return a + b

@app.task(retry=Retry(max_attempts=3, backoff=Backoff(initial_seconds=0)))
def third_time(path: str) -> int:
    tried = Path(path)
    tried.write_text(tried.read_text() + "x" if tried.exists() else "x")
    if len(tried.read_text()) < 3:
        raise OSError("not yet")
    return len(tried.read_text())

@app.task
def fails() -> None:
    raise ValueError("it cannot be done")

@app.task(run_seconds=1, grace_seconds=1)
def too_slow() -> None:
    try:
        time.sleep(600)
    except SoftDeadlineExceeded:  # which comes first where the process started fast
        time.sleep(600)

@app.task(soft_run_seconds=0.1)
def hurried() -> None:
    time.sleep(600)

@app.task
def mistaken() -> int:
    return "no number"

@app.task(grace_seconds=5)
def waits(path: str, then: str = "raise") -> str:
    try:
        Path(path).write_text(str(os.getpid()))
        time.sleep(600)
    except CancelRequested as error:
        if then == "raise":
            raise
        return f"{error.failure}: {error.reason}"
    return "never"

@app.task(isolation="Worker")
def works(path: str) -> None:
    waits.function(path)

@app.task
def big(size: int) -> str:
    return "x" * size

@app.task
def length(text: str) -> int:
    return len(text)

@app.task(isolation="Warm")
def served(a: int) -> int:
    print("serving", a)
    return a

@app.task
def routed() -> str:
    return os.environ["CELERIAC_TASK"]
"""
COMMAND = Path(sys.executable).with_name("celeriac")


@dataclass(frozen=True)
class Lab:
    """What runs, and the directory that it was started in."""

    directory: Path
    env: Mapping[str, str]
    process: subprocess.Popen[str]

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client of it."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.env.items():
                patch.setenv(name, value)
            with Client(nats_url=self.env.get("CELERIAC_NATS_URL", "")) as client:
                yield client


@contextmanager
def lab(directory: Path, *options: str) -> Iterator[Lab]:
    """``celeriac dev``, once it is ready."""
    (directory / "lab.py").write_text(APP)
    with (directory / "dev.log").open("w") as log:
        process = subprocess.Popen(
            [COMMAND, "dev", "lab:app", *options],
            cwd=directory, env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    try:
        yield Lab(directory, _exports(process, directory), process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        assert process.stdout is not None
        process.stdout.close()


def _exports(process: subprocess.Popen[str], directory: Path) -> Mapping[str, str]:
    """The variables that it prints, of which CELERIAC_KUBECONFIG is the last."""
    assert process.stdout is not None
    found: dict[str, str] = {}
    for line in process.stdout:
        if match := re.match(r"\s+export (\w+)=(.*)", line):
            found[match[1]] = match[2].strip()
        if "CELERIAC_KUBECONFIG" in found:
            return found
    raise AssertionError((directory / "dev.log").read_text())


@pytest.fixture(scope="module", params=["with NATS", "without NATS"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """It, with both ways in."""
    options = [] if request.param == "with NATS" else ["--no-nats"]
    with lab(tmp_path_factory.mktemp("lab"), *options) as found:
        yield found
