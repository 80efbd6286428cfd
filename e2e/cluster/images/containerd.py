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
    listing = _ctr(settings, "images", "list")
    rows = [line.split() for line in listing.splitlines()[1:]]
    return {row[0]: row[2] for row in rows if len(row) > 2 and not row[0].startswith("sha256:")}


def load(settings: Settings, archive: Path) -> None:
    """Load an OCI archive; a name that exists then means the new content."""
    _ctr(settings, "images", "import", archive)


def _ctr(settings: Settings, *words: str | Path) -> str:
    # k8s.io is the containerd namespace in which the kubelet looks.
    return run("ctr", "--address", settings.layout.containerd_socket, "--namespace", "k8s.io", *words)
