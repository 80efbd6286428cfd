"""Submit the census and gather its results: ``python -m examples.python.run``."""

from __future__ import annotations

import sys
from pathlib import Path

from examples.python.census import count, gather, source_files, unsteady

from celeriac import TaskFailed


def main(root: str = "/packages") -> None:
    """A task for each file; the one that fails says why."""
    lucky = unsteady.options(countdown=5).delay()
    paths = source_files.delay(Path(root)).get(timeout=300)
    handles = [count.options(key=str(path), block=True, timeout=60).delay(path) for path in paths]
    counted = []
    for path, handle in zip(paths, handles, strict=True):
        try:
            counted.append(handle.get(timeout=600))
        except TaskFailed as error:
            print(f"{path}: {error.failure}")
    print(gather(counted))
    print(f"The unsteady one was lucky at attempt {lucky.get(timeout=300)}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
