"""Python functions through NATS beside raw Jobs: `python -m e2e.bench.functions`, on a quiet machine.

As in `e2e.bench`, whose parts it uses: what is compared takes turns, and the ratios are what counts.
"""
