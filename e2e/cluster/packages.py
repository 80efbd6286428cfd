"""The Debian packages that the local cluster and image builds stand on, installed where they are missing."""

import shutil
from pathlib import Path

from e2e.cluster.commands import run
from e2e.cluster.errors import ClusterError

# What tells that a package is there, and the package. Programs, not dpkg's opinion: they may come from elsewhere.
NODE = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "busybox": "busybox-static",
}
BUILD = {"buildah": "buildah", "debootstrap": "debootstrap"}
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def missing(wanted: dict[str, str]) -> list[str]:
    """The packages whose program is not there."""
    return [package for marker, package in wanted.items() if not _is_there(marker)]


def install(names: list[str]) -> None:
    """Install packages, after an update: lists that are days old name versions that mirrors no longer have."""
    if shutil.which("apt-get") is None:
        raise ClusterError(
            f"The local cluster needs {', '.join(names)}, and this is no Debian-like system.",
            "Install these yourself, or set CELERIAC_CLUSTER=kind or =current.",
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-q", env=quiet)
    run("apt-get", "install", "-q", "-y", "--no-install-recommends", *names, env=quiet)


def _is_there(marker: str) -> bool:
    if marker.startswith("/"):
        return Path(marker).exists()
    return bool(shutil.which(marker) or shutil.which(marker, path=_SBIN))
