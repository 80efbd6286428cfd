"""What must hold before the local cluster can work, told all at once and before anything is changed."""

import os
from collections.abc import Iterator
from pathlib import Path

from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Layout, Settings

_CGROUPS = Path("/sys/fs/cgroup")
_NEEDED_CONTROLLERS = {"cpu", "memory", "pids"}
# A Unix socket's path has at most 107 characters, and kubelet and containerd add some 45 to the directory.
_LONGEST_DIRECTORY = 60


def check(settings: Settings) -> None:
    """Refuse with every reason found."""
    problems = list(_problems(settings.layout))
    if problems:
        raise ClusterError(
            "The local cluster cannot run on this machine:\n" + "\n".join(f"- {problem}" for problem in problems),
            "Otherwise use CELERIAC_CLUSTER=kind (needs Docker) or CELERIAC_CLUSTER=current (your own cluster).",
        )


def controllers(cgroups: Path) -> set[str]:
    """The cgroup controllers of a machine, version 1 or 2."""
    unified = cgroups / "cgroup.controllers"
    if unified.exists():
        return set(unified.read_text().split())
    return {name for path in cgroups.glob("*/cgroup.procs") for name in path.parent.name.split(",")}


def _foreign_kubelet() -> bool:
    """Tell whether a kubelet runs that shares our mounts (kind's do not) and is not one of ours."""
    return any(_is_foreign_kubelet(process) for process in Path("/proc").glob("[0-9]*"))


def _is_foreign_kubelet(process: Path) -> bool:
    try:
        if (process / "comm").read_text() != "kubelet\n":
            return False
        shares_mounts = (process / "ns/mnt").readlink() == Path("/proc/self/ns/mnt").readlink()
        # Ours say which directory they use, and it looks like this whatever the cluster is called.
        return shares_mounts and b"/celeriac/cluster" not in (process / "cmdline").read_bytes()
    except OSError:  # it has gone meanwhile
        return False


def _problems(layout: Layout) -> Iterator[str]:
    if not Path("/proc/self/mountinfo").exists():
        yield "It is not Linux."
        return
    if os.geteuid() != 0:
        yield "It needs root (for namespaces, mounts and cgroups): run it with sudo, keeping HOME and PATH."
    lacking = _NEEDED_CONTROLLERS - controllers(_CGROUPS)
    if lacking:
        yield f"{_CGROUPS} lacks the controllers {', '.join(sorted(lacking))}: mount cgroups there."
    if "overlay" not in Path("/proc/filesystems").read_text() and not Path("/sys/module/overlay").exists():
        yield "The kernel has no overlayfs: try `modprobe overlay`."
    if _foreign_kubelet():
        yield "Another kubelet runs here, and two would fight over /var/lib/kubelet: use that cluster instead."
    if len(str(layout.cluster)) > _LONGEST_DIRECTORY:
        yield f"The path {layout.cluster} is too long for sockets: set XDG_CACHE_HOME to a shorter one."
