"""Pods that wait beside raw Jobs and beside Celery: `python -m e2e.bench.warm`, on a quiet machine.

As in `e2e.bench`, whose parts it uses: what is compared takes turns, and the ratios are what counts.
"""
