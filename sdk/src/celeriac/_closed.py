"""What is said to who goes on with a client that is closed. Imports nothing: the runner of every attempt has it."""

from __future__ import annotations


def closed() -> RuntimeError:
    """The error for what is asked of a client after its end."""
    return RuntimeError("The client is closed: make another Client or AsyncClient, and close it after the last call.")
