"""A Python base image where no registry can be reached: Debian's, made by debootstrap, once for each recipe."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from e2e.cluster.commands import run, succeeds
from e2e.cluster.errors import ClusterError
from e2e.cluster.progress import step
from e2e.cluster.settings import Layout

PYTHON_IMAGE = "python:3.12-slim-bookworm"
_SUITE = "bookworm"
_PACKAGES = "python3,python3-venv,ca-certificates"
# Nobody reads manuals in a pod, and every megabyte is copied each time an image is loaded.
_UNWANTED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/cache/apt",
    "var/lib/apt/lists", "var/log", "dev")  # fmt: skip


def ensure(layout: Layout) -> str:
    """Return the name of the base image, made or taken from its archive if buildah does not have it."""
    name = f"localhost/celeriac-debian:{_SUITE}-{key()}"
    archive = layout.images / f"debian-{_SUITE}-{key()}.tar"
    if succeeds("buildah", *store(layout), "inspect", "--type=image", name):
        return name
    if archive.exists():
        run("buildah", *store(layout), "pull", "--quiet", f"oci-archive:{archive}")
        return name
    with step(f"Debian base image with Python ({_SUITE})", 50):
        _make(layout, name, archive)
    return name


def store(layout: Layout) -> tuple[str, ...]:
    """buildah's options for a store that is ours alone."""
    root = layout.cache / "buildah"
    # What is mounted at the moment has to be forgotten at a reboot, so that belongs in /run.
    runroot = Path("/run/celeriac") / hashlib.sha256(str(root).encode()).hexdigest()[:12]
    return (f"--root={root}", f"--runroot={runroot}", "--storage-driver=overlay")


def key() -> str:
    """Changes with the recipe."""
    return hashlib.sha256(repr((_SUITE, _PACKAGES, _UNWANTED)).encode()).hexdigest()[:12]


def pick_mirror(sites: Iterable[str]) -> str:
    """The mirror among apt's sites that has Debian itself; security and third-party archives have no full suite."""
    for site in sites:
        if site.rstrip("/").endswith("/debian"):
            return site
    raise ClusterError(
        "apt knows no Debian mirror (a site that ends in /debian).",
        "Add one to /etc/apt/sources.list, or start Docker, which is then used instead.",
    )


def _make(layout: Layout, name: str, archive: Path) -> None:
    mirror = pick_mirror(run("apt-get", "indextargets", "--format", "$(SITE)").split())
    layout.images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=layout.cache, prefix="debootstrap-") as directory:
        root = Path(directory, "root")
        run("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, root, mirror,
            log=layout.build_logs / "debootstrap.log")  # fmt: skip
        _shape(root)
        _commit(layout, root, name)
    partial = archive.with_name(f".{archive.name}.partial")
    run("buildah", *store(layout), "push", "--quiet", name, f"oci-archive:{partial}:{name}")
    partial.rename(archive)


def _shape(root: Path) -> None:
    for path in _UNWANTED:
        shutil.rmtree(root / path, ignore_errors=True)
        (root / path).mkdir(parents=True)
    # The mirror is this machine's business, and an image travels.
    (root / "etc/apt/sources.list").write_text(f"deb https://deb.debian.org/debian {_SUITE} main\n")
    (root / "usr/bin/python").symlink_to("python3")


def _commit(layout: Layout, root: Path, name: str) -> None:
    buildah = ("buildah", *store(layout))
    container = run(*buildah, "from", "scratch").strip()
    try:
        run(*buildah, "copy", "--quiet", container, root, "/")
        run(*buildah, "config", "--cmd", "python3", "--env", "LANG=C.UTF-8", container)
        run(*buildah, "commit", "--quiet", container, name)
    finally:
        run(*buildah, "rm", container)
