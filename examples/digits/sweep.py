"""`python -m examples.digits.sweep`: a hyper-parameter sweep on a real cluster, from nothing to a ranking.

It sets up what is missing, submits 24 trainings and four that are meant to go wrong, follows them through a watch, and
reads the results from their statuses. The cluster stays up for you to look around.
"""

from __future__ import annotations

import sys

from e2e.cluster.errors import ClusterError
from e2e.support.connection import connect, kubeconfig_path
from e2e.support.kube import Kube, Refused
from examples.digits import cluster, show
from examples.digits.follow import Sweep, changes
from examples.digits.trainings import SPECIAL, grid, in_words
from rich.console import Console

from celeriac import CeleriacError

PATIENCE_SECONDS = 180


def main() -> int:
    """Run the demo; what goes wrong is told with what to do about it."""
    console = Console(highlight=False)
    try:
        return run(console)
    except (ClusterError, LookupError) as error:
        return _complain(console, str(getattr(error, "message", error)), getattr(error, "hint", "") or _UP)
    except (CeleriacError, Refused, AssertionError) as error:
        return _complain(console, str(error), "Is the operator well? " + _LOG)
    except TimeoutError as error:
        return _complain(
            console, str(error), f"Look at what waits: kubectl get tasks,pods -n {cluster.NAMESPACE}\n{_LOG}"
        )
    except KeyboardInterrupt:
        return _complain(
            console, "Stopped watching; the tasks go on.", "The same command deletes them and starts anew."
        )


_UP = "`make cluster-up images` brings up a cluster with the images in it."
_LOG = f"Its log: kubectl logs -n {cluster.RELEASE_NAMESPACE} deploy/{cluster.RELEASE}"


def run(console: Console) -> int:
    """The demo itself."""
    console.print("[bold]Celeriac's demo[/bold]: which model reads handwritten digits best?\n")
    with connect(kubeconfig_path()) as kube:
        cluster.load_images("operator", "demo")
        cluster.install(kube)
        cluster.prepare_namespace(kube)
        sweep = _submit_and_follow(console, kube)
        _report(console, sweep)
        console.print(show.what_next(cluster.NAMESPACE), soft_wrap=True)
    lacking = len(grid()) + 1 - len(show.ranking(sweep))  # the flaky one is ranked too
    if lacking > 0:
        advice = f"See why: .venv/bin/celeriac list -n {cluster.NAMESPACE} --phase failed"
        return _complain(console, f"{lacking} of the trainings have no accuracy.", advice)
    return 0


def _submit_and_follow(console: Console, kube: Kube) -> Sweep:
    trainings = grid()
    by_kubectl, by_sdk = (*trainings[::2], *SPECIAL[::2]), (*trainings[1::2], *SPECIAL[1::2])
    cluster.apply_with_kubectl(kube, by_kubectl)
    console.print(f"  {len(by_kubectl)} tasks submitted with kubectl apply")
    cluster.submit_with_sdk(kube, by_sdk)
    console.print(f"  {len(by_sdk)} tasks submitted with the Python SDK\n")
    sweep = Sweep(expected=len(by_kubectl) + len(by_sdk))
    board = show.Board(console, sweep)
    with board.live():
        for state in changes(kube, cluster.NAMESPACE, cluster.SELECTOR, sweep, PATIENCE_SECONDS):
            board.tell(state)
    return sweep


def _report(console: Console, sweep: Sweep) -> None:
    console.print("\n[bold]Accuracy on digits that the model has not seen[/bold]\n")
    console.print(show.results_table(sweep))
    ranked = show.ranking(sweep)
    if ranked:
        best = ranked[0]
        words = in_words(best.params)
        console.print(f"\nThe best: [bold green]{words}[/bold green] reads {best.measured('accuracy'):.2%} of them.\n")
    console.print("[bold]When things go wrong[/bold]\n")
    console.print(show.special_cases(sweep))
    console.print()
    console.print(show.traceback_panel(sweep))
    console.print()


def _complain(console: Console, what: str, next_step: str) -> int:
    console.print(what, style="bold red", markup=False, soft_wrap=True)
    console.print(next_step, markup=False, soft_wrap=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
