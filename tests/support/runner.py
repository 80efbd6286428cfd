"""The runner as a process, with a module of tasks beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MODULE = """
import asyncio, io, os, sys, threading, time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from celeriac import App, CancelRequested, Context, Retry, SoftDeadlineExceeded

app = App("t", image="image")

def started():
    print("started", flush=True)

@app.task
def add(a: int, b: int = 2) -> int:
    return a + b

@app.task
async def later(when: datetime, path: Path) -> datetime:
    await asyncio.sleep(0)
    return when

@app.task
def nothing():
    print("said")

@app.task
def echo(data: bytes) -> bytes:
    return data

@app.task
def large(size: int) -> str:
    return "x" * size

@app.task(retry=Retry(max_attempts=3, dont_retry_for=(KeyError,)))
def fails(kind: str) -> None:
    raise {"value": ValueError, "key": KeyError}[kind]("broken " + kind)

@app.task(retry=Retry(max_attempts=3, dont_retry_for=(KeyError,)))
def fails_without_a_log(how: str) -> None:
    closed = io.StringIO()
    closed.close()
    sys.stdout = sys.stderr = {"closed": closed, "none": None, "odd": object()}[how]
    raise KeyError("broken")

def breaks(value):
    raise KeyError("validator")

@app.task(retry=Retry(max_attempts=3, dont_retry_for=(KeyError,)))
def takes_what_breaks(value: Annotated[int, AfterValidator(breaks)]) -> None: ...

@app.task(retry=Retry(max_attempts=3, dont_retry_for=(KeyError,)))
def returns_what_breaks() -> Annotated[int, AfterValidator(breaks)]:
    return 1

@app.task
def returns_itself() -> Any:
    value = []
    value.append(value)
    return value

@app.task
def leaves(code: int) -> None:
    sys.exit(code)

@app.task
def mistaken() -> int:
    return "no number"

@app.task
def waits(ctx: Context, then: str = "raise") -> str:
    try:
        started()  # inside: SIGTERM may come in the very next instruction
        time.sleep(60)
    except CancelRequested as error:
        if then == "raise":
            raise
        if then == "break":
            raise OSError("the connection went away")
        return f"{error.failure}: {error.reason}"
    return "slept"

@app.task
async def waits_async(ctx: Context, then: str = "raise") -> str:
    started()
    try:
        await asyncio.sleep(60)
    except CancelRequested as error:
        if then == "raise":
            raise
        await asyncio.sleep(0.01)
        return f"{error.failure}: {error.reason}"
    return "slept"

@app.task(soft_run_seconds=0.2)
def hurries() -> str:
    try:
        time.sleep(60)
    except SoftDeadlineExceeded:
        return "partial"
    return "slept"

@app.task(soft_run_seconds=0.2)
async def hurries_async() -> str:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(60))
            await asyncio.sleep(60)
    except BaseExceptionGroup as errors:
        return "partial" if errors.subgroup(SoftDeadlineExceeded) else "else"
    return "slept"

@app.task(soft_run_seconds=0.2)
def too_late() -> None:
    time.sleep(60)

@app.task(soft_run_seconds=0.2)
async def too_late_async() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(60))
        await asyncio.sleep(60)

@app.task
def knows(ctx: Context) -> list[str]:
    return [ctx.task, ctx.namespace, str(ctx.attempt), str(ctx.uid), str(ctx.remaining() is not None)]

@app.task
def reports(ctx: Context) -> None:
    for step in range(100):
        ctx.progress(step / 100, f"step {step}")
    ctx.progress(1.0, "done")
    started()

@app.task
def leaves_a_thread() -> str:
    threading.Thread(target=time.sleep, args=(3600,)).start()
    return "done"

@app.task
def gated() -> str:
    started()
    sys.stdin.readline()
    return "through"

@app.task
def marked(mark: str) -> str:
    with open(mark, "a") as file:
        file.write("begun;")
    while not Path(mark + "-may-end").exists():
        time.sleep(0.02)
    return "done"

def plain(x: int) -> int:
    return x * 2
"""


@dataclass(frozen=True)
class Ended:
    """What is left of a runner."""

    code: int
    message: str | None
    """The termination message; None: it wrote none."""
    output: str
    log: str


class Runner:
    """Starts runners in a directory of its own.

    Args:
        env: variables that all of them have.
    """

    def __init__(self, directory: Path, env: dict[str, str] | None = None) -> None:
        (directory / "mod.py").write_text(MODULE)
        self.directory = directory
        self.file = directory / "termination-log"
        base = {name: value for name, value in os.environ.items() if not name.startswith("CELERIAC_")}
        self.env = base | {"CELERIAC_RESULT_FILE": str(self.file)} | (env or {})

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """A runner, under way."""
        self.file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "celeriac.run", *arguments]
        return subprocess.Popen(
            command,
            env=self.env | env,
            cwd=self.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def task(self, name: str, params: str = "{}", **env: str) -> subprocess.Popen[str]:
        """A runner of one of the module's tasks."""
        return self.start("mod:app", f"t.{name}", CELERIAC_PARAMS=params, **env)

    def begun(self, name: str, params: str = "{}", **env: str) -> subprocess.Popen[str]:
        """The same, once the function has begun."""
        process = self.task(name, params, **env)
        assert process.stdout is not None
        line = process.stdout.readline()
        if line != "started\n":
            raise RuntimeError(f"the function did not begin: {line!r}\n{self.end(process)}")
        return process

    def end(self, process: subprocess.Popen[str], stdin: str | None = None) -> Ended:
        """What is left of a runner, once it has ended."""
        output, log = process.communicate(stdin, timeout=120)
        message = self.file.read_text() if self.file.exists() else None
        return Ended(process.returncode, message, output, log)

    def run(self, name: str, params: str = "{}", **env: str) -> Ended:
        """What is left of a runner of one of the module's tasks."""
        return self.end(self.task(name, params, **env))
