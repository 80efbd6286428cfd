"""The command ``celeriac``, which is ``kubectl celeriac`` too."""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """Run the command; say how to get what it needs where that is not installed."""
    try:
        app = importlib.import_module("celeriac.cli._app").app
    except ModuleNotFoundError as error:
        sys.stderr.write(f"The command line needs {error.name}: run pip install 'celeriac[cli]'.\n")
        sys.exit(3)
    sys.setrecursionlimit(
        11_000
    )  # JSON as deep as the API server takes it, in somebody else's task, is no reason to fail
    app()
