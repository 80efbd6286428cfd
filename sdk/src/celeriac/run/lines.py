"""The lines that a task of a worker prints, each behind a tag that says whose it is. Pure."""

from __future__ import annotations

LONGEST_LINE = 64 * 1024
"""A longer one is broken, so that what is waited for is bounded."""


class Lines:
    """Takes in pieces of output as they come.

    Args:
        tag: what each line gets.
    """

    def __init__(self, tag: str) -> None:
        self._tag = tag.encode()
        self._rest = b""

    def add(self, piece: bytes) -> bytes:
        """The lines that are whole by now, with their tags."""
        *whole, rest = (self._rest + piece).split(b"\n")
        while len(rest) > LONGEST_LINE:
            whole.append(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self._rest = rest
        return b"".join(self._tag + line + b"\n" for line in whole)

    def end(self) -> bytes:
        """What is left without an end of line."""
        rest, self._rest = self._rest, b""
        return self._tag + rest + b"\n" if rest else b""
