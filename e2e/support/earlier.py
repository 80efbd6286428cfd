"""An earlier state of this repository, as a release to upgrade from: its chart, its CRDs and its operator's image."""

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import providers
from e2e.cluster.images import build
from e2e.cluster.images.catalogue import Recipe
from e2e.cluster.settings import from_environ
from e2e.support.connection import REPOSITORY
from e2e.support.release import CHART

FIRST = "950a70c458f1278df2c10a8475189762d178e26c"
"""The first state whose chart has NATS with messages, records and users of one namespace: 25 November 2026."""
WITH_WORKERS = "1d339b5202b7e26a4338139dc7b0b19a11af92cd"
"""A state whose pods wait for tasks, and take many: 26 November 2026."""
_INPUTS = ("pyproject.toml", "uv.lock", "image-requirements.txt", ".dockerignore", "operator", "sdk")


@dataclass(frozen=True)
class Earlier:
    """What was released then."""

    directory: Path
    tag: str
    """Of its operator's image."""

    @property
    def image(self) -> str:
        return f"localhost/celeriac-operator:{self.tag}"

    @property
    def chart(self) -> Path:
        return self.directory / CHART.relative_to(REPOSITORY)

    @property
    def crds(self) -> list[Path]:
        return sorted((self.directory / "crds").glob("*.yaml"))

    @property
    def is_of_today(self) -> bool:
        """It is no earlier one: the history is not here."""
        return self.directory == REPOSITORY

    def load_image(self) -> None:
        """Build the operator's image, and have the cluster know it by a tag of its own."""
        inputs = tuple(path for name in _INPUTS if (path := self.directory / name).exists())
        recipe = Recipe(self.image, self.directory / "operator/Dockerfile", self.directory, inputs)
        settings = from_environ()
        build.ensure(settings.layout, providers.choose(settings).loader(), [recipe])


def earlier(directory: Path, commit: str, tag: str) -> Earlier:
    """Take that state out of the history; without it, as in a shallow clone, it is today's, by another tag."""
    done = subprocess.run(["git", "-C", REPOSITORY, "archive", commit], capture_output=True, check=False)
    if done.returncode != 0:
        return Earlier(REPOSITORY, tag)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(directory, filter="data")
    return Earlier(directory, tag)
