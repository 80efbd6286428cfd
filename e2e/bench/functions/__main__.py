"""`python -m e2e.bench.functions`."""

from e2e.bench.functions.cli import main

main()
