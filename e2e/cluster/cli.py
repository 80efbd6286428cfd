"""`python -m e2e.cluster`: the cluster for development and end-to-end tests."""

import typer
from e2e.cluster.local import cluster
from e2e.cluster.settings import from_environ

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@app.command()
def up() -> None:
    cluster.up(from_environ())


@app.command()
def down() -> None:
    cluster.down(from_environ())
