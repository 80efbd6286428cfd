"""One change at a time: two terminals, or two test runs, may ask for the same cluster at the same moment."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster.progress import console


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file; the kernel frees it however we end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("  [dim]Waiting for another command that is at work on it …[/dim]")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
