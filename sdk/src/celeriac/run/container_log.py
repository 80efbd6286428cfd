"""The container's log, whatever the function has made of its standard streams."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress


def write(texts: Iterable[str]) -> None:
    """Write to stderr, else to the process's first one; an outcome must not be lost because neither can be written."""
    text = "".join(texts)
    for stream in (sys.stderr, sys.__stderr__):
        try:
            stream.write(text)  # type: ignore[union-attr]  # None is one of the things that fail
            stream.flush()  # type: ignore[union-attr]
        except Exception:  # noqa: S112 -- closed, None, full, or an object of the function's own
            continue
        return


def write_bytes(data: bytes) -> None:
    """Write to the process's standard output, whatever was made of ``sys.stdout``."""
    with suppress(OSError):
        while data:
            data = data[os.write(1, data) :]


def flush() -> None:
    """Let out what the function printed."""
    for name in ("stdout", "stderr"):
        _flushes(name)


def flush_at_last() -> None:
    """The same, and drop streams that fail: Python would flush them once more and exit with 120 instead of our code."""
    for name in ("stdout", "stderr"):
        if not _flushes(name):
            setattr(sys, name, None)


def _flushes(name: str) -> bool:
    try:
        getattr(sys, name).flush()
    except Exception:
        return False
    return True
