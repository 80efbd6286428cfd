"""What interrupts a function that runs as a task, as exceptions that are raised in it."""

from __future__ import annotations


class TaskInterrupted(BaseException):
    """The function is to end. A BaseException, as asyncio's CancelledError: ``except Exception`` does not swallow it.

    Catch it to tidy up, and raise it again; or return what is there so far, which is then the task's result.
    """


class SoftDeadlineExceeded(TaskInterrupted):
    """Raised in the function some seconds before its deadline, or after ``soft_run_seconds``; once an attempt."""


class CancelRequested(TaskInterrupted):
    """Raised in the function on SIGTERM: it was cancelled, or its attempt is stopped for another reason.

    SIGKILL follows after the task's ``graceSeconds`` (30 by default).
    """

    def __init__(self, reason: str, failure: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        """Why: of a cancel, the reason that was given; else a sentence for people."""
        self.failure = failure
        """Why, as ``attempts[].failure`` will say it (``Cancelled``, ``RunDeadlineExceeded`` …); None: not known."""
