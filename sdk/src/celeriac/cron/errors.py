"""What can be wrong with a calendar."""

from __future__ import annotations


class CalendarError(ValueError):
    """The schedule or the time zone cannot be used.

    Attributes:
        reason: one CamelCase word, InvalidSchedule or UnknownTimeZone.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
