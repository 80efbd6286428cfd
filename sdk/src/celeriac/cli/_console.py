"""Where output goes: results to stdout, everything else to stderr, nothing from a task unescaped to a terminal."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from celeriac.cli._escape import escape


def out() -> Console:
    """The console for results."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def err() -> Console:
    """The console for what goes on beside the results."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def write(text: str) -> None:
    """One line, or several, of a result; escaped where people read it."""
    sys.stdout.write((escape(text) if sys.stdout.isatty() else text) + "\n")
    sys.stdout.flush()


def say(text: str, style: str = "") -> None:
    """One line beside the results."""
    err().print(Text(escape(text), style=style))


def complain(text: str) -> None:
    """What went wrong, in red."""
    err().print(Text.assemble(("Error: ", "bold red"), escape(text)))
