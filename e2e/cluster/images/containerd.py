"""Loading images into the local cluster's containerd, and asking which it has."""

from pathlib import Path

from e2e.cluster.commands import run
from e2e.cluster.images.loading import Loader
from e2e.cluster.settings import Settings


def loader(settings: Settings) -> Loader:
    return Loader(
        note=settings.layout.cluster / "images.json",
        present=lambda: set(images(settings)),
        put=lambda _name, archive: load(settings, archive),
    )


def images(settings: Settings) -> dict[str, str]:
    """The images that pods can use, each with the digest of its manifest."""
    return {name: digest for name, digest in _rows(settings).items() if not name.startswith("sha256:")}


def load(settings: Settings, archive: Path) -> None:
    """Load an OCI archive; a name that exists then means the new content, and the old one goes."""
    _ctr(settings, "images", "import", archive)
    outdated = unnamed(_rows(settings))
    if outdated:
        _ctr(settings, "images", "remove", *outdated)


def unnamed(rows: dict[str, str]) -> list[str]:
    """The images that only their digest names: builds that another has replaced, which nobody else would remove."""
    named = {digest for name, digest in rows.items() if not name.startswith("sha256:")}
    return [name for name, digest in rows.items() if name.startswith("sha256:") and digest not in named]


def _rows(settings: Settings) -> dict[str, str]:
    listing = _ctr(settings, "images", "list")
    rows = (line.split() for line in listing.splitlines()[1:])
    return {row[0]: row[2] for row in rows if len(row) > 2}


def _ctr(settings: Settings, *words: str | Path) -> str:
    # k8s.io is the containerd namespace in which the kubelet looks.
    return run("ctr", "--address", settings.layout.containerd_socket, "--namespace", "k8s.io", *words)
