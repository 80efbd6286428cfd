"""One change at a time: two terminals, or two test runs, may ask for the same cluster at the same moment."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

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


@contextmanager
def together(path: Path, begin: Callable[[], None], end: Callable[[], None]) -> Iterator[None]:
    """Be among the processes that need a state of the cluster: the first brings it about, and the last undoes it."""
    change = path.with_name(f"{path.name}.change")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as place:
        with exclusive(change):
            if _is_alone(place):
                begin()
            fcntl.flock(place, fcntl.LOCK_SH)
        try:
            yield
        finally:
            with exclusive(change):
                if _is_alone(place):
                    end()
                fcntl.flock(place, fcntl.LOCK_UN)


def _is_alone(place: TextIO) -> bool:
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
