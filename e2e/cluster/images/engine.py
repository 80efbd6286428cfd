"""Who builds images: Docker where its engine is reachable, else buildah, which needs no daemon.

Both take the same Dockerfiles. They differ in the base: Docker pulls it, and without a registry a Debian made by
debootstrap stands in for it (see `base`).
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from e2e.cluster import packages
from e2e.cluster.commands import run, succeeds
from e2e.cluster.images import base
from e2e.cluster.progress import step
from e2e.cluster.settings import Layout

# Given by name only: their values may hold credentials and must not show up in a command line.
_PASSED_ON = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "HTTP_PROXY", "HTTPS_PROXY",
    "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")  # fmt: skip
# Untagged images are the last layers of build stages; each of our images has one or two of them.
_KEPT_LAYERS = 12
_CERTIFICATES = Path("/etc/ssl/certs")
_PIP_CONFIGURATION = Path("/etc/pip.conf")


@dataclass(frozen=True)
class Build:
    """A build that is wanted: Dockerfile, its context, the name of the result, and the base it stands on."""

    name: str
    dockerfile: Path
    context: Path
    base: str

    @property
    def short_name(self) -> str:
        return self.name.rsplit("/", 1)[1].replace(":", "-")


class Engine(Protocol):
    """A builder of images."""

    def default_base(self) -> str:
        """The image that stands for `python:3.12-slim-bookworm`, made if it is not there."""

    def build(self, wanted: Build, archive: Path) -> None:
        """Build an image and write it as an archive."""


def choose(layout: Layout) -> Engine:
    """Docker if it works, else buildah, installed if it is missing."""
    if docker_works():
        return Docker()
    lacking = packages.missing(packages.BUILD)
    if lacking:
        with step(f"Installing {', '.join(lacking)}", 60):
            packages.install(lacking)
    buildah = Buildah(layout)
    buildah.forget_killed_builds()
    return buildah


def docker_works() -> bool:
    """A docker command alone is not enough: its engine must answer."""
    return succeeds("docker", "info")


class Docker:
    """Builds with Docker's own cache and store."""

    def default_base(self) -> str:
        return base.PYTHON_IMAGE

    def build(self, wanted: Build, archive: Path) -> None:
        run("docker", "build", *_arguments(wanted, os.environ), wanted.context)
        run("docker", "save", "--output", archive, wanted.name)


class Buildah:
    """Builds in a chroot, with a store of its own in the cache, so that no other container tool is affected."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def default_base(self) -> str:
        return base.ensure(self._layout)

    def build(self, wanted: Build, archive: Path) -> None:
        log = self._layout.build_logs / f"image-{wanted.short_name}.log"
        # --layers keeps a layer for each step, so that a change of code does not install the dependencies again.
        self._buildah("bud", "--isolation=chroot", "--layers", *host_trust(), *_arguments(wanted, os.environ),
            wanted.context, log=log)  # fmt: skip
        # By way of a directory: buildah's own oci-archive takes twice as long for the same bytes.
        with tempfile.TemporaryDirectory(dir=archive.parent) as layout:
            self._buildah("push", "--quiet", wanted.name, f"oci:{layout}:{wanted.name}")
            run("tar", "--create", "--file", archive, "--directory", layout, ".")
        self.forget_outdated_layers()

    def forget_outdated_layers(self) -> None:
        """Remove what earlier builds left, but for the newest: those are the cache of the next build."""
        listing = run("buildah", *base.store(self._layout), "images", "--quiet", "--filter=dangling=true")
        outdated = listing.split()[_KEPT_LAYERS:]
        if outdated:
            # Some are still in use below others and stay, which is no failure.
            succeeds("buildah", *base.store(self._layout), "rmi", *outdated)

    def forget_killed_builds(self) -> None:
        """Remove containers of builds that were killed; the caller sees to it that no other build is going on."""
        self._buildah("rm", "--all")

    def _buildah(self, *words: str | Path, log: Path | None = None) -> None:
        run("buildah", *base.store(self._layout), *words, log=log)


def host_trust() -> tuple[str, ...]:
    """Let builds trust whom the machine trusts, through mounts that leave nothing in the image."""
    mounts = (path for path in (_CERTIFICATES, _PIP_CONFIGURATION) if path.exists())
    return tuple(f"--volume={path}:{path}:ro" for path in mounts)


def _arguments(wanted: Build, environ: Mapping[str, str]) -> tuple[str, ...]:
    passed = [f"--build-arg={name}" for name in _PASSED_ON if environ.get(name)]
    return (f"--tag={wanted.name}", f"--file={wanted.dockerfile}", f"--build-arg=BASE_IMAGE={wanted.base}", *passed)
