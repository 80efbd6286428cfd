"""`python -m examples.python.demo`: a package tree is counted by functions whose calls travel through NATS.

The second part of `make demo`. It installs what is missing, and then is a program like any other: it has the NATS
credentials of its namespace, and submits with the App of census.py. The cluster stays up for you to look around.
"""

from __future__ import annotations

import sys
from pathlib import Path

from e2e.cluster.errors import ClusterError
from e2e.support.connection import connect, kubeconfig_path
from e2e.support.kube import Refused
from examples.python import ready
from examples.python.batch import batch
from examples.python.parts import Line, Stage, count_tree, full_queue, look_back, look_forward
from examples.python.show import results, what_next
from rich.console import Console

from celeriac import CeleriacError

ROOT = Path("/packages")


def main() -> int:
    """Run this part of the demo; what goes wrong is told with what to do about it."""
    console = Console(highlight=False)
    try:
        return run(console)
    except (ClusterError, LookupError) as error:
        return _complain(console, str(getattr(error, "message", error)), getattr(error, "hint", "") or _UP)
    except (CeleriacError, Refused, AssertionError, TimeoutError) as error:
        return _complain(console, str(error), f"Look at what waits: kubectl get tasks,pods -n {ready.NAMESPACE}")
    except KeyboardInterrupt:
        return _complain(console, "Stopped; what was submitted goes on.", "The same command begins anew beside it.")


_UP = "`make cluster-up images` brings up a cluster with the images in it."


def run(console: Console) -> int:
    """Set up, do everything, and show it."""
    console.print("\n[bold]And Python functions, through NATS[/bold]: how large is networkx?\n")
    with connect(kubeconfig_path()) as kube:
        ready.install(kube)
        with ready.connected(kube) as client:
            lines = perform(Stage(kube, client, console), ROOT)
    console.print("\n[bold]What became of it[/bold]\n")
    console.print(results(lines))
    console.print(what_next(ready.NAMESPACE), soft_wrap=True)
    if wrong := [line.what for line in lines if not line.good]:
        return _complain(
            console, f"Not as it should be: {', '.join(wrong)}.", f"kubectl get tasks -n {ready.NAMESPACE}"
        )
    return 0


def perform(stage: Stage, root: Path) -> list[Line]:
    """All of it; the App submits through the stage's client."""
    ahead = look_forward(stage)  # they wait while the rest is done
    counted, paths = count_tree(stage, root)
    return [counted, full_queue(stage, paths), batch(stage, paths), *look_back(stage, ahead)]


def _complain(console: Console, what: str, next_step: str) -> int:
    console.print(what, style="bold red", markup=False, soft_wrap=True)
    console.print(next_step, markup=False, soft_wrap=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
