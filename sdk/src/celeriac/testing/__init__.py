"""For the tests of your tasks: a queue in memory that runs them, with a clock that does not wait (docs/testing.md)."""

from celeriac.testing.handle import TestHandle
from celeriac.testing.queue import TestQueue

__all__ = ["TestHandle", "TestQueue"]
