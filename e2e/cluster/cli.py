"""`python -m e2e.cluster`: a real Kubernetes for development and the end-to-end tests.

CELERIAC_CLUSTER says which: `local` (plain processes on this machine, needs root on Debian or Ubuntu), `kind` (needs
Docker), `current` (your kubeconfig's current context, never changed) or `auto` (kind where it can work, else local).
"""

import os
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from e2e.cluster import binaries, kubectl, providers
from e2e.cluster.errors import ClusterError
from e2e.cluster.images import build, catalogue
from e2e.cluster.progress import console
from e2e.cluster.settings import from_environ
from e2e.cluster.status import render
from rich.console import Console
from rich.markup import escape

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode=None)


class Output(StrEnum):
    """How `status` answers."""

    TABLE = "table"
    JSON = "json"


@app.command()
def up() -> None:
    """Bring the cluster up; starts only what is not running."""
    cluster = providers.choose(from_environ())
    cluster.up()
    console.print(f"[bold green]The cluster is up.[/bold green]\n\n  export KUBECONFIG={cluster.kubeconfig()}\n")


@app.command()
def down() -> None:
    """Remove the cluster and all its traces; built programs and images stay in the cache."""
    providers.choose(from_environ()).down()


@app.command()
def status(output: Annotated[Output, typer.Option("-o", "--output")] = Output.TABLE) -> None:
    """Show each part of the cluster; ends with code 1 when it is not healthy."""
    found = providers.choose(from_environ()).status()
    if output is Output.JSON:
        print(found.model_dump_json(indent=2))
    else:
        # Where no terminal says how wide it is, Rich would fold paths at 80 columns.
        Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(render(found))
    raise typer.Exit(0 if found.healthy else 1)


@app.command()
def kubeconfig() -> None:
    """Print the path of the admin's kubeconfig."""
    print(providers.choose(from_environ()).kubeconfig())


@app.command()
def env() -> None:
    """Print shell exports: eval "$(python -m e2e.cluster env)"."""
    settings = from_environ()
    print(f"export KUBECONFIG={shlex.quote(str(providers.choose(settings).kubeconfig()))}")
    tools = (binaries.path_of(settings.layout, "helm").parent, kubectl.find().parent)
    known = os.environ.get("PATH", "").split(os.pathsep)
    added = [str(directory) for directory in dict.fromkeys(tools) if str(directory) not in known]
    if added:
        print(f"export PATH={shlex.quote(os.pathsep.join(added))}:$PATH")


@app.command()
def images(
    names: Annotated[list[str] | None, typer.Argument(help="sdk, operator, …; all if none is named")] = None,
) -> None:
    """Build the project's images where their sources changed, and load them into the cluster."""
    known = catalogue.known()
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise ClusterError(f"There is no image {', '.join(unknown)}.", f"There are: {', '.join(known)}.")
    settings = from_environ()
    build.ensure(settings.layout, providers.choose(settings).loader(), [known[name] for name in names or known])


@app.command()
def image(
    name: Annotated[str, typer.Argument(help="for example shop, which becomes localhost/shop:dev")],
    directory: Annotated[Path, typer.Argument(help="a directory with a Dockerfile")],
    base: Annotated[str, typer.Option(help="passed as BASE_IMAGE; empty: plain Python")] = catalogue.SDK_IMAGE,
) -> None:
    """Build an image from a directory, and load it into the cluster."""
    settings = from_environ()
    recipe = catalogue.of_directory(name, directory, base)
    build.ensure(settings.layout, providers.choose(settings).loader(), [recipe])


def main() -> None:
    """Run, and tell what went wrong in words rather than with a traceback."""
    try:
        app()
    except ClusterError as error:
        console.print(f"[bold red]{escape(error.message)}[/bold red]\n{escape(error.hint)}")
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("Stopped. The same command goes on from here.")
        sys.exit(130)
