"""The process of a task that is a Python function: ``python -m celeriac.run MODULE:APP TASK``."""
