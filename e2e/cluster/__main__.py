"""Lets `python -m e2e.cluster` work."""

from e2e.cluster.cli import main

main()
