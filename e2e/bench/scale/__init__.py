"""Thousands of Tasks beside thousands of raw Jobs, on nodes that KWOK fakes: `python -m e2e.bench.scale`.

No container runs, so what is measured is the control plane and the operator, which share the machine's cores.
"""
