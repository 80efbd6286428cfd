"""A digest of everything that an image is built from, so that nothing is built or loaded twice."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_IGNORED = frozenset(
    {"__pycache__", ".git", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", "dist"}
)


def digest(root: Path, paths: Iterable[Path], *facts: str) -> str:
    """Hash files, and all in directories, by name, mode and content; and facts such as the base's name."""
    found = hashlib.sha256(repr(facts).encode())
    for path in sorted(file for given in paths for file in _files(given)):
        content = path.read_bytes()
        executable = os.access(path, os.X_OK)
        found.update(repr((path.relative_to(root).as_posix(), executable, len(content))).encode())
        found.update(content)
    return found.hexdigest()[:12]


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for directory, names, files in os.walk(path):
        names[:] = [name for name in names if name not in _IGNORED and not name.endswith(".egg-info")]
        yield from (Path(directory, name) for name in files if not name.endswith(".pyc"))
