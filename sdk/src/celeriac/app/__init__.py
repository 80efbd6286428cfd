"""Python functions as tasks: the App, its tasks, their signatures, and the TaskDefinitions that they come to.

Nothing is imported here, because the runner imports single modules of this package and every millisecond of it counts.
"""
