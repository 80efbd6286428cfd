"""The errors of this package: each is one sentence for the user, and what to do next."""


class ClusterError(Exception):
    """Something that the user can act upon; shown without a traceback."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class CommandError(ClusterError):
    """A program that we ran ended with an error."""
