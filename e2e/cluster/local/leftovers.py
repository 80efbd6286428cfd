"""What a killed cluster leaves behind, found and removed by marks that are ours alone.

Every mark is the path of the cluster's directory, its cgroup or its name; nothing is matched by a program's name.
"""

import contextlib
import errno
import os
import re
import shutil
import signal
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from e2e.cluster.commands import run
from e2e.cluster.errors import ClusterError
from e2e.cluster.processes import read_stat, send
from e2e.cluster.settings import Settings, from_environ
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

_CGROUPS = Path("/sys/fs/cgroup")
_CNI_RESULTS = Path("/var/lib/cni/results")
# The next two are fixed in the programs themselves and cannot be moved below the cluster's directory.
_SHIM_SOCKETS = Path("/run/containerd/s")
_DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
_LOG_LINKS = Path("/var/log/containers")
_SHIM = "containerd-shim"
_DAEMONS = frozenset(
    {"etcd", "containerd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"}
)


def parse_mountinfo(text: str) -> list[Path]:
    """The mount points of /proc/self/mountinfo, in which the kernel escapes spaces and the like as octal."""
    return [Path(_unescape(line.split()[4])) for line in text.splitlines() if line.strip()]


def mounts_below(points: Iterable[Path], directory: Path) -> list[Path]:
    """The mount points in a directory, the innermost and latest first, which is the order to unmount them in."""
    return [point for point in reversed(list(points)) if point == directory or directory in point.parents]


def unmount(directory: Path) -> None:
    """Unmount all in a directory; lazily, because a process that is about to die may still hold a file."""
    for point in mounts_below(parse_mountinfo(Path("/proc/self/mountinfo").read_text()), directory):
        run("umount", "--lazy", point)


def processes(settings: Settings) -> list[int]:
    """The daemons and shims of this cluster, tracked or not: their command line names its directory."""
    mark = f"{settings.layout.cluster}/"
    return [pid for pid, argv in _command_lines() if is_ours(argv, mark) and pid != os.getpid()]


def is_ours(argv: list[str], mark: str) -> bool:
    """Tell a daemon of ours from, say, a kubectl that was given our kubeconfig."""
    program = Path(argv[0]).name
    known = program in _DAEMONS or program.startswith(_SHIM)
    return known and any(mark in word for word in argv[1:])


def strays(settings: Settings, tracked: set[int]) -> list[int]:
    """Daemons of ours that no pidfile knows; shims are none, they belong to their pods."""
    mark = f"{settings.layout.cluster}/"
    found = ((pid, argv) for pid, argv in _command_lines() if is_ours(argv, mark))
    return [pid for pid, argv in found if pid not in tracked and not Path(argv[0]).name.startswith(_SHIM)]


def kill(pids: Iterable[int]) -> None:
    for pid in pids:
        send(pid, signal.SIGKILL)


def kill_pods(settings: Settings | None = None) -> None:
    """Kill what runs in pods, as a node does that loses its power: nobody sees another die."""
    pids = set(_in_cgroups(settings or from_environ()))
    for pid in pids:
        send(pid, signal.SIGSTOP)
    kill(pids)


def kill_all(settings: Settings) -> None:
    """Kill pods, shims and daemons until none is left; new ones may appear while we look."""
    gone = Retrying(retry=retry_if_result(bool), stop=stop_after_delay(10), wait=wait_fixed(0.1))
    try:
        gone(_kill_once, settings)
    except RetryError as error:
        pids = ", ".join(str(pid) for pid in _alive(settings))
        raise ClusterError(f"Processes of the cluster do not die: {pids}.", "Look at them with `ps -fp`.") from error


def remove_cgroups(settings: Settings) -> None:
    """Remove the pods' cgroups, children first."""
    for root in _cgroup_roots(settings):
        for directory, _, _ in os.walk(root, topdown=False):
            with contextlib.suppress(OSError):  # a dying process may hold it for a moment; it is empty and harmless
                Path(directory).rmdir()


def make_cgroups(settings: Settings) -> None:
    """Make the cgroup under which the kubelet puts its pods; it wants to find it in every hierarchy."""
    hierarchies = [_CGROUPS] if (_CGROUPS / "cgroup.controllers").exists() else list(_v1_hierarchies())
    for hierarchy in hierarchies:
        cgroup = hierarchy / settings.name
        cgroup.mkdir(exist_ok=True)
        if hierarchy != _CGROUPS:
            _inherit_cpuset(hierarchy, cgroup)


def remove_files(settings: Settings) -> None:
    """Remove the cluster's directory and the few files that daemons insist on keeping elsewhere."""
    cluster = settings.layout.cluster
    for directory in (_SHIM_SOCKETS, _DEVICE_PLUGINS):
        _remove_dead_sockets(directory)
    for result in _CNI_RESULTS.glob(f"{settings.name}-*-eth0"):
        sandbox = result.name.removeprefix(f"{settings.name}-").removesuffix("-eth0")
        (_CNI_RESULTS / f"cni-loopback-{sandbox}-lo").unlink(missing_ok=True)
        result.unlink()
    for link in _LOG_LINKS.glob("*.log"):
        if link.is_symlink() and cluster in link.readlink().parents:
            link.unlink()
    if mounts_below(parse_mountinfo(Path("/proc/self/mountinfo").read_text()), cluster):
        raise ClusterError(f"Something is still mounted below {cluster}.", f"See `grep {cluster} /proc/mounts`.")
    shutil.rmtree(cluster, ignore_errors=True)


def remove_runtime_state(settings: Settings) -> None:
    for name in ("state", "runc"):
        shutil.rmtree(settings.layout.cluster / "containerd" / name, ignore_errors=True)


def _remove_dead_sockets(directory: Path) -> None:
    # Their names do not say whose they were. One that nobody listens on is of no use to its owner either.
    for path in directory.glob("*"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            if path.is_socket() and client.connect_ex(str(path)) == errno.ECONNREFUSED:
                path.unlink()
    with contextlib.suppress(OSError):  # not empty: then it is in use, or somebody else's
        directory.rmdir()


def _kill_once(settings: Settings) -> list[int]:
    pids = _alive(settings)
    kill(pids)
    return pids


def _alive(settings: Settings) -> list[int]:
    pids = {*processes(settings), *_in_cgroups(settings)}
    stats = {pid: read_stat(pid) for pid in pids}
    return [pid for pid, stat in stats.items() if stat is not None and stat.state not in "ZX"]


def _in_cgroups(settings: Settings) -> Iterator[int]:
    for root in _cgroup_roots(settings):
        for listing in root.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                yield from (int(pid) for pid in listing.read_text().split())


def _cgroup_roots(settings: Settings) -> list[Path]:
    candidates = [_CGROUPS / settings.name, *(hierarchy / settings.name for hierarchy in _v1_hierarchies())]
    return [path for path in candidates if path.is_dir()]


def _v1_hierarchies() -> Iterator[Path]:
    if not (_CGROUPS / "cgroup.controllers").exists():
        yield from (path for path in _CGROUPS.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink())


def _inherit_cpuset(parent: Path, child: Path) -> None:
    # In cgroup v1 a new cpuset is empty, and nothing can be put into it until somebody fills it.
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (child / name).exists() and not (child / name).read_text().strip():
            (child / name).write_text((parent / name).read_text())


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
            if words[0]:
                yield int(entry.name), words


def _unescape(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)
