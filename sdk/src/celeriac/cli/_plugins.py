"""Commands that other packages bring along: the operator's package brings ``dev``."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

import typer

from celeriac.cli._console import complain

GROUP = "celeriac.plugins"
"""Entry points of this group are functions that take the command line's Typer, and add to it."""


def add(app: typer.Typer) -> None:
    """Let each plugin add its commands. One that is broken is named, and the others work."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    for point in found:
        _add(app, point)
    if not any(point.name == "dev" for point in found):
        app.command("dev", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})(_dev_is_missing)


def _add(app: typer.Typer, point: EntryPoint) -> None:
    try:
        point.load()(app)
    except Exception as error:  # whatever it is, it is not ours
        complain(f"the plugin {point.name} ({point.value}) does not work: {type(error).__name__}: {error}")


def _dev_is_missing() -> None:
    """Run an App's tasks on this machine, without a cluster."""
    complain("celeriac dev runs the operator: pip install 'celeriac[dev]' celeriac-operator")
    raise typer.Exit(3)
