"""Remembering which build of an image the cluster has, because a tag like `dev` does not tell."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Loader:
    """Puts images into a cluster; the note beside the cluster's files goes when the cluster goes."""

    note: Path
    present: Callable[[], set[str]]
    put: Callable[[str, Path], None]

    def has(self, name: str, key: str) -> bool:
        """Tell whether the cluster has this very build."""
        return self._loaded().get(name) == key and name in self.present()

    def load(self, name: str, archive: Path, key: str) -> None:
        self.put(name, archive)
        self.note.parent.mkdir(parents=True, exist_ok=True)
        partial = self.note.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({**self._loaded(), name: key}, indent=2))
        partial.replace(self.note)

    def _loaded(self) -> dict[str, str]:
        return dict(json.loads(self.note.read_text())) if self.note.exists() else {}
