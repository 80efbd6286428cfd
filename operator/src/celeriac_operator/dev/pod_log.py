"""A pod's log: the file that its process writes, given out as the kubelet does."""

from __future__ import annotations

import asyncio
import re
from array import array
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_POLL_SECONDS = 0.1
_NANOSECONDS = 1_000_000_000
_LINES = re.compile(rb"(?<=\n)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a log is wanted, and how."""

    last_lines: int | None = None
    follow: bool = False
    """Go on as it is written, until its process has ended."""
    timestamps: bool = False


class PodLog:
    """A log and the times of its lines, which the process does not write.

    A line's time is that of the last write to the file when the line was first read here; each has its own, later than
    the line's before, and keeps it: by them a client that comes again knows what it has.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._times = array("q")

    async def read(self, wanted: Wanted, goes_on: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
        """The log, in pieces of whole lines.

        Args:
            goes_on: whether the process does.
        """
        number, last = 0, wanted.last_lines
        async with aclosing(self._pieces(lambda: wanted.follow and goes_on())) as pieces:
            async for lines in pieces:
                stamped = [_stamp(time) + line for time, line in zip(self._times_of(number, lines), lines, strict=True)]
                shown = stamped if wanted.timestamps else lines
                yield b"".join(shown if last is None else shown[max(0, len(shown) - last) :])
                number, last = number + len(lines), None

    async def _pieces(self, goes_on: Callable[[], bool]) -> AsyncGenerator[list[bytes], None]:
        """The lines that are there, then those that come; the last may lack its end."""
        rest = b""
        with self._path.open("rb") as file:
            while goes_on():  # asked before it is read: what is written until the end is read, too
                *lines, rest = _LINES.split(rest + file.read())
                yield lines
                await asyncio.sleep(_POLL_SECONDS)
            yield [line for line in _LINES.split(rest + file.read()) if line]

    def _times_of(self, first: int, lines: list[bytes]) -> array[int]:
        """The times of lines, of which the first has that number."""
        now, end = self._path.stat().st_mtime_ns, first + len(lines)
        while len(self._times) < end:
            self._times.append(max(now, self._times[-1] + 1 if self._times else 0))
        return self._times[first:end]


def _stamp(time: int) -> bytes:
    """Nanoseconds as RFC 3339 has them."""
    seconds, rest = divmod(time, _NANOSECONDS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z ".encode()
