"""Processes that do not outlive ``celeriac dev``, whatever ends it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from celeriac_operator.dev import guard

Child = asyncio.subprocess.Process


class Guarded:
    """Starts processes, each in a session of its own: Ctrl-C is for us, and we end them in order.

    Args:
        watcher: the process of ``guard.py``.
    """

    def __init__(self, watcher: Child) -> None:
        self._watcher = watcher
        self._waiting: set[asyncio.Task[None]] = set()

    async def spawn(
        self, argv: Sequence[str], env: Mapping[str, str], log: Path, cwd: str | Path | None = None
    ) -> Child:
        """Start a process that writes to the log. Raises OSError."""
        with log.open("ab") as output:
            child = await asyncio.create_subprocess_exec(
                *argv, env=dict(env), cwd=cwd, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        self._tell(f"+{child.pid}")
        waiting = asyncio.create_task(self._end_of(child))
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)
        return child

    async def _end_of(self, child: Child) -> None:
        await child.wait()
        guard.end(child.pid)  # as with a container, what it has left ends with it
        self._tell(f"-{child.pid}")

    def _tell(self, line: str) -> None:
        assert self._watcher.stdin is not None  # noqa: S101  it was made with one
        self._watcher.stdin.write(f"{line}\n".encode())


@asynccontextmanager
async def guarded(directory: Path) -> AsyncIterator[Guarded]:
    """What starts processes; those that are left at the end are killed, and the directory goes."""
    watcher = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", guard.__file__, str(directory), stdin=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield Guarded(watcher)
    finally:
        assert watcher.stdin is not None  # noqa: S101  as above
        watcher.stdin.close()
        await watcher.wait()
