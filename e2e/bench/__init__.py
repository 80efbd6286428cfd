"""What a Task costs beside a raw Job: `python -m e2e.bench`, on a quiet machine.

The same pod runs as a Task and as a Job, in turn, so that what the machine does meanwhile touches both alike; figures
of different runs or machines cannot be compared, the ratios of one run can.
"""
