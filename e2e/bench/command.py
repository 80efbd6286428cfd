"""What the benchmarks' commands have in common: a warning, the command that a page names, and an end in words."""

import shlex
import sys

import typer
from e2e.bench import machine
from e2e.bench.stopwatch import BenchError
from e2e.cluster.errors import ClusterError
from e2e.support.kube import Refused
from rich.console import Console

from celeriac import CeleriacError

_TROUBLE = (ClusterError, LookupError, BenchError, CeleriacError, Refused, AssertionError)


def run(app: typer.Typer, console: Console, hint: str = "`make cluster-up images` brings up what is needed.") -> None:
    """Run, and tell what went wrong in words."""
    try:
        app()
    except _TROUBLE as error:
        console.print(str(error), style="bold red", markup=False, soft_wrap=True)
        console.print(getattr(error, "hint", "") or hint, markup=False, soft_wrap=True)
        sys.exit(1)


def load(console: Console) -> float:
    """The load average before, with a warning where it disturbs what is measured."""
    found = machine.load()
    if found > machine.QUIET_LOAD:
        console.print(f"[yellow]The load average is {found:.1f}: the figures will be poor, and scatter.[/yellow]")
    return found


def line(module: str) -> str:
    """The command as it was given."""
    return shlex.join(["python", "-m", module, *sys.argv[1:]])
