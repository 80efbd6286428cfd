"""The images that every local cluster has: pause, busybox (by two names) and CoreDNS."""

import hashlib
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path

from e2e.cluster import binaries
from e2e.cluster.commands import need, run
from e2e.cluster.images.archive import Entry, Image, write
from e2e.cluster.settings import Layout

BUSYBOX = "localhost/busybox:1.36"
# What `busybox:1.36` means to Kubernetes: the examples run here as they are written, though nothing can be pulled.
HUB_BUSYBOX = "docker.io/library/busybox:1.36"
PAUSE = "localhost/pause:celeriac"
COREDNS = "localhost/coredns:celeriac"

_PASSWD = b"""\
root:x:0:0:root:/root:/bin/sh
nonroot:x:65532:65532:nonroot:/tmp:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
"""
_GROUP = b"root:x:0:\nnonroot:x:65532:\nnogroup:x:65534:\n"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def ensure(layout: Layout) -> dict[str, Path]:
    """Return the archive of each basic image, packing those that are missing or whose program changed."""
    busybox = need("busybox", "Install the package busybox-static.")
    coredns = binaries.path_of(layout, "coredns")
    return {
        PAUSE: _ensure(layout, "pause", busybox, _pause),
        BUSYBOX: _ensure(layout, "busybox", busybox, partial(_busybox, name=BUSYBOX)),
        HUB_BUSYBOX: _ensure(layout, "busybox-hub", busybox, partial(_busybox, name=HUB_BUSYBOX)),
        COREDNS: _ensure(layout, "coredns", coredns, _coredns),
    }


def _ensure(layout: Layout, name: str, program: Path, describe: Callable[[Path], Image]) -> Path:
    archive = layout.images / f"{name}-{_key(program)}.tar"
    if not archive.exists():
        write(describe(program), _ARCHITECTURES.get(platform.machine(), platform.machine()), archive)
        for outdated in set(layout.images.glob(f"{name}-{'?' * 12}.tar")) - {archive}:
            outdated.unlink(missing_ok=True)
    return archive


def _key(program: Path) -> str:
    """Names the archive by what it is made of: this recipe and the program."""
    with program.open("rb") as content:
        found = hashlib.file_digest(content, "sha256")
    found.update(Path(__file__).read_bytes())
    return found.hexdigest()[:12]


def _pause(program: Path) -> Image:
    # The shell as process 1 would ignore SIGTERM and not reap; sleep does no worse and is killed with its sandbox.
    entries = [Entry("bin"), Entry("bin/busybox", program.read_bytes())]
    return Image(PAUSE, entries, ["/bin/busybox", "sleep", "2147483647"])


def _busybox(program: Path, name: str) -> Image:
    applets = [name for name in run(program, "--list").split() if name != "busybox"]
    entries = [
        Entry("bin"),
        Entry("bin/busybox", program.read_bytes()),
        *(Entry(f"bin/{name}", target="/bin/busybox") for name in applets),
        Entry("etc"),
        Entry("etc/passwd", _PASSWD, mode=0o644),
        Entry("etc/group", _GROUP, mode=0o644),
        Entry("root", mode=0o700),
        Entry("tmp", mode=0o1777),
        Entry("var"),
        Entry("var/tmp", mode=0o1777),
        Entry("usr"),
        Entry("usr/bin"),
        Entry("usr/bin/env", target="/bin/busybox"),
    ]
    return Image(name, entries, ["/bin/sh"])


def _coredns(program: Path) -> Image:
    return Image(COREDNS, [Entry("coredns", program.read_bytes())], ["/coredns"])
