"""The programs of the cluster, built from pinned Go modules: no registry reachable by everyone has them prebuilt.

Each build is kept under a digest of its go.mod and go.sum, so a version bump builds anew and going back does not.
"""

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from e2e.cluster import toolchain
from e2e.cluster.commands import run
from e2e.cluster.settings import Layout

MODULES = Path(__file__).parent / "tools"


@dataclass(frozen=True)
class Tool:
    """One Go module with the programs it gives; `built_as` is what Go calls a program whose name we change."""

    module: str
    source: str
    programs: tuple[str, ...]
    usual_seconds: int
    built_as: str = ""


TOOLS = (
    Tool("etcd", "go.etcd.io/etcd/server/v3", ("etcd",), 20, built_as="server"),
    Tool("coredns", "github.com/coredns/coredns", ("coredns",), 100),
    Tool("helm", "helm.sh/helm/v3", ("helm",), 80),
    Tool(
        "kubernetes",
        "k8s.io/kubernetes",
        ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"),
        345,
    ),
)
KWOK = Tool("kwok", "sigs.k8s.io/kwok", ("kwok",), 70)
"""Not a part of the cluster: built only for those who ask for fake nodes."""


def missing(layout: Layout) -> list[Tool]:
    """The cluster's tools that still have to be built."""
    return [tool for tool in TOOLS if not is_built(layout, tool)]


def is_built(layout: Layout, tool: Tool) -> bool:
    """Whether the tool is in the cache, at its pinned version."""
    return _directory(layout, tool).exists()


def path_of(layout: Layout, program: str) -> Path:
    """Where a program is, or will be once its tool is built."""
    tool = next(tool for tool in (*TOOLS, KWOK) if program in tool.programs)
    return _directory(layout, tool) / program


def build(layout: Layout, tool: Tool) -> None:
    """Build one tool beside its final place and move it there only when it is whole."""
    final = _directory(layout, tool)
    partial = final.with_name(f"{final.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    go = toolchain.find_go(layout, needed_version(MODULES / tool.module / "go.mod"))
    environment = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    run(go, "build", "-trimpath", "-ldflags", _linker_flags(tool), "-o", f"{partial}/", "tool",
        env=environment, cwd=MODULES / tool.module, log=layout.build_logs / f"{tool.module}.log")  # fmt: skip
    if tool.built_as:
        (partial / tool.built_as).rename(partial / tool.programs[0])
    _move_into_place(partial, final)


def version_of(tool: Tool) -> str:
    """The pinned version, for people."""
    text = (MODULES / tool.module / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require )?{re.escape(tool.source)} (v\S+)", text, re.MULTILINE)
    return found[1] if found else ""


@cache
def digest(module: Path) -> str:
    """Twelve characters that change with every version of every dependency."""
    found = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        found.update((module / name).read_bytes())
    return found.hexdigest()[:12]


def needed_version(go_mod: Path) -> tuple[int, int]:
    """The Go version that a go.mod asks for."""
    found = re.search(r"^go (\d+)\.(\d+)", go_mod.read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{go_mod} has no go directive")
    return int(found[1]), int(found[2])


def _directory(layout: Layout, tool: Tool) -> Path:
    return layout.binaries / f"{tool.module}-{digest(MODULES / tool.module)}"


def _linker_flags(tool: Tool) -> str:
    # An unversioned control plane reports v0.0.0, and clients then guess wrongly what the server can do.
    stamp = f" -X k8s.io/component-base/version.gitVersion={version_of(tool)}" if tool.module == "kubernetes" else ""
    return f"-s -w{stamp}"


def _move_into_place(partial: Path, final: Path) -> None:
    try:
        partial.rename(final)
    except OSError:  # another clone built the same meanwhile
        shutil.rmtree(partial)
