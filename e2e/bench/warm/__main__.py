"""`python -m e2e.bench.warm`."""

from e2e.bench.warm.cli import main

main()
