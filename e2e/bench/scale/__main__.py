"""`python -m e2e.bench.scale`."""

from e2e.bench.scale.cli import main

main()
